"""Views filled by a job, pass by pass, while their inputs change: equal to their batch at the end, and unseen before it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from engine.backfill.job import NotCreatingError
from engine.backfill.worker import Worker
from engine.ddl.context import Reply
from engine.flow.jobs import end_sessions
from tailrace.errors import TailraceError
from tests.support.flow import FlowUnderTest

_VIEWS = {
    "rows_of": "SELECT id, g, a * 2 AS b FROM t WHERE a > 10",
    "sums": "SELECT g, count(*) AS n, sum(a) AS total, min(a) AS low, max(a) AS high FROM t GROUP BY g",
    "overall": "SELECT count(*) AS n, max(a) AS high FROM t",
    "pairs": "SELECT t.id, u.id AS other, u.name FROM t JOIN u ON t.g = u.g",
    "outer_pairs": "SELECT t.id, u.id AS other FROM t LEFT JOIN u ON t.g = u.g AND u.id > 2",
    "with_itself": "SELECT l.id, r.id AS other FROM t AS l JOIN t AS r ON l.a = r.g",
    "best": "SELECT id, g, a FROM "
    "(SELECT *, row_number() OVER (PARTITION BY g ORDER BY a DESC, id) AS rn FROM t) AS q WHERE rn <= 2",
    "either": "SELECT g FROM t UNION ALL SELECT g FROM u",
    "different": "SELECT DISTINCT a FROM t",
    "recent": "SELECT id FROM t WHERE ts > now() - INTERVAL '10 seconds'",
    "above": "SELECT id, a FROM t WHERE a > (SELECT max(id) FROM u)",
    "hopped": "SELECT g, window_start, count(*) AS n FROM HOP(t, ts, INTERVAL '10 seconds', INTERVAL '20 seconds') "
    "GROUP BY g, window_start",
    "over_a_view": "SELECT n, count(*) AS groups FROM counted GROUP BY n",
    "logged": "SELECT g, count(*) AS n FROM log GROUP BY g",
    "first_logged": "SELECT DISTINCT ON (g) g, a FROM log",
}
_WHOLLY_DEFINED = [v for v in _VIEWS if v != "first_logged"]


@pytest.fixture
def filled(engine: FlowUnderTest) -> Iterator[FlowUnderTest]:
    """Tables with rows, and a flow to which every fill is a large one."""
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, g int, a int, ts timestamptz)",
        "CREATE TABLE u (id int PRIMARY KEY, g int, name varchar)",
        "CREATE TABLE log (g int, a int) APPEND ONLY",
        "CREATE MATERIALIZED VIEW counted AS SELECT g, count(*) AS n FROM t GROUP BY g",
    )
    now = engine.flow.clock()
    engine.run(
        "INSERT INTO t SELECT i, i %% 7, i %% 23, %s::timestamptz - i * interval '1 second' FROM generate_series(1, 90) AS i",
        now,
    )
    engine.run("INSERT INTO u SELECT i, i % 5, 'u' || i FROM generate_series(1, 12) AS i")
    engine.run("INSERT INTO log SELECT i % 4, i FROM generate_series(1, 50) AS i")
    engine.barrier()
    engine.statements.small_rows = 0
    yield engine
    engine.statements.small_rows = 5_000


def _start(engine: FlowUnderTest, name: str) -> Reply:
    return engine.statements.execute(f"CREATE MATERIALIZED VIEW {name} AS {_VIEWS[name]}")


def _worker(engine: FlowUnderTest, reply: Reply) -> Worker:
    assert reply.job is not None
    return Worker.open(engine.server.dsn(dbname=engine.database), reply.job)


def _change(engine: FlowUnderTest, turn: int) -> None:
    """Inserts, updates, deletes and overwrites in all inputs, then a barrier that takes them."""
    engine.run(f"UPDATE t SET a = a + {turn}, g = g + 1 WHERE id % 5 = {turn % 5}")
    engine.run(f"DELETE FROM t WHERE id % 11 = {turn}")
    engine.run(
        "INSERT INTO t SELECT 200 + %s + i, i %% 7, 20 + i, %s FROM generate_series(1, 9) AS i",
        turn * 5,
        engine.flow.clock(),
    )
    engine.run(f"UPDATE u SET name = name || '!', g = g + 1 WHERE id % 3 = {turn % 3}")
    engine.run(f"INSERT INTO log VALUES ({turn}, {100 + turn}), (9, {turn})")
    engine.barrier(1.5)


@pytest.mark.parametrize("name", _VIEWS)
def test_a_view_filled_while_its_inputs_change_equals_its_batch(filled: FlowUnderTest, name: str) -> None:
    reply = _start(filled, name)
    _change(filled, 1)
    worker = _worker(filled, reply)
    try:
        for turn in (2, 3):
            worker.advance()
            _change(filled, turn)
            with pytest.raises(psycopg.errors.UndefinedTable):
                filled.rows(f"SELECT * FROM {name}")
            assert filled.rows("SELECT ddl_id FROM rw_catalog.rw_ddl_progress") == [(reply.job,)]
        worker.advance()
    finally:
        worker.close()
    filled.run("INSERT INTO t VALUES (999, 1, 1, NULL)")  # committed, in no barrier yet
    assert reply.job is not None
    filled.statements.finish_backfill(reply.job)
    assert filled.rows("SELECT ddl_id FROM rw_catalog.rw_ddl_progress") == []
    assert (
        filled.rows("SELECT relname FROM pg_catalog.pg_class WHERE relname LIKE 'pending%' AND relkind = 'r'")
        == []
    )
    if name in _WHOLLY_DEFINED:
        filled.queries[name] = _VIEWS[name]
    else:
        assert sorted(g for g, _ in filled.rows(f"SELECT * FROM {name}")) == [0, 1, 2, 3, 9]
    filled.check()
    for turn in (4, 5):
        _change(filled, turn)
        filled.check()


def test_a_pass_waits_for_changes_that_no_barrier_has_taken(filled: FlowUnderTest) -> None:
    reply = _start(filled, "pairs")
    filled.run("INSERT INTO t VALUES (500, 1, 1, NULL)")
    worker = _worker(filled, reply)
    done = threading.Event()

    def advance() -> None:
        worker.advance()
        done.set()

    thread = threading.Thread(target=advance)
    thread.start()
    try:
        assert not done.wait(0.3)
        filled.barrier()
        assert done.wait(20)
    finally:
        thread.join(20)
        worker.close()
    assert reply.job is not None
    filled.statements.finish_backfill(reply.job)
    filled.queries["pairs"] = _VIEWS["pairs"]
    filled.check()


class _Killed(Exception):
    pass


def _fill_until(worker: Worker, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill the worker behind so many committed steps."""
    taken: list[int] = []

    def progress(rows: int) -> None:
        taken.append(rows)
        if len(taken) == steps:
            raise _Killed

    with monkeypatch.context() as patch, pytest.raises(_Killed):
        patch.setattr(Worker, "_progress", lambda _self, rows: progress(rows))
        worker.advance()
    worker.close()


