"""The listening socket, the sessions behind it, and an orderly end. Called by `engine.wire.__main__` and by
tests."""

from __future__ import annotations

import asyncio
import logging
import socket

from engine.wire import protocol
from engine.wire.access import addresses, check_host
from engine.wire.connection import Backend, Connection
from engine.wire.upstream import open_connection
from tailrace.errors import TailraceError

log = logging.getLogger(__name__)


class Server:
    """Accepts clients and knows their sessions. `port` is the one that was bound (0 asks for a free one)."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.connections: set[Connection] = set()
        """Those that are open now."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises TailraceError if the address is taken, or is not a loopback one and nothing is encrypted."""
        check_host(host, encrypted=self._backend.tls is not None)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(self._backend, self),
                addresses(host),
                port,
                backlog=512,
                family=socket.AF_UNSPEC,
            )
        except OSError as error:
            raise TailraceError(
                f"cannot listen on {host}:{port}: {error.strerror or error}",
                sqlstate="55000",
                hint="stop what is using the port, or choose another one with --port",
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and tell every client."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.end(
                TailraceError(
                    "terminating connection because the engine is shutting down",
                    sqlstate="57P01",
                    hint="connect again when it is back",
                )
            )
        for task in self._tasks:
            task.cancel()
        await asyncio.sleep(0)

    def register(self, connection: Connection) -> None:
        self.connections.add(connection)

    def unregister(self, connection: Connection) -> None:
        self.connections.discard(connection)

    def cancel(self, request: protocol.Cancel) -> None:
        """Cancel what the session with this key is doing; unknown keys are ignored, as PostgreSQL does."""
        key = request.process_id.to_bytes(4, "big", signed=True) + request.secret
        for connection in self.connections:
            if connection.key == key:
                if not connection.cancel_command():
                    task = asyncio.get_running_loop().create_task(self._cancel_upstream(request))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                return

    async def _cancel_upstream(self, request: protocol.Cancel) -> None:
        try:
            upstream = await open_connection(self._backend.endpoint)
        except OSError as error:
            log.warning("cannot pass on a cancel request: %s", error)
            return
        upstream.write(protocol.encode_cancel(request))
        upstream.abandon()
