"""Watermarks of tables: late rows are left out of the table and of its readers, and windows close by them."""

from __future__ import annotations

import pytest

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
