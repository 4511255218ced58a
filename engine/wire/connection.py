"""One client's connection: the two transports, the login, and the flow of bytes between them.

An asyncio protocol (no streams: this is the hot path). Reads the start-up packets, logs in at PostgreSQL on
the client's behalf, then gives what comes from either side to the `Session` and stops reading from one side
while the other is full. Made by `engine.wire.server`, one for each connection.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from engine.layout import database_socket
from engine.wire import protocol
from engine.wire.access import is_local, unencrypted
from engine.wire.proof import ClientProof, OwnPasswordWanted, OwnProof, RemoteProof
from engine.wire.rpc import FlowClient
from engine.wire.session import Session
from engine.wire.startup import Login, plan_login, reported
from engine.wire.upstream import RETRY_S, Endpoint, Greeting, Upstream, connect
from tailrace.errors import TailraceError

log = logging.getLogger(__name__)

STARTUP_TIMEOUT_S = 10.0
_INBOX_BYTES = 1024 * 1024
"""How much a client may send ahead of a command that is still running before it is no longer read from."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Where the servers behind are, and the password of the client roles. `flow_socket` is the first database's.

    `tls`: what to encrypt with, None: nothing. `is_local` judges the peer of a client's socket.
    """

    endpoint: Endpoint
    flow_socket: Path
    password: str
    retry_s: float = RETRY_S
    tls: ssl.SSLContext | None = None
    is_local: Callable[[Any], bool] = is_local


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
        self._arrived = asyncio.Event()
        self._encrypted = False
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
        self._arrived.set()
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
                if request.tls and self._backend.tls is not None and not self._encrypted:
                    self._begin_tls(self._backend.tls)
                    return
                self.send(b"N")
            elif isinstance(request, protocol.Cancel):
                self._registry.cancel(request)
                self.close()
            else:
                self._greeted = True
                if self._timer is not None:
                    self._timer.cancel()
                self.run(self._log_in(request))

    def _begin_tls(self, context: ssl.SSLContext) -> None:
        """Say yes to a client that wants to encrypt; what it sent in the clear behind its wish may be somebody else's."""
        if self._inbox:
            raise protocol.protocol_violation("unencrypted data after the wish to encrypt")
        plain = self._client
        if plain is None:
            return
        self.send(b"S")
        plain.pause_reading()
        self._encrypted = True
        self.run(self._shake_hands(plain, context))

    async def _shake_hands(self, plain: asyncio.Transport, context: ssl.SSLContext) -> None:
        try:
            encrypted = await self._loop.start_tls(
                plain, self, context, server_side=True, ssl_handshake_timeout=STARTUP_TIMEOUT_S
            )
        except (OSError, EOFError) as error:  # SSLError is an OSError: it does not trust us, or gave up
            log.info("no encryption with %s: %s", plain.get_extra_info("peername"), error)
            self.close()
            return
        if encrypted is None:
            self.close()
            return
        self._client = encrypted

    async def _log_in(self, startup: protocol.Startup) -> None:
        login = plan_login(startup)
        hello = b""
        if startup.minor_version or login.unknown_options:
            hello = protocol.encode_negotiate_version(login.unknown_options)
        self.send(hello)
        upstream, greeting = await self._open_session(login)
        self._upstream = upstream
        self.key = greeting.key
        flow_socket = database_socket(self._backend.flow_socket, login.database)
        sockets = (flow_socket, self._backend.flow_socket.with_name("databases.sock"))
        flow, databases = self._clients = tuple(
            FlowClient(path, retry_s=self._backend.retry_s) for path in sockets
        )
        self._session = Session(self, login, greeting, flow, databases)
        hello = protocol.AUTHENTICATION_OK
        for name, value in reported(greeting.parameters).items():
            hello += protocol.encode_parameter_status(name, value)
        self.send(hello + protocol.encode(b"K", greeting.key) + protocol.encode_ready(greeting.status))
        upstream.listen(self)
        self.pump()

    async def _open_session(self, login: Login) -> tuple[Upstream, Greeting]:
        """A session of PostgreSQL's, when the client may have it. Raises TailraceError (28000, 28P01) when it may not."""
        backend = self._backend
        peer = None if self._client is None else self._client.get_extra_info("peername")
        local = backend.is_local(peer)
        if not local and not self._encrypted:
            raise unencrypted(peer)
        own = OwnProof if local else RemoteProof
        try:
            return await connect(
                backend.endpoint,
                login.parameters,
                lambda: own(login.user, backend.password),
                retry_s=backend.retry_s,
            )
        except OwnPasswordWanted:
            return await connect(
                backend.endpoint,
                login.parameters,
                lambda: ClientProof(self._ask_client, self.send),
                retry_s=backend.retry_s,
            )

    async def _ask_client(self, message: bytes) -> bytes:
        """Send an authentication message; returns the body of the client's answer."""
        self.send(message)
        try:
            async with asyncio.timeout(STARTUP_TIMEOUT_S):
                while (answer := self._take_answer()) is None:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise TailraceError(
                "no password came in time", sqlstate="57014", hint="connect again, with the password at hand"
            ) from None
        return answer

    def _take_answer(self) -> bytes | None:
        """The body of the client's authentication message; None: not here yet."""
        if len(self._inbox) < 5:
            return None
        kind, (length,) = self._inbox[:1], struct.unpack_from("!i", self._inbox, 1)
        if kind != b"p" or not 4 <= length <= protocol.MAX_STARTUP_BYTES:
            raise protocol.protocol_violation("something else came where the proof of a password was wanted")
        if len(self._inbox) <= length:
            return None
        body = bytes(self._inbox[5 : length + 1])
        del self._inbox[: length + 1]
        return body

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
