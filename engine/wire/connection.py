"""One client's connection: the two transports, the login, and the flow of bytes between them.

An asyncio protocol (no streams: this is the hot path). Reads the start-up packets, logs in at PostgreSQL on
the client's behalf, then gives what comes from either side to the `Session` and stops reading from one side
while the other is full. Made by `engine.wire.server`, one for each connection.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from engine.layout import database_socket
from engine.wire import protocol
from engine.wire.rpc import FlowClient
from engine.wire.session import Session
from engine.wire.startup import plan_login, reported
from engine.wire.upstream import RETRY_S, Endpoint, Upstream, connect
from tailrace.errors import TailraceError

log = logging.getLogger(__name__)

STARTUP_TIMEOUT_S = 10.0
_INBOX_BYTES = 1024 * 1024
"""How much a client may send ahead of a command that is still running before it is no longer read from."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Where the servers behind are, and the password of the client roles. `flow_socket` is the first database's."""

    endpoint: Endpoint
    flow_socket: Path
    password: str
    retry_s: float = RETRY_S


class Registry(Protocol):
    """Who knows all connections: for cancel requests and for the end."""

    def register(self, connection: Connection) -> None: ...
    def unregister(self, connection: Connection) -> None: ...
    def cancel(self, request: protocol.Cancel) -> None: ...


class Connection(asyncio.Protocol):
    """A client and the PostgreSQL session behind it."""

    def __init__(self, backend: Backend, registry: Registry) -> None:
        self._backend = backend
        self._registry = registry
        self._loop = asyncio.get_running_loop()
        self._client: asyncio.Transport | None = None
        self._upstream: Upstream | None = None
        self._session: Session | None = None
        self._clients: tuple[FlowClient, ...] = ()
        self.key = b""
        """Body of BackendKeyData: what a cancel request names."""
        self._inbox = bytearray()
        self._greeted = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._upstream_full = False
        self._reading = True
        self.closed = False

    # The client's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = cast("asyncio.Transport", transport)
        self._registry.register(self)
        self._timer = self._loop.call_later(STARTUP_TIMEOUT_S, self.close)

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        if self._greeted:
            self.pump()
            return
        try:
            self._read_startup()
        except TailraceError as error:
            self.end(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._shut()

    def pause_writing(self) -> None:
        if self._upstream is not None:
            self._upstream.pause_reading()

    def resume_writing(self) -> None:
        if self._upstream is not None:
            self._upstream.resume_reading()

    def send(self, data: bytes) -> None:
        """Write to the client."""
        if self._client is not None and not self.closed:
            self._client.write(data)

    @property
    def blocked(self) -> bool:
        """PostgreSQL does not keep up, so that the client is not read from."""
        return self._upstream_full

    @property
    def unsent_bytes(self) -> int:
        """What waits here for the client to read it."""
        return 0 if self._client is None else self._client.get_write_buffer_size()

    @property
    def waiting_bytes(self) -> int:
        """What waits here to be handled, or for PostgreSQL to read it."""
        return len(self._inbox) + (0 if self._upstream is None else self._upstream.unsent_bytes)

    def pump(self) -> None:
        """Let the session handle what the client has sent, as far as it may now."""
        if self._session is not None and not self.closed:
            try:
                self._session.handle(self._inbox)
            except TailraceError as error:
                self.end(error)
        self._update_reading()

    def end(self, error: TailraceError) -> None:
        """Tell the client why, and close the connection."""
        self.send(protocol.encode_error(error, "FATAL"))
        self.close()

    def close(self) -> None:
        """Close both sides; what was written before still reaches the client."""
        if self._client is not None and not self.closed:
            self._client.close()
        self._shut()

    def _shut(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._registry.unregister(self)
        if self._timer is not None:
            self._timer.cancel()
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        if self._upstream is not None:
            self._upstream.close()
        for client in self._clients:
            client.close()

    def _update_reading(self) -> None:
        held = self._session is None or self._session.held
        reading = not self._upstream_full and not (held and len(self._inbox) > _INBOX_BYTES)
        if reading == self._reading or self._client is None or self.closed:
            return
        self._reading = reading
        if reading:
            self._client.resume_reading()
        else:
            self._client.pause_reading()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task that ends with the connection; a defect in it ends the connection."""
        task = self._loop.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except TailraceError as error:
            self.end(error)
        except Exception:
            log.exception("a session failed")
            self.end(
                TailraceError(
                    "internal error in the front door", hint="it is a defect: report it with the engine's log"
                )
            )

    # Login

    def _read_startup(self) -> None:
        while len(self._inbox) >= 4 and not self._greeted and not self.closed:
            (length,) = struct.unpack_from("!i", self._inbox)
            if not 8 <= length <= protocol.MAX_STARTUP_BYTES:
                raise protocol.protocol_violation(f"start-up packet of {length} bytes")
            if len(self._inbox) < length:
                return
            packet = bytes(self._inbox[4:length])
            del self._inbox[:length]
            request = protocol.decode_startup(packet)
            if isinstance(request, protocol.Encryption):
                self.send(b"N")
            elif isinstance(request, protocol.Cancel):
                self._registry.cancel(request)
                self.close()
            else:
                self._greeted = True
                if self._timer is not None:
                    self._timer.cancel()
                self.run(self._log_in(request))

    async def _log_in(self, startup: protocol.Startup) -> None:
        login = plan_login(startup)
        upstream, greeting = await connect(
            self._backend.endpoint, login.parameters, self._backend.password, retry_s=self._backend.retry_s
        )
        self._upstream = upstream
        self.key = greeting.key
        flow_socket = database_socket(self._backend.flow_socket, login.database)
        sockets = (flow_socket, self._backend.flow_socket.with_name("databases.sock"))
        flow, databases = self._clients = tuple(
            FlowClient(path, retry_s=self._backend.retry_s) for path in sockets
        )
        self._session = Session(self, login, greeting, flow, databases)
        hello = protocol.AUTHENTICATION_OK
        if startup.minor_version or login.unknown_options:
            hello = protocol.encode_negotiate_version(login.unknown_options) + hello
        for name, value in reported(greeting.parameters).items():
            hello += protocol.encode_parameter_status(name, value)
        self.send(hello + protocol.encode(b"K", greeting.key) + protocol.encode_ready(greeting.status))
        upstream.listen(self)
        self.pump()

    def cancel_command(self) -> bool:
        """A cancel request for this connection has come. True if that was all: PostgreSQL has nothing to cancel."""
        return self._session is not None and self._session.cancel_command()

    # PostgreSQL's side

    def to_postgres(self, data: bytes | bytearray) -> None:
        """Write to PostgreSQL."""
        if self._upstream is not None:
            self._upstream.write(data)

    def upstream_data(self, data: bytes) -> None:
        if self._session is not None:
            self._session.replied(data)

    def upstream_lost(self) -> None:
        if self.closed:
            return
        if self._session is not None and self._session.replies.fatal:
            self.close()
            return
        self.end(
            TailraceError(
                "terminating connection because the database behind it has stopped",
                sqlstate="57P01",
                hint="it is restarted by itself: connect again; whether the last statement took effect is not known",
            )
        )

    def upstream_full(self) -> None:
        self._upstream_full = True
        self._update_reading()

    def upstream_drained(self) -> None:
        self._upstream_full = False
        self._update_reading()
