"""Column lists of CREATE VIEW and CREATE MATERIALIZED VIEW."""

from __future__ import annotations

import pytest

from tailrace.errors import InvalidStatement, TailraceError
from tests.support.flow import FlowUnderTest


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_a_list_names_the_columns(engine: FlowUnderTest, kind: str) -> None:
    engine.ddl(
        "CREATE TABLE t (a int, b int)",
        f'CREATE {kind} v (x, "Y", b) AS SELECT a, b + 1 AS c, b FROM t WHERE a > 0',
        f"CREATE {kind} u (n) AS SELECT a FROM t UNION ALL SELECT b FROM t",
        'CREATE MATERIALIZED VIEW over AS SELECT x, "Y" AS y, b FROM v',
    )
    engine.settle("INSERT INTO t VALUES (1, 2), (0, 5)")
    assert engine.rows('SELECT x, "Y", b FROM v') == [(1, 3, 2)]
    assert sorted(engine.rows("SELECT n FROM u")) == [(0,), (1,), (2,), (5,)]
    assert engine.rows("SELECT x, y, b FROM over") == [(1, 3, 2)]


@pytest.mark.parametrize("query", ["SELECT a FROM t", "SELECT * FROM t", "SELECT a, a AS b, a AS c FROM t"])
def test_lists_that_do_not_fit(engine: FlowUnderTest, query: str) -> None:
    engine.ddl("CREATE TABLE t (a int)")
    with pytest.raises(InvalidStatement, match="number of column names does not match number of columns"):
        engine.ddl(f"CREATE MATERIALIZED VIEW v (x, y) AS {query}")


def test_a_wrong_name_is_refused_with_the_one_that_may_be_meant(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE readings_of_names (device_id int, value int)")
    with pytest.raises(TailraceError, match=r"Column 'devce_id' could not be resolved \(did") as column:
        engine.ddl("CREATE MATERIALIZED VIEW v AS SELECT devce_id FROM readings_of_names")
    assert (column.value.sqlstate, column.value.hint) == ("42703", "did you mean device_id?")
    with pytest.raises(TailraceError, match="does not exist") as relation:
        engine.ddl("CREATE MATERIALIZED VIEW v AS SELECT value FROM reading_of_names")
    assert str(relation.value.hint).startswith("did you mean readings_of_names?")
