"""The delivery's side of a log, in one process: batches, claims, failures of one sink beside another.

What a kill of PostgreSQL leaves is tried on a server of its own, since it needs one that flushes nothing by itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from engine import postgres, roles, state
from engine.connectors.sink_blackhole import BlackholeTarget
from engine.connectors.sink_target import Batch, DeliveryError
from engine.delivery import service
from engine.delivery.sink_log import SinkLog, open_session
from engine.flow.barrier import Flow
from engine.flow.statements import Statements
from engine.layout import Layout
from tailrace.errors import TailraceError
from tests.support.flow import Clock, FlowUnderTest
from tests.support.processes import alive, wait_until

SINK = "WITH (connector = 'fs', fs.path = '{}', force_append_only = 'true') FORMAT PLAIN ENCODE JSON"


class _Collector:
    """A target that keeps what it is given, or fails."""

    select = ("v1",)
    batch_rows = 3
    linger_s = 0.0

    def __init__(self, given: list[Batch], failures: list[Exception]) -> None:
        self._given, self._failures = given, failures

    def deliver(self, batch: Batch) -> None:
        if self._failures:
            raise self._failures.pop()
        self._given.append(batch)

    def close(self) -> None:
        pass


@pytest.fixture
def logged(engine: FlowUnderTest, tmp_path: Path) -> FlowUnderTest:
    engine.ddl("CREATE TABLE log (id int) APPEND ONLY", f"CREATE SINK s FROM log {SINK.format(tmp_path)}")
    return engine


@pytest.fixture
def log_of() -> Iterator[Callable[[FlowUnderTest], SinkLog]]:
    """Opens the log of sink s, each time in a session of its own."""
    with ExitStack() as opened:

        def log_of(engine: FlowUnderTest) -> SinkLog:
            sink = engine.flow.catalog.by_name("s")
            assert sink is not None
            session = open_session(engine.server.dsn(dbname=engine.database))
            return SinkLog(opened.enter_context(closing(session)), sink.id)

        yield log_of


LogOf = Callable[[FlowUnderTest], SinkLog]


def _values(batch: Batch | None) -> list[Any]:
    return [] if batch is None else [change.values[0] for change in batch.changes]


def test_a_claimed_batch_comes_again_as_it_was(logged: FlowUnderTest, log_of: LogOf) -> None:
    log = log_of(logged)
    assert log.next_batch(["v1"], 3) is None
    logged.settle("INSERT INTO log SELECT generate_series(1, 2)")
    first = log.next_batch(["v1"], 3)
    logged.settle("INSERT INTO log SELECT generate_series(3, 7)")
    again = log_of(logged).next_batch(["v1"], 3)
    assert first == again
    assert sorted(_values(again)) == [1, 2]
    assert again is not None
    log.delivered(again)
    assert set(_values(log.next_batch(["v1"], 3))) < {3, 4, 5, 6, 7}


def test_a_batch_that_is_not_full_may_be_left_waiting(logged: FlowUnderTest, log_of: LogOf) -> None:
    log = log_of(logged)
    logged.settle("INSERT INTO log VALUES (1)")
    assert log.next_batch(["v1"], 2, at_least=2) is None
    logged.settle("INSERT INTO log VALUES (2)")
    assert _values(log.next_batch(["v1"], 2, at_least=2)) == [1, 2]


def test_the_two_rows_of_an_update_stay_together(
    engine: FlowUnderTest, log_of: LogOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.ddl.create_sink.check_topic", lambda *_: None)
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, v int)",
        "CREATE SINK s FROM t WITH (connector = 'kafka', topic = 't', properties.bootstrap.server = 'x:1',"
        " primary_key = 'id') FORMAT UPSERT ENCODE JSON",
    )
    engine.settle("INSERT INTO t VALUES (1, 0), (2, 0)")
    log = log_of(engine)
    engine.settle("UPDATE t SET v = 1")
    batches: list[list[int]] = []
    while (batch := log.next_batch(["v1"], 3)) is not None:
        batches.append([change.op for change in batch.changes])
        log.delivered(batch)
    assert batches == [[1, 1], [4, 3], [4, 3]]


def test_big_rows_make_small_batches(engine: FlowUnderTest, log_of: LogOf, tmp_path: Path) -> None:
    engine.ddl("CREATE TABLE log (v varchar) APPEND ONLY", f"CREATE SINK s FROM log {SINK.format(tmp_path)}")
    engine.settle("INSERT INTO log SELECT repeat('x', 50000) FROM generate_series(1, 500)")
    sizes = []
    log = log_of(engine)
    while (batch := log.next_batch(["v1"], 10_000)) is not None:
        sizes.append(len(batch.changes))
        log.delivered(batch)
    assert sizes == [200, 200, 100]


def test_one_sinks_failure_is_its_own(
    logged: FlowUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged.ddl(*(f"CREATE SINK {name} FROM log {SINK.format(tmp_path)}" for name in ("refused", "broken")))
    given: dict[str, list[Batch]] = {"s": [], "refused": [], "broken": []}
    failures: dict[str, list[Exception]] = {
        "s": [],
        "refused": [DeliveryError("not now"), DeliveryError("not now")],
        "broken": [ValueError("nobody thought of this")],
    }
    monkeypatch.setattr(
        service, "_target", lambda name, _prefix, _body, _stop: _Collector(given[name], failures[name])
    )
    monkeypatch.setattr(service, "LONGEST_PAUSE_S", 0.1)
    stop = threading.Event()
    running = threading.Thread(
        target=service.Service(logged.server.dsn(dbname=logged.database), stop).run, daemon=True
    )
    running.start()
    try:
        logged.settle("INSERT INTO log SELECT generate_series(1, 7)")
        wait_until(
            lambda: (
                logged.rows("SELECT sum(rows_waiting), sum(failures) FROM rw_catalog.rw_sink_backlog")
                == [(0, 0)]
            )
        )
        logged.ddl("DROP SINK refused")
    finally:
        stop.set()
        running.join(10)
    for name, batches in given.items():
        assert sorted(v for batch in batches for v in _values(batch)) == list(range(1, 8)), name
    errors = dict(logged.rows("SELECT sink_name, last_error FROM rw_catalog.rw_sink_backlog"))
    assert errors == {"s": None, "broken": "ValueError: nobody thought of this"}


def test_rates_and_settings_count_for_a_sink_that_runs(
    logged: FlowUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Batch] = []
    made: list[str] = []

    def target(_name: str, _prefix: str, body: dict[str, Any], _stop: threading.Event) -> _Collector:
        made.append(body["sink"]["properties"].get("linger.ms", ""))
        return _Collector(given, [])

    monkeypatch.setattr(service, "_target", target)
    monkeypatch.setattr("engine.ddl.create_sink.check_topic", lambda *_: None)
    logged.ddl(
        "DROP SINK s",
        "CREATE SINK s FROM log WITH (connector = 'kafka', topic = 't', properties.bootstrap.server = 'x:1') "
        "FORMAT PLAIN ENCODE JSON",
        "ALTER SINK s SET SINK_RATE_LIMIT TO 0",
    )
    stop = threading.Event()
    dsn = logged.server.dsn(dbname=logged.database)
    running = threading.Thread(target=service.Service(dsn, stop).run, daemon=True)
    running.start()
    try:
        wait_until(lambda: made == [""])
        logged.settle("INSERT INTO log SELECT generate_series(1, 4)")
        logged.ddl("ALTER SINK s CONNECTOR WITH (properties.linger.ms = '7')")
        wait_until(lambda: made == ["", "7"])
        assert given == []
        logged.ddl("ALTER SINK s SET SINK_RATE_LIMIT TO 2")
        wait_until(lambda: len(given) == 2)
        assert [len(batch.changes) for batch in given] == [2, 2]  # no more than a second's at once
    finally:
        stop.set()
        running.join(10)


def test_what_may_be_altered_of_a_connector(engine: FlowUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.ddl.create_sink.check_topic", lambda *_: None)
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE SINK s FROM t WITH (connector = 'kafka', topic = 't', properties.bootstrap.server = 'x:1',"
        " primary_key = 'id') FORMAT UPSERT ENCODE JSON",
    )
    for option, said in {
        "topic = 'other'": "Field 'topic' is not allowed to be altered on the fly for sink: kafka",
        "properties.bootstrap.server = 'y:1'": "not allowed to be altered",
        "properties.compression.codec = 'lz4'": "not allowed to be altered",
        "properties.lingr.ms = '5'": "did you mean properties.linger.ms",
        "properties.linger.ms = 'soon'": "Invalid value for configuration property",
    }.items():
        with pytest.raises(TailraceError) as error:
            engine.ddl(f"ALTER SINK s CONNECTOR WITH ({option})")
        assert said in f"{error.value.message} {error.value.hint}"
    engine.ddl(
        "ALTER SINK s CONNECTOR WITH (properties.batch.size = '1000', properties.retry.backoff.ms = '50')"
    )
    sink = engine.flow.catalog.by_name("s")
    assert sink is not None
    assert sink.body["sink"]["properties"] == {"batch.size": "1000", "retry.backoff.ms": "50"}
    assert "primary_key = 'id', properties.batch.size = '1000', properties.retry" in sink.definition


# --- only what is durable --------------------------------------------------------------------------------------------


_LAZY = {"wal_writer_delay": "10s", "wal_level": "minimal", "max_wal_senders": "0", "autovacuum": "off"}
"""A server that leaves what was committed asynchronously in memory for as long as it may."""


@contextmanager
def _server(layout: Layout) -> Iterator[int]:
    """The server's pid; it may be dead at the end."""
    command = postgres.prepare(layout, _LAZY)
    with (layout.log_dir / "postgres.log").open("ab") as output:
        guard = subprocess.Popen(
            [sys.executable, "-m", "tailrace.guard", "--stop-signal", "QUIT", "--", *command],
            stdin=subprocess.PIPE, stdout=output, stderr=output, cwd="/", env=postgres.environment(),
        )  # fmt: skip
        try:
            postgres.wait_until_ready(layout, lambda: guard.poll() is None)
            roles.bootstrap(layout)
            yield int((layout.postgres_dir / "postmaster.pid").read_text().split()[0])
        finally:
            guard.terminate()
            guard.wait(30)
            assert guard.stdin is not None
            guard.stdin.close()


