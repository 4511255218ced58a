"""WITH (retention_seconds = n): old rows go, and nothing that was derived from them changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from engine.flow import retention
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tests.support.flow import FlowUnderTest

HOUR_S = 3600


def expire_after(engine: FlowUnderTest, seconds: float, max_rows: int = retention.MAX_ROWS) -> int:
    """Let time pass for the retention; rows carry PostgreSQL's own time of writing."""
    with engine.flow.connection.transaction():
        engine.flow.connection.execute("SET LOCAL tailrace.expiring = 'on'")
        now = datetime.now(UTC) + timedelta(seconds=seconds)
        return retention.expire(engine.flow.connection, engine.flow.catalog, now, max_rows)


def test_rows_of_an_append_only_table_go_and_counts_stay(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (k int, v int) APPEND ONLY WITH (retention_seconds = 3600)",
        "CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n, max(v) AS most FROM t",
        "CREATE MATERIALIZED VIEW copied AS SELECT k FROM t",
    )
    engine.settle("INSERT INTO t VALUES (1, 10), (2, 20)")
    assert expire_after(engine, HOUR_S - 60) == 0
    assert expire_after(engine, HOUR_S + 60) == 2
    engine.barrier()
    assert engine.rows("SELECT * FROM t") == []
    assert engine.rows("SELECT n, most FROM counted") == [(2, 20)]
    assert engine.rows("SELECT k FROM copied ORDER BY k") == [(1,), (2,)]
    engine.settle("INSERT INTO t VALUES (3, 5)")
    assert engine.rows("SELECT n, most FROM counted") == [(3, 20)]
    engine.ddl("CREATE MATERIALIZED VIEW later AS SELECT count(*) AS n FROM t")
    assert engine.rows("SELECT n FROM later") == [(1,)]  # begins with what is there


def test_a_row_that_waits_for_its_barrier_is_not_lost(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (k int) APPEND ONLY WITH (retention_seconds = 1)",
        "CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM t",
    )
    engine.run("INSERT INTO t VALUES (1)")
    assert expire_after(engine, 10) == 1
    engine.barrier()
    assert engine.rows("SELECT n FROM counted") == [(1,)]


