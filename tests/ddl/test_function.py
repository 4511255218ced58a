"""CREATE FUNCTION ... LANGUAGE SQL: the same answer ad hoc and in views, which hold on to its expression."""

from __future__ import annotations

import pytest

from tailrace.errors import DuplicateObject, TailraceError, UndefinedObject, UnsupportedFeature
from tests.support.flow import FlowUnderTest

FUNCTIONS = {
    "CREATE FUNCTION f(INT, INT) RETURNS int LANGUAGE SQL AS $$select $1 + $2 * 10$$": ("f(a, b)", 21),
    "create function f(x int, y int) returns bigint language sql as 'select x - y;'": ("f(b, a)", 1),
    "CREATE FUNCTION f(s varchar, c varchar) RETURNS int LANGUAGE SQL AS $$SELECT LENGTH(s) - LENGTH(REPLACE(s, c, ''))$$": (
        "f('banana', 'a') + a",
        4,
    ),
    "CREATE FUNCTION f(l int[]) RETURNS int AS 'SELECT l[1] + l[2]' LANGUAGE SQL": ("f(ARRAY[a, b])", 3),
    "CREATE FUNCTION IF NOT EXISTS f(double precision) RETURNS double precision LANGUAGE SQL RETURN $1 * 2": (
        "f(a)",
        2.0,
    ),
}


@pytest.mark.parametrize(("statement", "call", "wanted"), [(s, *c) for s, c in FUNCTIONS.items()])
def test_it_says_the_same_ad_hoc_and_in_views(
    engine: FlowUnderTest, statement: str, call: str, wanted: float
) -> None:
    engine.ddl("CREATE TABLE t (a int, b int)")
    assert engine.ddl(statement).tag == "CREATE_FUNCTION"
    engine.view("called", f"SELECT {call} AS value FROM t")
    engine.ddl(f"CREATE VIEW plain AS SELECT {call} AS value FROM t")
    engine.settle("INSERT INTO t VALUES (1, 2)")
    engine.check()
    for relation in ("called", "plain"):
        assert engine.rows(f"SELECT value FROM {relation}") == [(wanted,)]
    engine.ddl("DROP FUNCTION f")
    engine.settle("INSERT INTO t VALUES (1, 2)")
    assert engine.rows("SELECT value FROM called") == [(wanted,)] * 2


def test_a_failing_call_in_a_view_is_null(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (a int)", "CREATE FUNCTION ratio(int) RETURNS int LANGUAGE SQL AS 'SELECT 100 / $1'"
    )
    engine.ddl("CREATE FUNCTION twice(n int) RETURNS int LANGUAGE SQL AS 'SELECT 2 * ratio(n)'")
    engine.ddl(
        "CREATE MATERIALIZED VIEW m AS SELECT a, twice(a) AS v FROM t WHERE public.twice(a) > 0 OR a = 0"
    )
    engine.settle("INSERT INTO t VALUES (0), (4)")
    assert sorted(engine.rows("SELECT * FROM m")) == [(0, None), (4, 50)]


def test_names_and_kinds(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE SCHEMA s", "CREATE FUNCTION s.f(int) RETURNS int LANGUAGE SQL AS 'select $1'")
    assert engine.rows("SELECT s.f(3)") == [(3,)]
    with pytest.raises(DuplicateObject, match=r'function with name "s\.f" exists'):
        engine.ddl("CREATE FUNCTION s.f(int) RETURNS int LANGUAGE SQL AS 'select $1'")
    engine.ddl("DROP SCHEMA s CASCADE")
    with pytest.raises(UndefinedObject, match="function not found"):
        engine.ddl("DROP FUNCTION f")
    engine.ddl("DROP FUNCTION IF EXISTS f")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE FUNCTION f(int) RETURNS int LANGUAGE python AS $$def f(x): return x$$",
        "CREATE FUNCTION f(int) RETURNS int AS f USING LINK 'http://nowhere:1'",
        "CREATE FUNCTION f(int) RETURNS TABLE (x int) LANGUAGE SQL AS 'select 1'",
        "CREATE AGGREGATE f(int) RETURNS int LANGUAGE python AS $$x$$",
    ],
)
def test_what_is_refused(engine: FlowUnderTest, statement: str) -> None:
    with pytest.raises(UnsupportedFeature):
        engine.ddl(statement)


def test_a_wrong_body_is_refused_at_once(engine: FlowUnderTest) -> None:
    with pytest.raises(TailraceError, match="nothing"):
        engine.ddl("CREATE FUNCTION f(int) RETURNS int LANGUAGE SQL AS 'select nothing'")
    assert not engine.flow.catalog.objects
