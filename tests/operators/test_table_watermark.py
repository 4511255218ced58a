"""Watermarks of tables: late rows are left out of the table and of its readers, and windows close by them."""

from __future__ import annotations

import pytest

from engine.flow import retention
from tailrace.errors import InvalidStatement
from tests.support.flow import FlowUnderTest

LOG = "CREATE TABLE log (k int, ts int, WATERMARK FOR ts AS ts - 10) APPEND ONLY"


def test_late_rows_are_left_out(engine: FlowUnderTest) -> None:
    engine.ddl(LOG, "CREATE MATERIALIZED VIEW v AS SELECT * FROM log")
    engine.settle("INSERT INTO log VALUES (1, 5), (2, 30)")  # together: none is late yet
    engine.settle("INSERT INTO log VALUES (3, 19), (4, 20)")
    assert sorted(engine.rows("SELECT * FROM v")) == [(1, 5), (2, 30), (4, 20)]
    assert sorted(engine.rows("SELECT * FROM log")) == [(1, 5), (2, 30), (4, 20)]


def test_the_watermark_outlives_the_flow(engine: FlowUnderTest) -> None:
    engine.ddl(LOG, "CREATE MATERIALIZED VIEW v AS SELECT k FROM log")
    engine.settle("INSERT INTO log VALUES (1, 30)")
    engine.reopen()
    engine.settle("INSERT INTO log VALUES (2, 19), (3, 21)")
    assert sorted(engine.rows("SELECT * FROM v")) == [(1,), (3,)]


def test_it_closes_windows(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (ts timestamp, n int, WATERMARK FOR ts AS ts - INTERVAL '5 minutes') APPEND ONLY",
        "CREATE MATERIALIZED VIEW v AS SELECT window_start, sum(n) AS n FROM TUMBLE(t, ts, INTERVAL '1 hour') "
        "GROUP BY window_start EMIT ON WINDOW CLOSE",
    )
    engine.settle("INSERT INTO t VALUES ('2026-01-01 10:10', 1), ('2026-01-01 10:50', 2)")
    engine.settle("INSERT INTO t VALUES ('2026-01-01 11:04', 4)")
    assert engine.rows("SELECT * FROM v") == []
    engine.settle("INSERT INTO t VALUES ('2026-01-01 11:05', 8)")
    assert engine.rows("SELECT n FROM v") == [(3,)]
    shown = engine.rows(
        "SELECT relation, watermark = '2026-01-01 11:00:00+00' FROM rw_catalog.rw_watermarks WHERE relation = 't'"
    )
    assert shown == [("t", True)]


def test_with_ttl_what_lies_below_is_done_with(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (k int PRIMARY KEY, ts int, v int, WATERMARK FOR ts AS ts - 10 WITH TTL)",
        "CREATE MATERIALIZED VIEW v AS SELECT * FROM t",
        "CREATE MATERIALIZED VIEW c AS SELECT count(*) AS n, sum(v) AS s FROM t",
    )
    engine.settle("INSERT INTO t VALUES (1, 5, 1), (2, 20, 2)")
    engine.settle("INSERT INTO t VALUES (1, 6, 100), (2, 4, 200), (3, 15, 3)")  # 1: no change at all, 2: goes
    assert sorted(engine.rows("SELECT * FROM v")) == [(1, 5, 1), (3, 15, 3)]
    engine.settle("INSERT INTO t VALUES (1, 18, 10)")  # another row than the forgotten one
    engine.settle("DELETE FROM t WHERE k = 3")
    assert sorted(engine.rows("SELECT * FROM v")) == [(1, 5, 1), (1, 18, 10)]
    assert engine.rows("SELECT n, s::int FROM c") == [(2, 11)]


TTL = "CREATE TABLE t (k int PRIMARY KEY, ts int, v int, WATERMARK FOR ts AS ts - 10 WITH TTL)"


def test_with_ttl_the_table_itself_is_cleaned(engine: FlowUnderTest) -> None:
    engine.ddl(
        TTL,
        "CREATE MATERIALIZED VIEW v AS SELECT k, ts FROM t",
        "CREATE MATERIALIZED VIEW s AS SELECT ts, sum(v) AS s FROM t GROUP BY ts",
    )
    connection, catalog = engine.flow.connection, engine.flow.catalog
    assert retention.clean(connection, catalog) == 0  # there is no watermark yet
    engine.settle("INSERT INTO t VALUES (1, 5, 1), (2, 20, 2), (3, 6, 3), (4, 10, 4)")
    assert retention.clean(connection, catalog, max_rows=1) == 1
    assert retention.clean(connection, catalog) == 1
    assert sorted(engine.rows("SELECT k FROM t")) == [(2,), (4,)]
    engine.barrier()
    assert sorted(engine.rows("SELECT * FROM v")) == [(1, 5), (2, 20), (3, 6), (4, 10)]
    assert sorted(engine.rows("SELECT ts, s::int FROM s")) == [(5, 1), (6, 3), (10, 4), (20, 2)]
    engine.settle("INSERT INTO t VALUES (1, 30, 7)")  # a new row: the old one is forgotten, not taken back
    engine.settle("UPDATE t SET v = 8 WHERE k = 1", "DELETE FROM t WHERE k = 2")
    assert sorted(engine.rows("SELECT * FROM v")) == [(1, 5), (1, 30), (3, 6), (4, 10)]
    assert retention.clean(connection, catalog) == 1
    engine.ddl("CREATE MATERIALIZED VIEW later AS SELECT k FROM t")
    assert engine.rows("SELECT k FROM later") == [(1,)]


def test_a_table_that_a_join_looks_into_is_not_cleaned(engine: FlowUnderTest) -> None:
    engine.ddl(
        TTL,
        "CREATE TABLE u (k int PRIMARY KEY, n int)",
        "CREATE MATERIALIZED VIEW j AS SELECT t.k, u.n FROM t JOIN u ON t.k = u.k",
    )
    engine.settle("INSERT INTO t VALUES (1, 5, 1), (2, 20, 2)", "INSERT INTO u VALUES (1, 10)")
    assert retention.clean(engine.flow.connection, engine.flow.catalog) == 0
    engine.settle("DELETE FROM u")
    assert engine.rows("SELECT * FROM j") == []
    engine.ddl("DROP MATERIALIZED VIEW j")
    assert retention.clean(engine.flow.connection, engine.flow.catalog) == 1


@pytest.mark.parametrize(
    ("ddl", "said"),
    [
        (
            "CREATE TABLE t (a int, ts timestamp, WATERMARK FOR ts AS ts)",
            "requires the table to be append only",
        ),
        (
            "CREATE TABLE t (a int, WATERMARK FOR a AS to_timestamp(a)) APPEND ONLY",
            "`timestamp with time zone`, column `integer`",
        ),
        ("CREATE TABLE t (a int, WATERMARK FOR b AS a) APPEND ONLY", '"b" is not found'),
    ],
)
def test_refusals(engine: FlowUnderTest, ddl: str, said: str) -> None:
    with pytest.raises(InvalidStatement, match=said):
        engine.ddl(ddl)
