"""Serves statements about databases and keeps the processes of each up: one thread, one loop over descriptors.

A request is a JSON line on a unix socket, answered as the flow answers (`engine.flow.server`). What PostgreSQL has to do is done
on the spot; an answer that has to wait until a flow is ready is given then. Statements are carried out one after the other.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg

from engine.databases import cluster, processes
from engine.databases.processes import Process, Role, Said
from engine.databases.statements import Change, Create, Drop, Rename, check_not_current, parse
from engine.databases.users import has_mark, parse_user, run_user
from engine.databases.watched import Watched
from engine.layout import Layout
from engine.wire.tokens import Cursor
from tailrace.errors import TailraceError

log = logging.getLogger("engine.databases")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
STEADY_S = 30.0
"""A process that has run this long is started again at once."""
READY_S = 30.0
"""Longest that a client waits for the flow of its new database; it comes up all the same."""
GRACE_S = 8.0
_MAX_LINE_BYTES = 1 << 20


@dataclass(slots=True)
class _Client:
    """A connection of the front door. `waits` is set while its answer is due."""

    connection: socket.socket
    inbox: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class _Kept:
    """A process that is kept up: the one that runs, if any, and when it may be started again."""

    process: Process | None = None
    started_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    not_before: float = 0.0


@dataclass(slots=True)
class _Due:
    """An answer that waits for a database's flow."""

    client: _Client
    tag: str
    until: float