def _empty_unlogged_tables(engine: FlowUnderTest) -> None:
    """As PostgreSQL does when it recovers from a crash."""
    with psycopg.connect(engine.server.dsn(dbname=engine.database), autocommit=True) as connection:
        unlogged = "SELECT oid::regclass::text FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'"
        for (table,) in connection.execute(unlogged).fetchall():
            connection.execute(f"TRUNCATE {table}")


@pytest.mark.parametrize("name", ["sums", "outer_pairs", "with_itself", "above"])
@pytest.mark.parametrize("crashed", [False, True])
def test_a_fill_goes_on_behind_its_last_step_or_anew_when_a_crash_has_emptied_the_copies(
    filled: FlowUnderTest, monkeypatch: pytest.MonkeyPatch, name: str, crashed: bool
) -> None:
    monkeypatch.setattr("engine.backfill.copies.CHUNK_ROWS", 1)  # a page a step
    filled.run("INSERT INTO t SELECT i, i % 7, i % 301, NULL FROM generate_series(2000, 2500) AS i")
    filled.barrier()
    reply = _start(filled, name)
    assert reply.job is not None
    _fill_until(_worker(filled, reply), 3, monkeypatch)
    _change(filled, 1)
    if crashed:
        _empty_unlogged_tables(filled)
    worker = _worker(filled, reply)
    try:
        worker.advance()
        _change(filled, 2)
        worker.advance()
    finally:
        worker.close()
    filled.statements.finish_backfill(reply.job)
    left = (
        "SELECT relname FROM pg_class WHERE relname ~ '^(whole|seen|pending)_' "
        "UNION SELECT proname FROM pg_proc WHERE proname ~ '^fill_'"
    )
    assert filled.rows(left) == []
    filled.queries[name] = _VIEWS[name]
    filled.check()
    _change(filled, 3)
    filled.check()


