"""The rows of one session's COPY ... FROM STDIN on their way to PostgreSQL: passed on, watched, cancelled.

What the COPY is and where it goes, `engine.wire.copy_in` says; between PostgreSQL's CopyInResponse and the end of the rows the
client's messages are not statements, but this module's. Called by `engine.wire.session`.
"""

from __future__ import annotations

import asyncio

from engine.wire import copy_in, protocol
from engine.wire.copy_in import CopyStream
from engine.wire.exchange import Exchange
from engine.wire.plans import CopyIn
from engine.wire.replies import ReplyStream
from engine.wire.rim import Rim
from tailrace.errors import TailraceError

COPY_IDLE_S = 30.0
"""Longest that a COPY FROM STDIN may wait for its client: it holds a snapshot, and the turn of whoever writes the table."""


class CopyRows:
    """The COPY that is under way, if one is: true from `begin` until `take` has found its end."""

    def __init__(self, rim: Rim) -> None:
        self._rim = rim
        self._loop = asyncio.get_running_loop()
        self._copy: CopyStream | None = None
        self._heard_at = 0.0

    def __bool__(self) -> bool:
        return self._copy is not None

    async def run(self, plan: CopyIn, exchange: Exchange, replies: ReplyStream) -> bool:
        """Let the client's rows through to PostgreSQL; true if that failed there, which the client has been told.

        Both protocols come to one simple query: its own ReadyForQuery is swallowed. Raises TailraceError or RelayedError.
        """
        rows = await exchange.rows_of(copy_in.lookup(plan))
        sql = copy_in.statement(plan, rows)
        replies.copy_begins = self.begin
        replies.standing_for = (copy_in.storage(rows), plan.relation)
        replies.hide_positions = True
        try:
            failed = await exchange.run(sql, self.answered)
        finally:
            replies.copy_begins = replies.standing_for = None
        replies.wrote = replies.wrote or (replies.track_writes and not failed)
        return failed

    def begin(self) -> None:
        """PostgreSQL waits for rows."""
        self._copy = CopyStream()
        self._heard_at = self._loop.time()
        self._loop.call_later(COPY_IDLE_S, self._watch, self._copy)
        self._rim.pump()

    def take(self, inbox: bytearray, *, held: bool) -> bool:
        """Pass on what the client has sent of its rows; true when the COPY is over and other messages may be handled.

        `held`: the session still waits for PostgreSQL's answer.
        """
        copy = self._copy
        if copy is None:
            return True
        self._heard_at = self._loop.time()
        rows = copy.take(inbox)
        if rows:
            self._rim.to_postgres(rows)
        self._obey_cancel(copy)
        if copy.terminated:
            self._rim.close()
        if copy.flowing or copy.rest or copy.terminated or held:
            return False
        self._copy = None
        return True

    def answered(self) -> None:
        """PostgreSQL has answered the statement: it takes no more rows."""
        if self._copy is not None:
            self._copy.flowing = False

    def cancel(self) -> bool:
        """A cancel request has come; true if it was for the COPY: PostgreSQL would hear of it with the next message only."""
        if self._copy is None or not self._copy.flowing:
            return False
        self._copy.cancelled = True
        self._obey_cancel(self._copy)
        return True

    def _watch(self, copy: CopyStream) -> None:
        """Give a COPY up whose client sends nothing more."""
        if copy is not self._copy or not copy.flowing or self._rim.closed:
            return
        if self._rim.blocked:
            self._heard_at = self._loop.time()
        left = self._heard_at + COPY_IDLE_S - self._loop.time()
        if left > 0:
            self._loop.call_later(left, self._watch, copy)
        elif copy.rest:
            self._rim.run(_leave(f"no more of a row came for {COPY_IDLE_S:g} s"))
        else:
            self._break_off(copy, f"no row came for {COPY_IDLE_S:g} s")

    def _obey_cancel(self, copy: CopyStream) -> None:
        """End a COPY that was cancelled as soon as no row is half sent."""
        if copy.cancelled and copy.flowing and not copy.rest:
            self._break_off(copy, "canceling statement due to user request")

    def _break_off(self, copy: CopyStream, reason: str) -> None:
        """End the COPY in the client's place; what it still sends is ignored."""
        copy.flowing = False
        self._rim.to_postgres(protocol.encode_copy_fail(reason))


async def _leave(reason: str) -> None:
    raise TailraceError(f"COPY from stdin failed: {reason}", sqlstate="57014", hint="connect and copy again")
