"""ALTER TABLE ... ALTER COLUMN ... TYPE: values follow by the names of fields, what was built on the table keeps its columns."""

from __future__ import annotations

import pytest

from tailrace.errors import TailraceError
from tests.support.flow import FlowUnderTest


def test_older_views_stay_equal_to_their_queries(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (k int PRIMARY KEY, g int, v struct<a int, b varchar>)",
        "CREATE TABLE u (g int, n int)",
        "CREATE VIEW plain AS SELECT k, (v).b AS b FROM t",
    )
    engine.view("joined", "SELECT t.k, (t.v).a AS a, u.n FROM t JOIN u ON t.g = u.g")
    engine.view("sums", "SELECT g, sum((v).a) AS s, max((v).b) AS m FROM t GROUP BY g")
    engine.view("temporal", "SELECT u.n, (t.v).a AS a FROM u JOIN t ON u.g = t.k")
    engine.settle(
        "INSERT INTO u VALUES (1, 10), (2, 20)",
        "INSERT INTO t VALUES (1, 1, ROW(1, 'x')), (2, 2, ROW(2, 'y'))",
    )
    engine.ddl("ALTER TABLE t ALTER COLUMN v TYPE struct<c real, b varchar, a int>")
    engine.view("later", "SELECT g, sum((v).c) AS c FROM t GROUP BY g")
    engine.settle(
        "INSERT INTO t VALUES (3, 1, ROW(0.5, 'z', 3))",
        "DELETE FROM t WHERE k = 1",
        "INSERT INTO u VALUES (3, 30)",
    )
    engine.check()
    engine.ddl("ALTER TABLE t ALTER COLUMN v SET DATA TYPE struct<a int, b varchar, c real, d struct<e int>>")
    engine.view("last", "SELECT k, ((v).d).e AS e FROM t")
    engine.reopen()
    engine.settle("INSERT INTO t VALUES (4, 2, ROW(4, 'w', 1.5, ROW(7)))", "UPDATE t SET g = 1 WHERE k = 2")
    engine.check()
    assert engine.rows("SELECT * FROM plain ORDER BY k") == [(2, "y"), (3, "z"), (4, "w")]
    engine.ddl("ALTER TABLE t ADD COLUMN more int", "DROP TABLE t CASCADE")
    assert engine.rows("SELECT count(*) FROM pg_views WHERE viewname LIKE 'shape%'") == [(0,)]


def test_nobody_reads_it_then_fields_may_go(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (k int, v struct<a int, b varchar>[] NOT NULL)")
    engine.settle("INSERT INTO t VALUES (1, '{\"(1,x)\",NULL}'), (2, '{}')")
    engine.ddl("ALTER TABLE t ALTER v TYPE struct<b varchar>[]")
    assert engine.rows("SELECT k, v::text FROM t ORDER BY k") == [(1, "{(x),NULL}"), (2, "{}")]
    definition = engine.flow.catalog.by_name("t").definition  # type: ignore[union-attr]
    assert definition == "CREATE TABLE t (k int, v struct<b varchar>[] NOT NULL)"
    engine.view("copy", "SELECT k, v FROM t")
    engine.settle("INSERT INTO t VALUES (3, '{}')")
    engine.check()


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ("k TYPE bigint", "only types containing struct can be altered"),
        ("v TYPE struct<a varchar>", 'incompatible data type change from Int32 to Varchar at path "v.a"'),
        ("v TYPE struct<a int>[]", "incompatible data type change from Struct to List"),
        ("v TYPE struct<c int>", "taking a field away .* while mv reads it is not supported"),
        ("nothing TYPE int", "does not exist"),
        ("v SET DEFAULT ROW(1)", "ALTER COLUMN ... SET DEFAULT is not supported"),
    ],
)
def test_what_is_refused(engine: FlowUnderTest, clause: str, message: str) -> None:
    engine.ddl(
        "CREATE TABLE t (k int, v struct<a int>)", "CREATE MATERIALIZED VIEW mv AS SELECT (v).a FROM t"
    )
    with pytest.raises(TailraceError, match=message):
        engine.ddl(f"ALTER TABLE t ALTER COLUMN {clause}")
    engine.settle("INSERT INTO t VALUES (1, ROW(1))")
    assert engine.rows("SELECT * FROM mv") == [(1,)]
