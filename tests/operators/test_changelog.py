"""AS CHANGELOG: every change of a relation as a row, in views of one relation and of two."""

from __future__ import annotations

from tests.support.flow import FlowUnderTest


def test_each_change_is_a_row(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (k int PRIMARY KEY, v int)")
    engine.settle("INSERT INTO t VALUES (1, 1)")
    engine.ddl(
        "CREATE MATERIALIZED VIEW c AS WITH x AS CHANGELOG FROM t SELECT * FROM x",
        "CREATE MATERIALIZED VIEW d AS WITH x AS CHANGELOG FROM public.t SELECT y.*, _changelog_row_id AS n FROM x AS y",
    )
    engine.settle("INSERT INTO t VALUES (2, 2)")
    engine.settle("UPDATE t SET v = 10 WHERE k = 1", "DELETE FROM t WHERE k = 2")
    engine.settle("INSERT INTO t VALUES (3, 3)", "DELETE FROM t WHERE k = 3")  # nothing in the end
    wanted = [(1, 1, 1), (1, 1, 4), (1, 10, 3), (2, 2, 1), (2, 2, 2)]
    assert sorted(engine.rows("SELECT * FROM c")) == wanted
    assert sorted(engine.rows("SELECT k, v, changelog_op FROM d")) == wanted
    assert engine.rows("SELECT k, v FROM d ORDER BY n") == [(1, 1), (2, 2), (1, 1), (1, 10), (2, 2)]


def test_of_a_view_and_joined(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (g int, v int)",
        "CREATE MATERIALIZED VIEW s AS SELECT g, sum(v)::int AS n FROM t GROUP BY g",
        "CREATE MATERIALIZED VIEW j AS WITH a AS CHANGELOG FROM s, b AS CHANGELOG FROM t "
        "SELECT a.g, a.n, a.changelog_op AS x, b.v, b.changelog_op AS y FROM a JOIN b ON a.g = b.g",
    )
    engine.settle("INSERT INTO t VALUES (1, 5)")
    engine.settle("INSERT INTO t VALUES (1, 6)")
    assert sorted(engine.rows("SELECT * FROM j")) == sorted(
        [(1, n, x, v, 1) for v in (5, 6) for n, x in ((5, 1), (5, 4), (11, 3))]
    )


def test_sinks_take_it(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (k int PRIMARY KEY, v int)",
        "CREATE TABLE kept (k int, v int, op smallint)",
        "CREATE SINK s INTO kept AS WITH x AS CHANGELOG FROM t SELECT k, v, changelog_op FROM x WITH (type = 'append-only')",
    )
    engine.settle("INSERT INTO t VALUES (1, 1)")
    engine.settle("DELETE FROM t")
    engine.barrier()
    assert sorted(engine.rows("SELECT * FROM kept")) == [(1, 1, 1), (1, 1, 2)]
