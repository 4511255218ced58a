"""One exchange with PostgreSQL at a time, on behalf of a session whose client's messages are held meanwhile.

A query is sent, its answer let through to the client or kept from it, and its ReadyForQuery swallowed: what the client is told
at the end, the session decides. PostgreSQL must be idle. Used by `engine.wire.session` and what works for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engine.wire import protocol
from engine.wire.commands import Answer, RelayedError
from engine.wire.replies import Expectation, ReplyStream
from engine.wire.rim import Rim


class Exchange:
    """Sends through `rim` and hears from `replies`."""

    def __init__(self, rim: Rim, replies: ReplyStream) -> None:
        self._rim = rim
        self._replies = replies
        self._loop = asyncio.get_running_loop()

    async def ask(self, sql: str) -> Answer:
        """Run a query of our own, of which the client sees nothing. Raises RelayedError."""
        collected = self._replies.collect()
        await self.run(sql)
        if collected.error is not None:
            raise RelayedError(protocol.without_fields(collected.error, b"PW"))
        return Answer(collected.tag, collected.rows, collected.names)

    async def rows_of(self, sql: str) -> list[list[str | None]]:
        """The rows that `ask` gives."""
        return (await self.ask(sql)).rows

    async def run(self, sql: str, answered: Callable[[], None] | None = None) -> bool:
        """Run a query whose answer the client gets, but for ReadyForQuery; true if it failed. `answered` is told at once."""
        done: asyncio.Future[bool] = self._loop.create_future()

        def finish(failed: bool) -> None:
            if answered is not None:
                answered()
            if not done.done():
                done.set_result(failed)

        self._replies.expect(Expectation(True, finish))
        self._rim.to_postgres(protocol.encode_query(sql))
        return await done