def test_clients_still_cannot_delete(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (k int) APPEND ONLY WITH (retention_seconds = 1)")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="DELETE of an append-only table"):
        engine.run("DELETE FROM t")


def test_a_view_forgets_together_with_what_its_operators_remember(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (id int, v int) APPEND ONLY",
        "CREATE MATERIALIZED VIEW firsts WITH (retention_seconds = 3600) AS SELECT DISTINCT ON (id) id, v FROM t",
        "CREATE MATERIALIZED VIEW copies WITH (retention_seconds = 3600) AS "
        "SELECT id, count(*) AS n FROM t GROUP BY id HAVING count(*) > 1",
        "CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS n FROM firsts",
        "CREATE MATERIALIZED VIEW surplus AS SELECT coalesce(sum(n - 1), 0)::bigint AS n FROM copies",
    )
    engine.settle("INSERT INTO t VALUES (1, 1), (1, 2), (2, 1)")
    engine.settle("INSERT INTO t VALUES (1, 3)")
    assert engine.rows("SELECT n FROM kept") == [(2,)]
    assert engine.rows("SELECT n FROM surplus") == [(2,)]
    assert expire_after(engine, HOUR_S + 60) > 0
    assert engine.rows("SELECT * FROM firsts") == []
    assert engine.rows("SELECT * FROM copies") == []
    engine.settle("INSERT INTO t VALUES (1, 4), (1, 5), (3, 1)")  # 1 counts anew
    assert engine.rows("SELECT id, v FROM firsts ORDER BY id") == [(1, 4), (3, 1)]
    assert engine.rows("SELECT n FROM kept") == [(4,)]
    assert engine.rows("SELECT n FROM surplus") == [(3,)]  # 7 rows: 4 kept, 3 surplus
    assert engine.rows("SELECT count(*) FROM t") == [(7,)]


def test_windows_go_and_what_was_summed_over_them_stays(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (k int, at timestamptz, v double precision) APPEND ONLY",
        "CREATE MATERIALIZED VIEW windows WITH (retention_seconds = 3600) AS SELECT k, window_start, count(*) AS n, "
        "sum(v) AS total FROM TUMBLE(t, at, INTERVAL '10 seconds') GROUP BY k, window_start",
        "CREATE MATERIALIZED VIEW overall AS SELECT k, sum(n)::bigint AS n FROM windows GROUP BY k",
    )
    engine.settle("INSERT INTO t VALUES (1, '2026-01-01 00:00:01Z', 1.5), (1, '2026-01-01 00:00:02Z', 2)")
    engine.settle("INSERT INTO t VALUES (1, '2026-01-01 00:00:03Z', 1)")
    assert engine.rows("SELECT n, total FROM windows") == [(3, 4.5)]
    assert expire_after(engine, HOUR_S + 60) == 1
    engine.settle("INSERT INTO t VALUES (1, '2026-01-01 00:00:04Z', 7)")  # very late
    assert engine.rows("SELECT n, total FROM windows") == [(1, 7.0)]
    assert engine.rows("SELECT n FROM overall") == [(4,)]


@pytest.mark.parametrize("batches", [1, 5])
def test_the_work_of_one_call_is_bounded(engine: FlowUnderTest, batches: int) -> None:
    """Also where one transaction wrote more than a call may delete."""
    engine.ddl("CREATE TABLE t (k int) APPEND ONLY WITH (retention_seconds = 3600)")
    for _ in range(batches):
        engine.settle(f"INSERT INTO t SELECT generate_series(1, {200 // batches})")
    deleted = [expire_after(engine, HOUR_S + 60, max_rows=50) for _ in range(6)]
    assert sum(deleted) == 200
    assert max(deleted) <= 50
    assert deleted[4:] == [0, 0] or batches == 5


def test_the_index_by_time_is_used(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (k int) APPEND ONLY WITH (retention_seconds = 3600)")
    (table,) = engine.flow.catalog.of_kind("table")
    plan = engine.flow.connection.execute(
        f"EXPLAIN DELETE FROM engine.table_{table.id} WHERE _written < now() - interval '1 hour'"
    ).fetchall()
    assert "Index" in str(plan)
    assert "Seq Scan" not in str(plan)


def test_the_flow_expires_by_itself(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (k int) APPEND ONLY WITH (retention_seconds = 60)")
    engine.settle("INSERT INTO t VALUES (1)")
    before = engine.clock.now
    try:
        engine.clock.now = datetime.now(UTC) + timedelta(seconds=30)
        assert engine.flow.expire() == 0
        engine.clock.now += timedelta(seconds=60)
        assert engine.flow.expire() == 1
    finally:
        engine.clock.now = before


def test_rows_held_until_their_window_closes_do_not_expire(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (k int) APPEND ONLY")
    with pytest.raises(UnsupportedFeature, match="emits on window close"):
        engine.ddl(
            "CREATE MATERIALIZED VIEW v WITH (retention_seconds = 60) AS SELECT k FROM t EMIT ON WINDOW CLOSE"
        )


@pytest.mark.parametrize("value", ["0", "-5", "'1 hour'", "1.5"])
def test_a_value_that_is_no_number_of_seconds(engine: FlowUnderTest, value: str) -> None:
    with pytest.raises(InvalidStatement, match="retention_seconds must be a number of seconds"):
        engine.ddl(f"CREATE TABLE t (k int) APPEND ONLY WITH (retention_seconds = {value})")


def test_a_table_whose_rows_may_change_is_refused(engine: FlowUnderTest) -> None:
    with pytest.raises(UnsupportedFeature, match="retention_seconds on a table that is not append-only"):
        engine.ddl("CREATE TABLE t (k int PRIMARY KEY) WITH (retention_seconds = 5)")


def test_dropping_leaves_nothing(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (k int) APPEND ONLY WITH (retention_seconds = 5)",
        "CREATE MATERIALIZED VIEW v WITH (retention_seconds = 5) AS SELECT k FROM t",
        "DROP TABLE t CASCADE",
    )
    assert expire_after(engine, 100) == 0


@pytest.mark.parametrize(
    "query",
    [
        "SELECT v, count(*) AS n FROM kept GROUP BY v",
        "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY v ORDER BY k) AS rn FROM kept) AS r WHERE rn <= 2",
    ],
)
def test_a_view_over_rows_that_may_change_is_refused(engine: FlowUnderTest, query: str) -> None:
    """Its group, once forgotten, would fall below zero at a retraction."""
    engine.ddl("CREATE TABLE kept (k int PRIMARY KEY, v int)")
    with pytest.raises(UnsupportedFeature, match="aggregates or ranks rows that may change"):
        engine.ddl(f"CREATE MATERIALIZED VIEW v WITH (retention_seconds = 5) AS {query}")
    engine.ddl(f"CREATE MATERIALIZED VIEW v AS {query}")


def test_what_an_operator_stands_by_does_not_age(engine: FlowUnderTest) -> None:
    """The total that rows are compared with, and the bound of the barrier before, outlive the rows themselves."""
    engine.ddl(
        "CREATE TABLE clock (k int PRIMARY KEY, at int)",
        "CREATE TABLE t (k int, v int) APPEND ONLY",
        "CREATE MATERIALIZED VIEW passed WITH (retention_seconds = 3600) AS SELECT k, v FROM t "
        "WHERE v < (SELECT max(at) FROM clock)",
        "CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM passed",
    )
    engine.settle("INSERT INTO clock VALUES (1, 10)", "INSERT INTO t VALUES (1, 5), (2, 15)")
    assert engine.rows("SELECT k FROM passed") == [(1,)]
    assert expire_after(engine, HOUR_S + 60) > 0
    engine.settle("INSERT INTO t VALUES (3, 7), (4, 17)")
    assert engine.rows("SELECT k FROM passed") == [(3,)]
    engine.settle("UPDATE clock SET at = 20")
    assert engine.rows("SELECT k FROM passed ORDER BY k") == [
        (2,),
        (3,),
        (4,),
    ]  # 2 waited in t, which keeps its rows
    assert engine.rows("SELECT n FROM counted") == [(4,)]
