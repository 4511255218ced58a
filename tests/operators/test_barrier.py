"""The barrier around the operators: poison rows, wide rows, slow transactions, views made while clients write."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from engine.ddl.context import DdlContext
from engine.flow import barrier, deltas, session, statements
from engine.flow.session import FencedError
from tests.support.flow import FlowUnderTest


def _poisoned(engine: FlowUnderTest) -> list[tuple[Any, ...]]:
    return engine.rows("SELECT source_name, sqlstate FROM rw_catalog.rw_poison_rows ORDER BY seen_at")


def _forget_poison(engine: FlowUnderTest) -> None:
    """What other tests of this database have left behind."""
    engine.flow.connection.execute("DELETE FROM engine.poison_rows; DELETE FROM engine.event_logs")


def test_overflow_sets_the_row_aside_and_the_rest_goes_on(engine: FlowUnderTest) -> None:
    _forget_poison(engine)
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b int)", "CREATE TABLE u (id int PRIMARY KEY, a int)"
    )
    engine.view("products", "SELECT id, a * b AS p FROM t")
    engine.view("pairs", "SELECT t.id, u.id AS other FROM t JOIN u ON t.a = u.a")
    engine.run("INSERT INTO u VALUES (1, 2), (2, 7)")
    engine.run("INSERT INTO t VALUES (1, 2, 3), (2, 2000000000, 2000000000), (3, 7, 7), (4, 7, 8)")
    engine.barrier()
    assert engine.rows("SELECT * FROM products ORDER BY id") == [(1, 6), (3, 49), (4, 56)]
    engine.check("pairs")
    assert _poisoned(engine) == [("t", "22003")]
    engine.settle("INSERT INTO t VALUES (5, 1, 1)", "DELETE FROM t WHERE id = 2")
    engine.check()
    assert (
        engine.rows("SELECT event_type FROM rw_catalog.rw_event_logs WHERE event_type LIKE 'STREAM%'") == []
    )


def test_a_view_over_time_moves_on_beside_a_poison_row(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, a int, ts timestamptz)")
    engine.view("recent", "SELECT id FROM t WHERE ts > now() - INTERVAL '10 seconds'")
    engine.view("closed", "SELECT id FROM t WHERE ts < now() - INTERVAL '10 seconds'")
    engine.view("squares", "SELECT id, a * a AS s FROM t")
    engine.settle("INSERT INTO t VALUES (1, 1, '2026-01-01Z'), (2, 2, '2026-01-01 00:00:15Z')")
    assert engine.flow.barrier_time is not None
    engine.run(
        "INSERT INTO t SELECT 10 + i, CASE WHEN i = 3 THEN 2000000000 ELSE i END,"
        " %s::timestamptz + i * interval '3 seconds' FROM generate_series(-5, 5) AS i",
        engine.flow.barrier_time,
    )
    engine.barrier(11)
    engine.settle("DELETE FROM t WHERE id = 13")
    engine.check()
    engine.barrier(11)
    engine.check()


def test_values_no_client_can_hold_survive_the_search_for_poison(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, a int, ts timestamptz, j jsonb, b bytea)")
    engine.view("all_rows", "SELECT id, a * a AS s, ts::varchar AS ts, j, b FROM t")
    engine.settle(
        "INSERT INTO t VALUES (1, 1, 'infinity', '{\"k\": [1, null]}', '\\x00ff'), (2, 1, '20000-01-01', NULL, NULL),"
        " (3, 2000000000, NULL, NULL, NULL)"
    )
    assert [r[0] for r in engine.rows("SELECT id FROM all_rows ORDER BY id")] == [1, 2]
    engine.settle("DELETE FROM t WHERE id = 3")
    engine.check()


def test_a_row_over_8_kb_widens_the_delta_tables(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, body varchar)")
    engine.view("bodies", "SELECT id, body, length(body) AS n FROM t")
    engine.view("sizes", "SELECT max(length(body)) AS n FROM t")
    engine.run("INSERT INTO t SELECT 1, string_agg(md5(i::text), '') FROM generate_series(1, 600) AS i")
    engine.settle("INSERT INTO t VALUES (2, 'short')")
    engine.check()
    assert engine.rows("SELECT n FROM sizes") == [(19200,)]
    engine.settle("DELETE FROM t WHERE id = 1")
    engine.check()


def test_a_slow_transaction_is_not_lost(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, g int)", "CREATE TABLE log (g int) APPEND ONLY")
    engine.view("groups", "SELECT g, count(*) AS n FROM t GROUP BY g")
    engine.view("logged", "SELECT g FROM log")
    with engine.another_client() as slow:
        with slow.transaction():
            slow.execute("INSERT INTO log VALUES (1)")
            slow.execute("INSERT INTO t VALUES (1, 1)")
            engine.settle("INSERT INTO log VALUES (2)")
            engine.check()
        with slow.transaction():
            slow.execute("UPDATE t SET g = 2")
            engine.barrier()
            engine.check()
    engine.barrier()
    engine.check()
    assert engine.rows("SELECT * FROM groups") == [(2, 1)]


def test_a_view_made_while_a_client_commits_has_neither_gap_nor_overlap(
    engine: FlowUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, g int)")
    engine.settle("INSERT INTO t VALUES (1, 1)")
    before = barrier.Flow.barrier

    def overtaken(flow: barrier.Flow, *arguments: Any) -> barrier.BarrierResult:
        result = before(flow, *arguments)
        engine.run("INSERT INTO t VALUES (2, 1), (1, 5)")
        return result

    with monkeypatch.context() as patched:
        patched.setattr(barrier.Flow, "barrier", overtaken)
        engine.view("groups", "SELECT g, count(*) AS n FROM t GROUP BY g")
    engine.check()
    engine.barrier()
    engine.check()


def test_a_failed_statement_leaves_nothing(engine: FlowUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, g int)")
    engine.settle("INSERT INTO t VALUES (1, 1)")

    def fail(context: DdlContext, *_: object) -> None:
        context.execute("CREATE TABLE engine.half (a int)")
        engine.run("INSERT INTO t VALUES (2, 2)")
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(statements.commands, "execute", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            engine.ddl("CREATE TABLE v (id int)")
    engine.view("copies", "SELECT * FROM t")
    engine.settle("INSERT INTO t VALUES (3, 3)")
    engine.check()


def test_another_flow_is_fenced_off(engine: FlowUnderTest) -> None:
    with pytest.raises(FencedError):
        barrier.Flow.open(engine.server.dsn(dbname=engine.database), engine.clock)


def test_state_survives_a_new_session(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, g int, ts timestamptz)")
    engine.view("groups", "SELECT g, count(*) AS n, min(id) AS m FROM t GROUP BY g")
    engine.view("recent", "SELECT id FROM t WHERE ts > now() - INTERVAL '10 seconds'")
    engine.settle("INSERT INTO t VALUES (1, 1, '2026-01-01Z'), (2, 1, '2027-01-01Z')")
    engine.run("INSERT INTO t VALUES (3, 2, '2026-01-01 00:00:08Z')")
    engine.reopen()
    engine.barrier(5)
    engine.check()
    engine.barrier(10)
    engine.check()


def test_a_new_session_goes_on_where_the_old_one_stood(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, a int)")
    engine.view("sums", "SELECT a % 2 AS g, sum(a) AS s FROM t GROUP BY a % 2")
    engine.settle("INSERT INTO t VALUES (1, 1), (2, 2)")
    engine.run("INSERT INTO t VALUES (3, 3)")  # waits for the barrier in the new session
    old = engine.flow.connection
    engine.flow.renew_session()
    assert old.closed and engine.flow.connection is not old
    with pytest.raises(FencedError):
        barrier.Flow.open(engine.server.dsn(dbname=engine.database), engine.clock)
    engine.barrier()
    engine.check()
    engine.view("counts", "SELECT count(*) AS n FROM t")
    engine.settle("DELETE FROM t WHERE id = 1")
    engine.check()


def test_a_flow_whose_lock_is_taken_meanwhile_stops(
    engine: FlowUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(engine.server.dsn(dbname=engine.database), autocommit=True) as other:

        def overtaken(old: session.Connection) -> None:
            unlock(old)
            session.lock(other)

        unlock = session.unlock
        monkeypatch.setattr(barrier, "unlock", overtaken)
        with pytest.raises(FencedError):
            engine.flow.renew_session()
        session.unlock(other)
        session.lock(engine.flow.connection)
    engine.barrier()


def test_what_is_dropped_leaves_no_plans_in_the_session(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, a int)")
    plans = "SELECT sum(total_bytes)::int FROM pg_backend_memory_contexts WHERE name LIKE 'CachedPlan%'"

    def held() -> int:
        for number in range(3):
            engine.view(f"v{number}", "SELECT a, count(*) AS n, max(id) AS m FROM t GROUP BY a")
            engine.settle(f"INSERT INTO t VALUES ({number}, 1)")
            engine.ddl(f"DROP MATERIALIZED VIEW v{number}")
        return int(engine.flow.connection.execute(plans).fetchall()[0][0])

    held()
    before = held()
    assert held() < before + 50_000


def test_a_session_is_renewed_when_it_has_grown(
    engine: FlowUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LOOK_EVERY", 2)
    held = iter((10 << 20, 12 << 20, (21 << 20) + session.SPARE_BYTES))
    monkeypatch.setattr(session, "held_bytes", lambda _connection: next(held))
    growth = session.Growth()
    looks = [growth.is_due(engine.flow.connection) for _ in range(6)]
    assert looks == [False, False, False, False, False, True]


def _id(engine: FlowUnderTest, name: str) -> int:
    item = engine.flow.catalog.by_name(name)
    assert item is not None
    return item.id


def test_a_commit_just_before_the_snapshot_is_not_counted_twice(
    engine: FlowUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The barrier has heard of one side of the join only; the other side's storage shows its new row already."""
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, g int)", "CREATE TABLE u (id int PRIMARY KEY, g int)")
    engine.view("pairs", "SELECT count(*) AS n FROM t JOIN u ON t.g = u.g")
    engine.view("others", "SELECT count(*) AS n FROM u")
    engine.run("INSERT INTO t VALUES (1, 1)")
    begin = barrier.Flow._begin

    def overtaken(flow: barrier.Flow, *arguments: Any, **options: Any) -> Any:
        engine.run("INSERT INTO u VALUES (1, 1)")
        return begin(flow, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(barrier.Flow, "_begin", overtaken)
        engine.flow.barrier(tables=[_id(engine, "t")])
    engine.check()
    engine.barrier()
    engine.check()


def test_a_statement_settles_what_it_reads_and_no_more(
    engine: FlowUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, g int)", "CREATE TABLE u (id int PRIMARY KEY, g int)")
    engine.view("sums", "SELECT g, sum(id) AS s FROM t GROUP BY g")
    engine.view("others", "SELECT count(*) AS n FROM u")
    before = barrier.Flow.barrier

    def overtaken(flow: barrier.Flow, *arguments: Any) -> barrier.BarrierResult:
        result = before(flow, *arguments)
        engine.run("INSERT INTO t VALUES (1, 1)")
        engine.run("INSERT INTO u VALUES (1, 1)")
        return result

    with monkeypatch.context() as patched:
        patched.setattr(barrier.Flow, "barrier", overtaken)
        engine.view("most", "SELECT max(s) AS s FROM sums")
    engine.check("sums", "most")
    assert engine.rows("SELECT n FROM others") == [(0,)]
    engine.barrier()
    engine.check()


def test_a_barrier_asks_postgresql_no_more_the_more_objects_there_are(
    engine: FlowUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []
    execute = psycopg.Connection.execute

    def counted(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        if self is engine.flow.connection:
            statements.append(str(query))
        return execute(self, query, *arguments, **options)

    def asked() -> tuple[int, int]:
        """Statements of a second barrier over a change of one table, and of one that finds nothing."""
        engine.settle("INSERT INTO t0 SELECT max(id) + 1, 1 FROM t0")
        counts = []
        for change in ("INSERT INTO t0 SELECT max(id) + 1, 1 FROM t0", None):
            statements.clear()
            if change:
                engine.run(change)
            engine.barrier()
            counts.append(len(statements))
        return counts[0], counts[1]

    def grow(first: int, last: int) -> None:
        for number in range(first, last):
            engine.ddl(f"CREATE TABLE t{number} (id int PRIMARY KEY, g int)")
            engine.view(f"v{number}", f"SELECT g, count(*) AS n FROM t{number} GROUP BY g")
            engine.run(f"INSERT INTO t{number} VALUES (1, 1)")

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Connection, "execute", counted)
        grow(0, 2)
        few = asked()
        grow(2, 40)
        engine.barrier()
        assert asked() == few
    engine.check()
    for number in range(10):
        engine.ddl(f"CREATE VIEW w{number} AS SELECT 1 AS a")
    held = "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'"
    assert engine.flow.connection.execute(held).fetchall()[0][0] <= 2 * deltas.KEPT, (
        "delta tables of 80 objects"
    )
    engine.settle(*(f"INSERT INTO t{number} VALUES (2, 2)" for number in range(40)))
    engine.check()


_FAILING = """
CREATE OR REPLACE FUNCTION engine.step_{id}(barrier_now timestamptz, barrier_last timestamptz, initial boolean, emit boolean)
RETURNS bigint LANGUAGE plpgsql AS $step$ BEGIN
    IF {when} THEN RAISE EXCEPTION 'a weight of 3000000000' USING ERRCODE = '22003'; END IF; RETURN 0;
END $step$
"""


def _break(engine: FlowUnderTest, view: str, when: str) -> None:
    """Let the view's step fail where a condition holds."""
    statement = _FAILING.format(id=_id(engine, view), when=when)
    engine.flow.connection.execute(statement.encode())


def _events(engine: FlowUnderTest) -> list[tuple[Any, ...]]:
    return engine.rows("SELECT event_type, info ->> 'name' FROM rw_catalog.rw_event_logs")


def test_a_step_that_fails_without_rows_stops_its_view_and_sets_none_aside(engine: FlowUnderTest) -> None:
    _forget_poison(engine)
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, g int)")
    engine.view("counts", "SELECT g, count(*) AS n FROM t GROUP BY g")
    engine.view("sums", "SELECT g, sum(id) AS s FROM t GROUP BY g")
    engine.view("most", "SELECT max(n) AS n FROM counts")
    engine.settle("INSERT INTO t VALUES (1, 1)")
    _break(engine, "counts", "true")
    engine.settle("INSERT INTO t VALUES (2, 1), (3, 7), (4, 7)", "UPDATE t SET g = 7 WHERE id = 1")
    engine.check("sums")
    assert engine.rows("SELECT n FROM most") == [(1,)]
    assert _poisoned(engine) == []
    assert _events(engine) == [("STREAM_JOB_FAIL", "counts")]
    engine.reopen()
    engine.settle("DELETE FROM t WHERE id = 3")
    engine.check("sums")
    engine.ddl("DROP MATERIALIZED VIEW counts CASCADE")
    for name in ("counts", "most"):
        engine.view(name, engine.queries[name])
    engine.settle("INSERT INTO t VALUES (5, 7)")
    engine.check()


def test_a_row_that_only_the_step_fails_on_is_told_as_a_defect(engine: FlowUnderTest) -> None:
    _forget_poison(engine)
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, g int)")
    engine.view("counts", "SELECT g, count(*) AS n FROM t GROUP BY g")
    engine.view("sums", "SELECT g, sum(id) AS s FROM t GROUP BY g")
    _break(engine, "counts", f"EXISTS (SELECT FROM pg_temp.delta_{_id(engine, 't')} WHERE g = 7)")
    engine.settle("INSERT INTO t VALUES (2, 1), (3, 7), (4, 2)")
    assert sorted(engine.rows("SELECT g, s FROM sums")) == [(1, 2), (2, 4)]
    assert _poisoned(engine) == [("t", "22003")]
    assert _events(engine) == [("STREAM_JOB_DEFECT", "counts")]
    engine.settle("DELETE FROM t WHERE id = 3")  # goes the way of its insertion
    assert _events(engine) == [("STREAM_JOB_DEFECT", "counts")]
    engine.ddl("DROP MATERIALIZED VIEW counts")
    engine.view("counts", engine.queries["counts"])
    engine.check()