def _lose(pid: int) -> None:
    """End the server as a power cut does: no process of it gets to write anything more."""
    server = psutil.Process(pid)
    server.suspend()
    processes = [server, *server.children(recursive=True)]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # a client's backend may just have ended
                process.send_signal(number)
    wait_until(lambda: not any(alive(process.pid) for process in processes))


@pytest.mark.parametrize("claimed", [True, False])
def test_what_is_claimed_outlives_postgresql_and_what_is_only_seen_may_not(
    tmp_path: Path, claimed: bool
) -> None:
    layout = Layout(tmp_path / "state")
    lock = state.claim(layout, minimum_free_bytes=0)
    try:
        with _server(layout) as pid:
            flow = Flow.open(layout.dsn(), Clock())
            Statements(flow).execute("CREATE TABLE log (id int) APPEND ONLY")
            Statements(flow).execute(f"CREATE SINK s FROM log {SINK.format(tmp_path / 'files')}")
            sink = flow.catalog.by_name("s")
            assert sink is not None
            row = flow.connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"
            ).fetchone()
            assert row is not None
            os.kill(row[0], signal.SIGSTOP)  # it would flush the log before long
            with psycopg.connect(layout.dsn("root"), autocommit=True) as client:
                client.execute("SET synchronous_commit = off")
                client.execute("INSERT INTO log VALUES (7)")
            flow.barrier()
            with closing(open_session(layout.dsn())) as session:
                assert session.execute(f"SELECT v1 FROM engine.sink_log_{sink.id}").fetchall() == [(7,)]
                if claimed:
                    assert _values(SinkLog(session, sink.id).next_batch(["v1"], 10)) == [7]
            _lose(pid)
            flow.connection.close()
        with _server(layout), closing(open_session(layout.dsn())) as session:
            found = session.execute(f"SELECT v1 FROM engine.sink_log_{sink.id}").fetchall()
            assert found == ([(7,)] if claimed else [])
    finally:
        postgres.remove_sockets(layout)
        os.close(lock)


def test_a_blackhole_takes_everything(engine: FlowUnderTest) -> None:
    """Whatever the view does, and without a key or a format."""
    engine.ddl(
        "CREATE TABLE t (k int PRIMARY KEY, v int)", "CREATE SINK s FROM t WITH (connector = 'blackhole')"
    )
    engine.settle("INSERT INTO t VALUES (1, 1), (2, 2)", "UPDATE t SET v = 3 WHERE k = 1")
    sink = engine.flow.catalog.by_name("s")
    assert sink is not None
    target = BlackholeTarget()
    with closing(open_session(engine.server.dsn(dbname=engine.database))) as session:
        log = SinkLog(session, sink.id)
        batch = log.next_batch(target.select, target.batch_rows)
        assert batch is not None
        assert len(batch.changes) == 2
        target.deliver(batch)
