"""Commands from the front door: a unix socket, one JSON line a request, answered in order on each connection.

Threads only wait; every command is run by the flow's own thread between two barriers. See `engine.wire.rpc` for the client.
"""

from __future__ import annotations

import logging
import queue
import socketserver
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Command:
    """A request that waits for the flow: op is 'execute' (with sql and user) or 'flush'."""

    op: str
    sql: str
    user: str
    answer: Future[dict[str, Any]] = field(default_factory=Future)


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
                command = Command(request["op"], request.get("sql", ""), request.get("user", "root"))
            except (orjson.JSONDecodeError, KeyError, TypeError):
                log.warning("malformed command: %r", line[:200])
                return
            self._queue.put(command)
            self._wake()
            handler.wfile.write(orjson.dumps(command.answer.result()) + b"\n")
            handler.wfile.flush()