class Host:
    """`run` serves until `stop` is called, from a signal handler too."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._watched = Watched()
        self._alive, self._life = os.pipe()
        self._kept: dict[tuple[Role, str], _Kept] = {}
        self._due: dict[str, list[_Due]] = {}
        self._stopping = False
        self._loaded = False
        self._has_template = False
        self._listener = socket.socket(socket.AF_UNIX)

    def open(self) -> None:
        """Sweep, listen, and start the flows of the databases that are there."""
        with cluster.administration(self._layout) as connection:
            cluster.sweep(connection)
            names = cluster.existing(connection)
        path = self._layout.databases_socket
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(64)
        self._listener.setblocking(False)
        self._watched.add(self._listener, self._accept)
        waking, wake = socket.socketpair()
        for end in (waking, wake):
            end.setblocking(False)
        signal.set_wakeup_fd(wake.fileno())
        self._wake = (waking, wake)
        self._watched.add(waking, lambda: waking.recv(4096))
        for name in names:
            self._kept[Role.FLOW, name] = _Kept()

    def stop(self) -> None:
        self._stopping = True

    def run(self) -> None:
        """Serve; when stopped, end all processes in order."""
        while not self._stopping:
            self._watched.wait(self._until_next())
            self._tend()
        self._end_all()

    # --- processes --------------------------------------------------------------------------------------------------

    def _until_next(self) -> float:
        """Seconds until something has to be done although nobody says anything."""
        now = time.monotonic()
        times = [k.not_before for k in self._kept.values() if k.process is None]
        times += [due.until for waiting in self._due.values() for due in waiting]
        return max(0.0, min(times, default=now + 60.0) - now)

    def _tend(self) -> None:
        """Start what should run and does not; tell those who have waited long enough."""
        now = time.monotonic()
        for (role, name), kept in list(self._kept.items()):
            if kept.process is not None and _has_ended(kept.process.pid):
                self._ended(role, name, kept)
            if kept.process is None and now >= kept.not_before:
                self._start(role, name, kept)
        for name, waiting in list(self._due.items()):
            for due in [d for d in waiting if now >= d.until]:
                waiting.remove(due)
                self._answer(due.client, _error(_not_ready(name)))

    def _start(self, role: Role, name: str, kept: _Kept) -> None:
        if not self._loaded:
            processes.load()
            self._loaded = True
        kept.process = process = processes.fork(self._layout, role, name, self._alive)
        kept.started_at = time.monotonic()
        self._watched.add(process.said, lambda: self._hear(process))
        log.info("%s of database %s is started (pid %d)", role.value, name, process.pid)

    def _hear(self, process: Process) -> None:
        try:
            said = os.read(process.said, 4096)
        except BlockingIOError:
            return
        if not said:
            self._watched.remove(process.said)
            return  # it has ended, which `_tend` will find out
        for byte in said:
            match Said(bytes([byte])):
                case Said.READY:
                    for due in self._due.pop(process.database, []):
                        self._answer(due.client, _reply(due.tag))
                case Said.SINKS:
                    self._kept.setdefault((Role.DELIVERY, process.database), _Kept())
                case Said.NO_SINKS:
                    self._forget(Role.DELIVERY, process.database, signal.SIGTERM)

    def _ended(self, role: Role, name: str, kept: _Kept) -> None:
        """A process that should run has ended: again after a pause, a longer one each time."""
        assert kept.process is not None  # noqa: S101 - the caller has looked
        self._close(kept.process)
        kept.process = None
        if time.monotonic() - kept.started_at >= STEADY_S:
            kept.pause_s = FIRST_PAUSE_S
        kept.not_before = time.monotonic() + kept.pause_s
        log.warning("%s of database %s ended; starting it again in %.1f s", role.value, name, kept.pause_s)
        kept.pause_s = min(2 * kept.pause_s, LONGEST_PAUSE_S)

    def _forget(self, role: Role, name: str, number: signal.Signals) -> None:
        """End a process and do not start it again; returns when it has ended."""
        kept = self._kept.pop((role, name), None)
        if kept is None or kept.process is None:
            return
        os.kill(kept.process.pid, number)
        deadline = time.monotonic() + GRACE_S
        while not _has_ended(kept.process.pid):
            if time.monotonic() > deadline:
                os.kill(kept.process.pid, signal.SIGKILL)
            time.sleep(0.002)
        self._close(kept.process)

    def _close(self, process: Process) -> None:
        self._watched.remove(process.said)
        os.close(process.said)

    def _end_all(self) -> None:
        running = [k.process for k in self._kept.values() if k.process is not None]
        for process in running:
            os.kill(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while running:
            running = [p for p in running if not _has_ended(p.pid)]
            if time.monotonic() > deadline:
                for process in running:
                    os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.01)

    # --- statements -------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        connection.setblocking(False)
        client = _Client(connection)
        self._watched.add(connection, lambda: self._read(client))

    def _read(self, client: _Client) -> None:
        try:
            data = client.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.inbox += data
        if not data or len(client.inbox) > _MAX_LINE_BYTES:
            self._hang_up(client)
            return
        while b"\n" in client.inbox:
            line, _, rest = bytes(client.inbox).partition(b"\n")
            client.inbox[:] = rest
            self._serve(client, line)

    def _hang_up(self, client: _Client) -> None:
        self._watched.remove(client.connection)
        client.connection.close()
        for waiting in self._due.values():
            waiting[:] = [due for due in waiting if due.client is not client]

    def _serve(self, client: _Client, line: bytes) -> None:
        try:
            request = orjson.loads(line)
            answer = self._execute(client, request["sql"], request["user"], request["database"])
        except TailraceError as error:
            answer = _error(error)
        except psycopg.Error as error:
            shown = error.diag.message_primary or str(error)
            answer = _error(TailraceError(shown, sqlstate=error.sqlstate or "58000", hint="try again"))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            log.warning("malformed request: %r", line[:200], exc_info=True)
            self._hang_up(client)
            return
        except Exception as error:  # one client's statement must not end all databases
            log.exception("a statement failed")
            answer = _error(TailraceError(f"internal error: {error!r}", hint="see the log of databases"))
        if answer is not None:
            self._answer(client, answer)

    def _execute(self, client: _Client, sql: str, user: str, database: str) -> dict[str, Any] | None:
        """The answer; None if it comes when a flow is ready. Raises TailraceError or psycopg.Error."""
        with cluster.administration(self._layout) as connection:
            if is_about_user(sql):
                about = parse_user(sql)
                return _reply(f"{about.verb}_USER", *run_user(self._layout, connection, about, user))
            statement = parse(sql)
            cluster.check_may_change(
                connection,
                statement,
                user,
                may_create=has_mark(connection, user, "createdb"),
                is_super=has_mark(connection, user, "superuser"),
            )
            if isinstance(statement, Create):
                return self._create(connection, client, statement, user)
            if (
                isinstance(statement, Drop)
                and statement.if_exists
                and not cluster.is_there(connection, statement.name)
            ):
                return _reply("DROP_DATABASE", f'database "{statement.name}" does not exist, skipping')
            cluster.check_exists(connection, statement.name)
            check_not_current(statement, database)
            match statement:
                case Drop(name):
                    self._end(name)
                    cluster.drop(connection, name)
                    self._layout.flow_socket_of(name).unlink(missing_ok=True)
                    return _reply("DROP_DATABASE")
                case Rename(name, new):
                    self._end(name)
                    try:
                        cluster.rename(connection, name, new)
                    except BaseException:
                        self._kept[Role.FLOW, name] = _Kept()
                        raise
                    self._layout.flow_socket_of(name).unlink(missing_ok=True)
                    self._when_ready(client, new, "ALTER_DATABASE")
                    return None
                case Change():
                    cluster.change(connection, statement)
        return _reply("ALTER_DATABASE")

    def _create(
        self, connection: cluster.Connection, client: _Client, statement: Create, user: str
    ) -> dict[str, Any] | None:
        if statement.if_not_exists and cluster.is_there(connection, statement.name):
            return _reply("CREATE_DATABASE", f'database "{statement.name}" exists, skipping')
        if not self._has_template:
            from engine.flow.barrier import furnish

            cluster.make_template(self._layout, connection, furnish)
            self._has_template = True
        cluster.create(connection, statement, user)
        self._when_ready(client, statement.name, "CREATE_DATABASE")
        return None

    def _when_ready(self, client: _Client, name: str, tag: str) -> None:
        """Let the database's flow be started, and answer when it takes commands."""
        self._kept[Role.FLOW, name] = _Kept()
        self._due.setdefault(name, []).append(_Due(client, tag, time.monotonic() + READY_S))

    def _end(self, name: str) -> None:
        """End a database's processes at once: whatever they were at is undone or of no use any more."""
        for role in (Role.DELIVERY, Role.FLOW):
            self._forget(role, name, signal.SIGKILL)
        for due in self._due.pop(name, []):
            self._answer(due.client, _error(_not_ready(name)))

    def _answer(self, client: _Client, answer: dict[str, Any]) -> None:
        try:
            client.connection.sendall(orjson.dumps(answer) + b"\n")
        except OSError:
            self._hang_up(client)


def is_about_user(sql: str) -> bool:
    """Whether a statement is CREATE, ALTER or DROP USER."""
    words = Cursor(sql)
    words.take()
    return words.take().word in ("USER", "ROLE")


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _reply(tag: str, *notices: str) -> dict[str, Any]:
    return {"tag": tag, "columns": None, "rows": [], "notices": list(notices)}


def _error(error: TailraceError) -> dict[str, Any]:
    shown = {"sqlstate": error.sqlstate, "message": error.message, "detail": error.detail, "hint": error.hint}
    return {"error": shown}


def _not_ready(name: str) -> TailraceError:
    return TailraceError(
        f'database "{name}" is there, but its flow is not ready yet',
        sqlstate="57P03",
        hint="connect to it in a moment; the log databases.log tells what keeps it",
    )
