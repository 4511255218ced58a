"""All sinks' deliveries: a worker for each sink of the catalog, told by PostgreSQL's notifications what waits.

Sinks INTO tables are the flow's. Called by `python -m engine.delivery`, and by tests with a DSN of their own.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg

from engine.compile.sink import CHANNEL
from engine.connectors.sink import SinkSpec
from engine.connectors.sink_blackhole import BlackholeTarget
from engine.connectors.sink_files import FileTarget
from engine.connectors.sink_kafka import KafkaTarget
from engine.connectors.sink_target import Target
from engine.delivery.sink_log import Connection, SinkLog, open_session
from engine.delivery.worker import LONGEST_PAUSE_S, Sink, Worker
from engine.operators.base import Column

log = logging.getLogger(__name__)

LOOK_S = 0.2
_SINKS = (
    "SELECT id, name, body, to_char(created_at, 'YYYYMMDDHH24MISS') FROM engine.created "
    "WHERE kind = 'sink' AND body -> 'options' ->> 'connector' <> 'table' ORDER BY id"
)


class Service:
    """Runs until `stop` is set; raises psycopg.OperationalError when PostgreSQL is gone."""

    def __init__(self, dsn: str, stop: threading.Event) -> None:
        self._dsn = dsn
        self._stop = stop
        self._workers: dict[int, tuple[Worker, Future[None]]] = {}
        self._not_before: dict[int, float] = {}

    def run(self) -> None:
        try:
            with open_session(self._dsn) as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                self._await_catalog(connection)
                while not self._stop.is_set():
                    self._arrange(connection)
                    for notice in connection.notifies(timeout=LOOK_S, stop_after=1):
                        self._wake(notice.payload)
        finally:
            for worker, _ in self._workers.values():
                worker.stop()
            for _, done in self._workers.values():
                with suppress(
                    TimeoutError
                ):  # it waits for an answer; what was not acknowledged is sent again
                    done.exception(timeout=15)

    def _await_catalog(self, connection: Connection) -> None:
        """Until the flow has made the catalog of a new database."""
        there = "SELECT to_regclass('engine.created') IS NOT NULL"
        while connection.execute(there).fetchone() != (True,) and not self._stop.wait(LOOK_S):
            pass

    def _wake(self, payload: str) -> None:
        entry = self._workers.get(int(payload))
        if entry is not None:
            entry[0].wake()

    def _arrange(self, connection: Connection) -> None:
        """Start workers for new sinks, stop those of dropped ones, start again what has ended by an error of its own."""
        wanted = {sink.id: sink for sink in _read_sinks(connection)}
        for id_, (worker, done) in list(self._workers.items()):
            if id_ not in wanted or wanted[id_].settings != worker.sink.settings:
                worker.stop()  # by other settings it begins anew where it stands
            else:
                worker.rate = wanted[id_].rate
            if done.done():
                del self._workers[id_]
                self._note(connection, worker, done.exception())
        for id_ in wanted.keys() - self._workers.keys():
            if time.monotonic() < self._not_before.get(id_, 0):
                continue
            worker, done = Worker(wanted[id_], partial(open_session, self._dsn)), Future[None]()
            self._workers[id_] = worker, done
            threading.Thread(target=_run, args=(worker, done), name=f"sink {id_}", daemon=True).start()

    def _note(self, connection: Connection, worker: Worker, error: BaseException | None) -> None:
        """An error that no target has foreseen is that sink's alone: it is shown, and the sink tried again after a while."""
        id_ = worker.sink.id
        if isinstance(error, psycopg.OperationalError):
            raise error
        if error is not None:
            self._not_before[id_] = time.monotonic() + LONGEST_PAUSE_S
            sink = worker.sink
            said = f"{type(error).__name__}: {error}"
            SinkLog(connection, id_).failed(said, name=sink.name, connector=sink.connector)


def _run(worker: Worker, done: Future[None]) -> None:
    log.info("sink %s: delivering", worker.sink.name)
    try:
        worker.run()
    except Exception as error:  # handed to the service, which ends by it
        log.exception("sink %s: ended", worker.sink.name)
        done.set_exception(error)
    else:
        done.set_result(None)


def _read_sinks(connection: Connection) -> list[Sink]:
    try:
        rows = connection.execute(_SINKS).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return []  # the flow has not made the catalog yet
    return [
        Sink(
            id_,
            name,
            partial(_target, name, f"{body['files']}-{at}-{id_}", body),
            json.dumps(body["sink"], sort_keys=True),
            (body.get("rate_limits") or {}).get("SINK"),
            body["options"]["connector"],
        )
        for id_, name, body, at in rows
    ]


def _target(name: str, prefix: str, body: dict[str, Any], stop: threading.Event) -> Target:
    spec = SinkSpec.from_json(body["sink"])
    columns = tuple(Column(c["name"], c["type"], c["hidden"]) for c in body["columns"])
    if spec.connector == "fs":
        return FileTarget(prefix, spec, columns, stop)
    if spec.connector == "blackhole":
        return BlackholeTarget()
    if spec.connector == "http":  # from here on clients that few sinks need
        from engine.connectors.sink_http import HttpTarget

        return HttpTarget(prefix, spec, columns, stop)
    if spec.connector == "redis":
        from engine.connectors.sink_redis import RedisTarget

        return RedisTarget(spec, columns, stop)
    if spec.connector in ("postgres", "jdbc"):
        from engine.connectors.sink_postgres import PostgresTarget

        return PostgresTarget(prefix, spec, columns, stop)
    return KafkaTarget(name, spec, columns, body["from"], stop)
