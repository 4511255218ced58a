"""The other side of the relay: a raw connection to the PostgreSQL underneath, opened for one client session.

`connect` logs in as the client's role, with a proof that its caller gives (`engine.wire.proof`), and retries while PostgreSQL is
starting. Afterwards bytes go to the listener as they come, with pauses in both directions. Called by `engine.wire.connection`.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from engine.wire import protocol
from engine.wire.proof import ClientProof, Proof
from tailrace.errors import TailraceError

RETRY_S = 15.0
_PAUSE_S = 0.1
_STARTING = frozenset({"57P01", "57P02", "57P03"})

Endpoint = str | tuple[str, int]
"""Path of a unix socket, or (host, port)."""


class Listener(Protocol):
    """Who gets what PostgreSQL sends."""

    def upstream_data(self, data: bytes) -> None: ...
    def upstream_lost(self) -> None: ...
    def upstream_full(self) -> None: ...
    def upstream_drained(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Greeting:
    """What PostgreSQL told about the new session: ParameterStatus values and the body of BackendKeyData."""

    parameters: dict[str, str]
    key: bytes
    status: int


class Upstream(asyncio.Protocol):
    """One connection to PostgreSQL. Messages before the first ReadyForQuery are read by `log_in`, later bytes passed on."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._listener: Listener | None = None
        self._arrived = asyncio.Event()
        self._logged_in = False
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._listener is not None:
            self._listener.upstream_data(data)
        else:
            self._buffer += data
            self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._arrived.set()
        if self._listener is not None:
            self._listener.upstream_lost()

    def pause_writing(self) -> None:
        if self._listener is not None:
            self._listener.upstream_full()

    def resume_writing(self) -> None:
        if self._listener is not None:
            self._listener.upstream_drained()

    def write(self, data: bytes | bytearray) -> None:
        if self._transport is not None and not self.lost:
            self._transport.write(data)

    @property
    def unsent_bytes(self) -> int:
        """What waits here for PostgreSQL to read it."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        if self._transport is not None and not self.lost:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self.lost:
            self._transport.resume_reading()

    def close(self) -> None:
        """Terminate the PostgreSQL session, if there still is one."""
        if self._logged_in:
            self.write(protocol.encode(b"X"))
        self.abandon()

    def abandon(self) -> None:
        """Close without a word, once what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    def listen(self, listener: Listener) -> None:
        """From now on the listener gets what comes, what has come already included."""
        self._listener = listener
        if self._buffer:
            listener.upstream_data(bytes(self._buffer))
            self._buffer.clear()
        if self.lost:
            listener.upstream_lost()

    async def log_in(self, parameters: dict[str, str], proof: Proof) -> Greeting:
        """Start the session. Raises TailraceError with PostgreSQL's reason, ConnectionError if it goes away meanwhile."""
        self.write(protocol.encode_startup(parameters))
        told: dict[str, str] = {}
        key = b""
        while True:
            kind, body = await self._read_message()
            if kind == b"R":
                answer = await proof.answer(struct.unpack_from("!i", body)[0], body[4:])
                if answer is not None:
                    self.write(protocol.encode(b"p", answer))
            elif kind == b"S":
                name, value = protocol.decode_parameter_status(body)
                told[name] = value
            elif kind == b"K":
                key = body
            elif kind == b"E":
                raise _refusal(body, parameters, proof)
            elif kind == b"Z":
                self._logged_in = True
                return Greeting(told, key, body[0])

    async def _read_message(self) -> tuple[bytes, bytes]:
        while True:
            if len(self._buffer) >= 5:
                (length,) = struct.unpack_from("!i", self._buffer, 1)
                if len(self._buffer) > length:
                    kind, body = bytes(self._buffer[:1]), bytes(self._buffer[5 : length + 1])
                    del self._buffer[: length + 1]
                    return kind, body
            if self.lost:
                raise ConnectionError("PostgreSQL closed the connection")
            self._arrived.clear()
            await self._arrived.wait()


async def connect(
    endpoint: Endpoint, parameters: dict[str, str], prove: Callable[[], Proof], *, retry_s: float = RETRY_S
) -> tuple[Upstream, Greeting]:
    """A session with PostgreSQL; `prove` makes a proof for each attempt.

    Raises TailraceError: its refusal, or 57P03 if it is not up after `retry_s` seconds; and what the proof raises.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + retry_s
    while True:
        proof = prove()
        try:
            upstream = await open_connection(endpoint)
            try:
                return upstream, await upstream.log_in(parameters, proof)
            except BaseException:
                upstream.close()
                raise
        except OSError as error:
            cause = str(error)
        except TailraceError as error:
            if error.sqlstate not in _STARTING:
                raise
            cause = error.message
        if loop.time() >= deadline or (isinstance(proof, ClientProof) and proof.begun):
            raise TailraceError(
                "the database is not running",
                sqlstate="57P03",
                detail=cause,
                hint="it is restarted by itself; try again in a moment, and look at the engine's log if it stays away",
            )
        await asyncio.sleep(_PAUSE_S)


async def open_connection(endpoint: Endpoint) -> Upstream:
    """A connection on which nothing has been said yet. Raises OSError."""
    loop = asyncio.get_running_loop()
    if isinstance(endpoint, str):
        return (await loop.create_unix_connection(Upstream, endpoint))[1]
    return (await loop.create_connection(Upstream, *endpoint))[1]


def _refusal(body: bytes, parameters: dict[str, str], proof: Proof) -> TailraceError:
    fields = protocol.decode_fields(body)
    sqlstate = fields.get("C", "08006")
    if sqlstate == "28P01":
        return proof.refused(parameters["user"])
    hint = fields.get("H")
    if sqlstate == "3D000":
        hint = "connect to dev, psql -d dev, and SHOW DATABASES"
    return TailraceError(fields.get("M", "refused"), sqlstate=sqlstate, detail=fields.get("D"), hint=hint)