def test_dropping_a_view_that_is_being_filled_removes_its_copies(
    filled: FlowUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = _start(filled, "pairs")
    _fill_until(_worker(filled, reply), 1, monkeypatch)
    copies = "SELECT relname FROM pg_class WHERE relname ~ '^(whole|seen)_[0-9_]*$'"
    assert len(filled.rows(copies)) == 4
    assert reply.job is not None
    filled.statements.drop_creating(reply.job, "cancelled")
    assert filled.rows(copies) == []


def test_a_worker_that_is_lost_leaves_nothing_of_its_pass(filled: FlowUnderTest) -> None:
    reply = _start(filled, "sums")
    first = _worker(filled, reply)
    first.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    first._fill(filled.flow.clock())
    end_sessions(filled.flow.connection, first.view.id)
    first.close()
    _change(filled, 1)
    second = _worker(filled, reply)
    second.advance()
    second.close()
    _change(filled, 2)
    assert reply.job is not None
    filled.flow.reload()  # as after a restart
    filled.statements.finish_backfill(reply.job)
    filled.queries["sums"] = _VIEWS["sums"]
    filled.check()


def test_an_object_that_is_being_created_can_be_dropped_but_not_used(filled: FlowUnderTest) -> None:
    reply = _start(filled, "sums")
    assert reply.job is not None
    with pytest.raises(TailraceError, match="is being created"):
        filled.ddl("CREATE MATERIALIZED VIEW sums AS SELECT g FROM t")
    with pytest.raises(TailraceError, match=r"does not exist|is being created"):
        filled.ddl("CREATE MATERIALIZED VIEW above AS SELECT g FROM sums")
    filled.ddl("DROP MATERIALIZED VIEW sums")
    with pytest.raises(NotCreatingError):
        _worker(filled, reply)
    filled.statements.small_rows = 5_000
    filled.view("sums", _VIEWS["sums"])
    filled.check()


def test_why_a_job_came_to_nothing_is_recorded(filled: FlowUnderTest) -> None:
    reply = _start(filled, "sums")
    assert reply.job is not None
    filled.statements.drop_creating(reply.job, "the disk is full")
    events = filled.rows("SELECT event_type, info ->> 'name', info ->> 'error' FROM rw_catalog.rw_event_logs")
    assert ("CREATE_STREAM_JOB_FAIL", "sums", "the disk is full") in events
    _change(filled, 1)
    assert filled.rows("SELECT name FROM rw_catalog.rw_materialized_views") == [("counted",)]


def test_progress_is_told_in_percent(filled: FlowUnderTest) -> None:
    reply = _start(filled, "logged")
    worker = _worker(filled, reply)
    worker.advance()
    worker.close()
    shown = filled.rows("SELECT ddl_statement, create_type, progress FROM rw_catalog.rw_ddl_progress")
    assert shown == [(f"CREATE MATERIALIZED VIEW logged AS {_VIEWS['logged']}", "FOREGROUND", "100.00%")]


def _indexes(engine: FlowUnderTest) -> set[str]:
    rows = engine.flow.connection.execute(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'engine' AND indexname LIKE 'probe%'"
    )
    return {name for (name,) in rows}


def test_indexes_on_what_others_store_are_built_by_the_job_and_go_with_the_view(
    filled: FlowUnderTest,
) -> None:
    reply = _start(filled, "pairs")
    assert _indexes(filled) == set()  # a large table would hold the statement's barrier up
    worker = _worker(filled, reply)
    worker.advance()
    worker.close()
    built = _indexes(filled)
    assert built == {f"probe_{reply.job}_1", f"probe_{reply.job}_2"}
    assert reply.job is not None
    filled.statements.finish_backfill(reply.job)
    filled.ddl("DROP MATERIALIZED VIEW pairs")
    assert _indexes(filled) == set()
