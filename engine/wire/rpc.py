"""Commands for the flow: one JSON line out, one JSON line back, over its unix socket, one at a time per
connection.

Connecting is retried for a while, since the flow may just be starting again; a request that was sent is not
repeated, because nobody knows whether it took effect (except FLUSH, which may be repeated). One client per
session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from engine.wire.protocol import Column
from tailrace.errors import TailraceError
from tailrace.sql.types import ComposedType, types_to_json

RETRY_S = 15.0
_PAUSE_S = 0.1
_MAX_REPLY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FlowReply:
    """What the flow answered: all values as text; `columns` is None where there are no rows."""

    tag: str
    columns: tuple[Column, ...] | None
    rows: list[list[str | None]]
    notices: list[str]


class FlowClient:
    """One session's connection to the flow, made when first needed."""

    def __init__(self, socket_path: Path, *, retry_s: float = RETRY_S) -> None:
        self._path = socket_path
        self._retry_s = retry_s
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._provided: set[ComposedType] = set()

    async def execute(self, sql: str, *, user: str, database: str, settings: Mapping[str, str]) -> FlowReply:
        """Run a command. Raises what the flow reports, 57P03 if it cannot be reached, 40003 if it breaks off."""
        request = {
            "op": "execute",
            "sql": sql,
            "user": user,
            "database": database,
            "settings": dict(settings),
        }
        return await self._call(request, repeatable=False)

    async def flush(self) -> FlowReply:
        """Wait until a barrier has committed what was written before. Raises as `execute` does, but never 40003."""
        return await self._call({"op": "flush"}, repeatable=True)

    async def provide(self, types: Sequence[ComposedType]) -> None:
        """See to it that these types are there. Asks once for each on this connection. Raises as `flush` does."""
        wanted = [t for t in types if t not in self._provided]
        if wanted:
            text = orjson.dumps(types_to_json(wanted)).decode()
            await self._call({"op": "types", "sql": text}, repeatable=True)
            self._provided.update(wanted)

    def close(self) -> None:
        """Drop the connection; whatever the flow is doing for it goes on."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _call(self, request: dict[str, Any], *, repeatable: bool) -> FlowReply:
        deadline = asyncio.get_running_loop().time() + self._retry_s
        line = orjson.dumps(request) + b"\n"
        while True:
            reader, writer = await self._connect(deadline)
            try:
                writer.write(line)
                await writer.drain()
                reply = await reader.readline()
            except (OSError, ValueError) as error:
                reply, cause = b"", str(error)
            except asyncio.CancelledError:
                self.close()
                raise
            else:
                cause = "the flow closed the connection"
            if reply.endswith(b"\n"):
                return _decode_reply(reply)
            self.close()
            if not repeatable:
                raise TailraceError(
                    f"the stream engine stopped before it answered: {cause}",
                    sqlstate="40003",
                    detail="whether the statement took effect is not known",
                    hint="SHOW JOBS, or SHOW CREATE for the object, tells whether it did",
                )
            if asyncio.get_running_loop().time() >= deadline:
                raise _unreachable(cause)
            await asyncio.sleep(_PAUSE_S)

    async def _connect(self, deadline: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is not None and self._writer is not None:
            if not self._reader.at_eof():
                return self._reader, self._writer
            self.close()
        while True:
            try:
                self._reader, self._writer = await asyncio.open_unix_connection(
                    str(self._path), limit=_MAX_REPLY_BYTES
                )
            except OSError as error:
                if asyncio.get_running_loop().time() >= deadline:
                    raise _unreachable(str(error)) from None
                await asyncio.sleep(_PAUSE_S)
            else:
                return self._reader, self._writer


def _unreachable(cause: str) -> TailraceError:
    return TailraceError(
        "the stream engine is not running",
        sqlstate="57P03",
        detail=cause,
        hint="it is restarted by itself; try again in a moment, and look at the engine's log if it stays away",
    )


def _decode_reply(line: bytes) -> FlowReply:
    try:
        reply = orjson.loads(line)
        error = reply.get("error")
        if error is not None:
            raise TailraceError(
                error["message"],
                sqlstate=error["sqlstate"],
                detail=error.get("detail"),
                hint=error.get("hint"),
            )
        columns = reply.get("columns")
        return FlowReply(
            reply.get("tag") or "FLUSH",
            None if columns is None else tuple(Column(c["name"], c["type_oid"]) for c in columns),
            reply.get("rows") or [],
            reply.get("notices") or [],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TailraceError(
            f"the stream engine gave an answer that cannot be read: {error}",
            sqlstate="XX000",
            hint="front door and stream engine are of different versions? Restart the engine",
        ) from None
