"""Commands from the front door: a unix socket, one JSON line a request, answered in order on each connection.

Threads only wait; every command is run by the flow's own thread between two barriers. See `engine.wire.rpc` for the client.
"""

from __future__ import annotations

import logging
import queue
import re
import select
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from engine.ddl.context import SEARCH_PATH

log = logging.getLogger(__name__)
_LOOK_S = 0.5
"""How often a connection that waits is looked at: it may have been closed."""


@dataclass(slots=True)
class Command:
    """A request that waits for the flow: op is 'execute' (with sql and user), 'flush', or 'types' (sql holds them as JSON).

    `is_abandoned` is set when nobody waits for the answer any more.
    """

    op: str
    sql: str
    user: str
    background: bool = False
    search_path: tuple[str, ...] = SEARCH_PATH
    settings: Mapping[str, str] = field(default_factory=dict)
    answer: Future[dict[str, Any]] = field(default_factory=Future)
    is_abandoned: threading.Event = field(default_factory=threading.Event)


class CommandServer:
    """Listens on `path`; `take` gives the next command. `wake` is called when one arrives."""

    def __init__(self, path: Path, wake: Callable[[], None]) -> None:
        self._queue: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._wake = wake
        path.unlink(missing_ok=True)
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                server._serve(self)

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

        self._server = Server(str(path), Handler)
        path.chmod(0o600)
        self._thread = threading.Thread(target=self._server.serve_forever, name="commands", daemon=True)
        self._thread.start()

    def take(self) -> Command | None:
        """The next command, or None; never blocks."""
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        """Stop listening; commands that still wait are answered with an error by the flow."""
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: socketserver.StreamRequestHandler) -> None:
        for line in handler.rfile:
            try:
                request = orjson.loads(line)
                settings = request.get("settings") or {}
                command = Command(
                    request["op"],
                    request.get("sql", ""),
                    request.get("user", "root"),
                    background=settings.get("background_ddl") == "true",
                    search_path=search_path(settings.get("search_path")),
                    settings=settings,
                )
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
                log.warning("malformed command: %r", line[:200])
                return
            self._queue.put(command)
            self._wake()
            answer = self._awaited(command, handler.connection)
            if answer is None:
                return
            handler.wfile.write(orjson.dumps(answer) + b"\n")
            handler.wfile.flush()

    def _awaited(self, command: Command, connection: socket.socket) -> dict[str, Any] | None:
        """The answer; None when the client has hung up before it came."""
        while True:
            try:
                return command.answer.result(_LOOK_S)
            except TimeoutError:
                readable, _, _ = select.select([connection], [], [], 0)
                if readable and not connection.recv(1, socket.MSG_PEEK):
                    command.is_abandoned.set()
                    self._wake()
                    return None


def search_path(text: str | None) -> tuple[str, ...]:
    """The schemas of a session's setting, in order; None: it has set none.

    >>> search_path('"$user", Public, "a, b"')
    ('$user', 'public', 'a, b')
    """
    if text is None:
        return SEARCH_PATH
    parts = re.findall(r'"((?:[^"]|"")*)"|([^,\s"][^,"]*)', text)
    return tuple(quoted.replace('""', '"') or plain.strip().lower() for quoted, plain in parts)
