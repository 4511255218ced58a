"""One client's connection: frames in, frames out, one request at a time and in order, as clients expect.

Job: cut the stream into requests, refuse what is not implemented, hand the rest to its handler, send the answer. A
handler answers with a dict (encoded by kio), with ready buffers, with None (no answer: acks=0), or with an
awaitable of those; while it waits, and while the client does not read, no further request is taken and the socket
is not read. Caller: the server.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Final

from broker import codec
from broker.handlers import APIS
from broker.node import Node
from broker.refusal import ErrorCode

logger = logging.getLogger(__name__)
_LENGTH: Final = struct.Struct(">i")
_API_VERSIONS: Final = 18
_WRITE_BUFFER_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks."""

    id: str
    host: str


class Connection(asyncio.Protocol):
    """Made by the loop for each client; `node.connections` holds it while it is open."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._is_blocked = False
        self._may_read = True
        self._host = ""
        self._heard_s = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (TCP is one)
        self.transport = transport
        transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._host = str(transport.get_extra_info("peername", ("",))[0])
        self._heard_s = asyncio.get_running_loop().time()
        limit = self._node.options.max_connections
        if len(self._node.connections) >= limit:
            logger.warning("%s: turned away: there are %d connections (--max-connections)", self._host, limit)
            transport.abort()
        self._node.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()
        self._node.connections.discard(self)
        self._buffer.clear()
        self._node.memory.forget(self)

    def close_if_silent(self, now_s: float, idle_s: float, stalled_s: float) -> None:
        """End it when nothing has come for so long: `stalled_s` for the rest of a request, `idle_s` for another."""
        if self._task is not None or not self._may_read:
            return  # it is us who let the client wait
        allowed_s = stalled_s if self._buffer and not self._is_blocked else idle_s
        if now_s - self._heard_s > allowed_s:
            logger.info("%s: nothing came for %d s: connection closed", self._host, allowed_s)
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._heard_s = asyncio.get_running_loop().time()
        self._buffer += data
        self._serve()

    def pause_writing(self) -> None:
        self._is_blocked = True

    def resume_writing(self) -> None:
        self._is_blocked = False
        self._serve()

    def let_read(self, allowed: bool) -> None:
        self._may_read = allowed
        self._heard_s = asyncio.get_running_loop().time()
        self._read_or_pause()

    def _read_or_pause(self) -> None:
        must_wait = self._buffer and (self._task is not None or self._is_blocked)
        if must_wait or not self._may_read:
            self.transport.pause_reading()
        elif not self.transport.is_closing():
            self.transport.resume_reading()

    def _serve(self) -> None:
        """Answer every whole request that is here, until one has to wait."""
        served = False
        while self._task is None and not self._is_blocked and not self.transport.is_closing():
            frame = self._next_frame()
            if frame is None:
                break
            served = True
            try:
                answer = self._answer(frame)
            except codec.MalformedRequestError as error:
                logger.warning("%s: %s: connection closed", self._host, error)
                self.transport.close()
                return
            except Exception:  # the connection loop is a border: one client's fault must not end the broker
                logger.exception("%s: a request failed: connection closed", self._host)
                self.transport.abort()
                return
            if isinstance(answer, Awaitable):
                self._task = asyncio.ensure_future(self._wait(answer))
            elif answer:
                self.transport.writelines(answer)
        if not self.transport.is_closing():
            is_waiting = self._task is not None or self._is_blocked
            unread = self.transport.get_write_buffer_size() if self._is_blocked else 0
            incomplete = bool(self._buffer) and not is_waiting
            self._node.memory.hold(self, len(self._buffer) + unread, incomplete=incomplete, served=served)
            self._read_or_pause()

    def _next_frame(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        (length,) = _LENGTH.unpack_from(buffer)
        if not 10 <= length <= self._node.options.max_request_bytes:
            logger.warning("%s: a request of %d bytes: connection closed", self._host, length)
            self.transport.close()
            return None
        if len(buffer) < 4 + length:
            return None
        with memoryview(buffer) as view:
            frame = bytes(view[4 : 4 + length])
        del buffer[: 4 + length]
        return frame

    def _answer(self, frame: bytes) -> Any:
        header = codec.decode_header(frame, codec.is_flexible)
        api = APIS.get(header.api_key)
        if api is None or not api.low <= header.version <= api.high:
            return self._refuse(header)
        client = Client(header.client_id, self._host)
        answer = api.handle(self._node, codec.decode_request(header, frame), client)
        return _encoded_later(header, answer) if isinstance(answer, Awaitable) else _encoded(header, answer)

    def _refuse(self, header: codec.RequestHeader) -> Any:
        if header.api_key == _API_VERSIONS:  # a newer client: told in version 0 which ones there are
            answer = APIS[_API_VERSIONS].handle(self._node, None, None)
            answer["error_code"] = ErrorCode.unsupported_version
            return [codec.encode_response(_API_VERSIONS, 0, header.correlation_id, answer)]
        message = f"API {header.api_key} version {header.version} is not implemented"
        raise codec.MalformedRequestError(message)

    async def _wait(self, answer: Awaitable[Any]) -> None:
        try:
            buffers = await answer
            if buffers and not self.transport.is_closing():
                self.transport.writelines(buffers)
        except Exception:  # as in `_serve`
            logger.exception("%s: a request failed: connection closed", self._host)
            self.transport.abort()
        finally:
            self._task = None
            self._heard_s = asyncio.get_running_loop().time()
        self._serve()


async def _encoded_later(header: codec.RequestHeader, answer: Awaitable[Any]) -> list[bytes] | None:
    return _encoded(header, await answer)


def _encoded(header: codec.RequestHeader, answer: Any) -> list[bytes] | None:
    """Ready buffers lack length and correlation id, which are put in front."""
    if answer is None:
        return None
    if isinstance(answer, dict):
        return [codec.encode_response(header.api_key, header.version, header.correlation_id, answer)]
    size = 4 + sum(len(part) for part in answer)
    return [_LENGTH.pack(size) + _LENGTH.pack(header.correlation_id), *answer]
