"""The flow's loop: when to run a barrier.

Adaptive, as the design has it: a barrier starts as soon as input waits, 5 ms after it came, so that more may gather; then
at the latest every second where a view uses now(). Between two barriers commands of the front door run. The loop owns the
readers of the sources and leaves by an exception when PostgreSQL is gone: the supervisor starts it again, and it goes on
from the positions that committed with the state.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
import psycopg

from engine.backfill.job import LEFT_ROWS
from engine.compile.describe import translated
from engine.connectors.source import Batch
from engine.connectors.sources import Reader, open_reader
from engine.ddl.context import Reply
from engine.ddl.job_commands import CancelJobs, Wait, parse_job_command
from engine.flow.barrier import Flow
from engine.flow.heard import CHANNEL
from engine.flow.jobs import Jobs, end_sessions
from engine.flow.server import Command, CommandServer
from engine.flow.session import Growth, held_bytes
from engine.flow.statements import Statements
from engine.flow.statistics import Upkeep
from engine.flow.throttle import Throttle, rate_of, release
from tailrace.errors import PermissionDenied, TailraceError, UndefinedObject
from tailrace.sql.names import ObjectName
from tailrace.sql.types import types_from_json

log = logging.getLogger(__name__)

GATHER_S = 0.005
HEARTBEAT_S = 1.0
EXPIRE_EVERY_S = 1.0
MAX_BARRIER_ROWS = 20_000
_RETRIED = ("40", "53", "55")
"""SQLSTATE classes that are the moment's, not the data's: serialization, resources, locks."""
_DDL_ATTEMPTS = 100
_TEXT_OID = 25


@dataclass(slots=True)
class Loop:
    """Runs `flow` until `stop` is set."""

    flow: Flow
    server: CommandServer
    wake: threading.Event
    stop: threading.Event
    jobs: Jobs
    delivers: Callable[[bool], None] = lambda _has_sinks: None
    """Told whether there are sinks that a delivery has to serve."""
    readers: dict[int, Reader] = field(default_factory=dict)
    dirty: set[int] = field(default_factory=set)
    throttle: Throttle = field(default_factory=Throttle)
    _statements: Statements = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _jobs_of: dict[int, Command] = field(default_factory=dict)
    """Statements that end with their object's backfill."""
    _waits: list[tuple[Command, int | None]] = field(default_factory=list)
    """Who waits for one object, or (None) for all."""
    _expire_at: float = 0.0
    _growth: Growth = field(default_factory=Growth)

    def __post_init__(self) -> None:
        self._statements = Statements(self.flow, self._stop_backfill)

    def run(self) -> None:
        """Barrier after barrier; returns when stopped, raises when PostgreSQL is gone."""
        self._drop_abandoned()
        self._arrange_readers()
        self._barrier(everything=True)
        last = time.monotonic()
        while not self.stop.is_set():
            self._expire()
            if not self.wake.wait(max(0.0, last + HEARTBEAT_S - time.monotonic())):
                self._barrier(everything=True)
                self._tend_jobs()
                last = time.monotonic()
                continue
            self.stop.wait(GATHER_S)
            self.wake.clear()
            while (command := self.server.take()) is not None:
                self._answer(command)
                self._renew_session()
            self._barrier(everything=False)
            self._tend_jobs()
            last = time.monotonic()

    def close(self) -> None:
        """Stop the readers and answer what waits."""
        for reader in self.readers.values():
            reader.stop()
        self.jobs.close()
        self.server.close()
        waiting = [*self._jobs_of.values(), *(command for command, _ in self._waits)]
        while (command := self.server.take()) is not None:
            waiting.append(command)
        for command in waiting:
            error = TailraceError(
                "the engine is stopping", sqlstate="57P01", hint="connect again in a moment"
            )
            command.answer.set_result(error_reply(error))

    def changed(self, table_id: int) -> None:
        """Told by the listener that a table has new changes."""
        with self._lock:
            self.dirty.add(table_id)
        self.wake.set()

    def _barrier(self, *, everything: bool) -> None:
        """Take what waits, run the barrier, and try again while the failure is the moment's."""
        with self._lock:
            tables = set(self.dirty)
            self.dirty.clear()
        tables |= self._release()
        batches = self._take()
        beats = everything and any(True for _ in self.flow.catalog.of_kind("table"))
        if not batches and not tables and not beats and not self.flow.uses_now:
            return
        self._retried(lambda: self.flow.barrier(batches, None if everything else tables))
        if self.flow.fed:  # sinks have changed tables: the next barrier takes that
            with self._lock:
                self.dirty |= self.flow.fed
            self.wake.set()
        if any(len(b.rows) >= MAX_BARRIER_ROWS for b in batches.values()):
            self.wake.set()

    def _renew_session(self) -> None:
        """After a statement: let the flow go on in a new session where the old one has grown; see `engine.flow.session`."""
        if not self._growth.is_due(self.flow.connection):
            return
        held = held_bytes(self.flow.connection)
        try:
            self.flow.renew_session()
        except psycopg.Error as error:
            if self.flow.connection.broken:
                raise
            log.warning("the session is not renewed: %s", error.diag.message_primary or error)
            return
        log.info("the session held %.0f MB: the flow goes on in a new one", held / 1e6)
        self._growth = Growth()

    def _expire(self) -> None:
        """Once a second, between two barriers."""
        if time.monotonic() >= self._expire_at:
            self._expire_at = time.monotonic() + EXPIRE_EVERY_S
            self._retried(self.flow.expire)

    def _release(self) -> set[int]:
        """Let waiting rows into throttled tables, as many as their rates allow; the tables that have changed."""
        changed = set()
        for table in list(self.flow.catalog.of_kind("table")):
            rate = rate_of(table, "DML")
            allowed = 0 if rate is None else self.throttle.allowed(table.id, rate, MAX_BARRIER_ROWS)
            if allowed:
                rows = self._retried(partial(release, self.flow.connection, table, allowed))
                self.throttle.spent(table.id, rows)
                if rows:
                    changed.add(table.id)
        return changed

    def _take(self) -> dict[int, Batch]:
        batches = {}
        for id_, reader in self.readers.items():
            rate = rate_of(self.flow.catalog.objects[id_], "SOURCE")
            allowed = self.throttle.allowed(id_, rate, MAX_BARRIER_ROWS)
            batch = reader.take(allowed) if allowed else None
            if batch is not None:
                self.throttle.spent(id_, len(batch.rows))
                batches[id_] = batch
                for generation in batch.new_generations:
                    log.warning(
                        "topic %s was re-created (%s, was %s): reading the new generation from its start",
                        generation.topic, generation.new_id, generation.old_id,
                    )  # fmt: skip
        return batches

    def _retried(self, work: Callable[[], Any], attempts: int | None = None) -> Any:
        pause = 0.02
        while True:
            try:
                return work()
            except psycopg.Error as error:
                if (
                    self.flow.connection.broken
                    or not (error.sqlstate or "").startswith(_RETRIED)
                    or self.stop.is_set()
                ):
                    raise
                attempts = None if attempts is None else attempts - 1
                if attempts == 0:
                    raise
                log.warning("trying again: %s", error.diag.message_primary or error)
                self.stop.wait(pause)
                pause = min(pause * 1.5, 1.0)

    def _answer(self, command: Command) -> None:
        """Run one command and hand its reply to the thread that waits."""
        try:
            reply = self._run(command)
            if reply is not None:
                command.answer.set_result(reply)
        except TailraceError as error:
            command.answer.set_result(error_reply(error))
        except psycopg.Error as error:
            shown = TailraceError(str(error), sqlstate=error.sqlstate or "58000", hint="see the flow's log")
            command.answer.set_result(error_reply(shown))
            if self.flow.connection.broken:
                raise
        except Exception as error:
            log.exception("command failed: %s", command.sql)
            command.answer.set_result(
                error_reply(TailraceError(f"internal error: {error!r}", hint="see the flow's log"))
            )

    def _run(self, command: Command) -> dict[str, Any] | None:
        """The reply; None if it comes later, with the end of a job."""
        if command.op == "flush":
            self._barrier(everything=True)
            while self.flow.fed:
                self._barrier(everything=True)
            return reply_of(Reply("FLUSH"))
        if command.op == "types":
            self._statements.provide(types_from_json(orjson.loads(command.sql)))
            return reply_of(Reply("TYPES"))
        if command.op != "execute":
            raise TailraceError(f"unknown command {command.op!r}", sqlstate="08P01")
        match parse_job_command(command.sql):
            case Wait(kind, name):
                return self._wait(command, kind, name)
            case CancelJobs(ids):
                return self._cancel(ids, command.user)
        reply = self._attempted(
            lambda: self._statements.execute(
                command.sql,
                command.user,
                background=command.background,
                search_path=command.search_path,
                settings=command.settings,
            )
        )
        self._arrange_readers()
        if reply.job is not None and not command.background:
            self._jobs_of[reply.job] = command
            command.sql = reply.tag
            return None
        return reply_of(reply)

    def _attempted(self, work: Callable[[], Reply]) -> Reply:
        """A DDL statement gives way to readers' locks: 50 ms at a time, again for some seconds."""
        for attempt in range(_DDL_ATTEMPTS):
            try:
                return work()
            except TailraceError as error:
                if error.sqlstate not in ("55P03", "40P01", "40001") or attempt == _DDL_ATTEMPTS - 1:
                    raise
                self._barrier(everything=False)
                self.stop.wait(0.05)
        raise AssertionError

    # --- backfill jobs --------------------------------------------------------------------------------------------

    def _tend_jobs(self) -> None:
        """Finish what is ready, drop what failed or is not wanted any more, start what waits."""
        ready, failed = self.jobs.heard()
        for id_, error in failed.items():
            self._drop_creating(id_, error)
        for id_, command in list(self._jobs_of.items()):
            if command.is_abandoned.is_set():
                self._drop_creating(id_, _cancelled("its client has gone"))
        for id_ in ready:
            if id_ not in failed and any(o.id == id_ for o in self._statements.creating()):
                self._finish(id_)
        self.jobs.arrange(self._statements.creating())
        creating = {o.id for o in self._statements.creating()}
        for id_ in [i for i in self._jobs_of if i not in creating]:  # dropped by a statement
            self._jobs_of.pop(id_).answer.set_result(error_reply(_cancelled("it was dropped")))
        for wait in [w for w in self._waits if (w[1] not in creating if w[1] is not None else not creating)]:
            self._waits.remove(wait)
            command, waited = wait
            made = waited is None or waited in self.flow.catalog.objects
            answer = reply_of(Reply("WAIT")) if made else error_reply(_cancelled("it is not created"))
            command.answer.set_result(answer)

    def _wait(self, command: Command, kind: str, name: ObjectName | None) -> dict[str, Any] | None:
        """WAIT: the reply where there is nothing to wait for; None if it comes later."""
        if name is None:
            self._waits.append((command, None))
            return None
        found = self.flow.catalog.find(name, command.search_path)
        if found is None or found.shown_kind != kind:
            raise UndefinedObject(f"{kind} not found: {name}", hint="SHOW JOBS lists what is being created")
        if not found.is_creating:
            return reply_of(Reply("WAIT"))
        self._waits.append((command, found.id))
        return None

    def _finish(self, id_: int) -> None:
        if self._statements.left_for(id_) > LEFT_ROWS * 5:
            self.jobs.again(id_)
            return
        try:
            self._retried(lambda: self._statements.finish_backfill(id_))
        except psycopg.DataError as error:
            self._drop_creating(id_, translated(error))
            return
        self.jobs.stop(id_)
        self._arrange_readers()
        command = self._jobs_of.pop(id_, None)
        if command is not None:
            command.answer.set_result(reply_of(Reply(command.sql)))

    def _drop_creating(self, id_: int, error: TailraceError) -> None:
        command = self._jobs_of.pop(id_, None)
        if any(o.id == id_ for o in self._statements.creating()):
            log.error("object %d is not created: %s", id_, error.message)
            self._retried(lambda: self._statements.drop_creating(id_, error.message))
            self._arrange_readers()
        if command is not None:
            command.answer.set_result(error_reply(error))

    def _cancel(self, ids: tuple[int, ...], user: str) -> dict[str, Any]:
        if user == "dashboard":
            raise PermissionDenied("role dashboard may only read", hint="connect as root")
        found = [o.id for o in self._statements.creating() if o.id in ids]
        for id_ in found:
            self._drop_creating(id_, _cancelled("CANCEL JOBS"))
        return reply_of(Reply("CANCEL_COMMAND", ("Id",), [(str(i),) for i in found]))

    def _drop_abandoned(self) -> None:
        """After a start: objects whose client waited for a flow that is gone."""
        for id_ in self._statements.foreground_jobs():
            self._drop_creating(id_, _cancelled("the engine was restarted"))

    def _stop_backfill(self, id_: int) -> None:
        self.jobs.stop(id_)
        end_sessions(self.flow.connection, id_)

    def _arrange_readers(self) -> None:
        """One reader for each source that some view reads; a new one where views want more of the messages than before."""
        wanted = {s.id: s for s in self.flow.active_sources()}
        for id_, reader in list(self.readers.items()):
            if id_ not in wanted or reader.spec != self.flow.spec(id_):
                self.readers.pop(id_).stop()
        for id_ in wanted.keys() - self.readers.keys():
            try:
                reader = open_reader(self.flow.spec(id_), self.flow.positions(id_), self.wake)
            except TailraceError as error:  # its own trouble: tried again behind the next statement
                log.error("source %s is not read: %s", wanted[id_].name, error.message)
                continue
            reader.start()
            self.readers[id_] = reader
        self.delivers(any(not sink.body["into"] for sink in self.flow.catalog.of_kind("sink")))


def listen(dsn: str, changed: Callable[[int], None], failed: Future[None], stop: threading.Event) -> None:
    """Wait for tables' notifications, keep statistics fresh and logs short. A thread's; a lost connection goes to `failed`."""
    try:
        with psycopg.connect(dsn, autocommit=True, application_name="tailrace listener") as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            upkeep = Upkeep()
            while not stop.is_set():
                for notice in connection.notifies(timeout=0.5):
                    changed(int(notice.payload))
                upkeep.look(connection)
    except psycopg.Error as error:
        if not stop.is_set():
            failed.set_exception(error)


def _cancelled(why: str) -> TailraceError:
    return TailraceError(f"the job was cancelled: {why}", sqlstate="57014")


def reply_of(reply: Reply) -> dict[str, Any]:
    """A reply as the front door reads it."""
    columns = None if reply.columns is None else [{"name": c, "type_oid": _TEXT_OID} for c in reply.columns]
    return {"tag": reply.tag, "columns": columns, "rows": reply.rows, "notices": reply.notices}


def error_reply(error: TailraceError) -> dict[str, Any]:
    """An error as the front door reads it."""
    shown = {"sqlstate": error.sqlstate, "message": error.message, "detail": error.detail, "hint": error.hint}
    return {"error": shown}
