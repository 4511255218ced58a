"""One client's session: reads its messages in order and sends each where it belongs.

Statements for PostgreSQL are passed on as they come, pipelined ones too. A command of the engine's waits
until PostgreSQL has answered all that went before it (`_drained`), then runs in a task, and the messages
behind it wait until it is done (`held`). Knows no transports: it is called by, and writes through,
`engine.wire.connection`.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Coroutine
from enum import Enum
from typing import Any

from engine.wire import commands, protocol
from engine.wire.answers import encode_failure, encode_reply, too_long
from engine.wire.classify import classify, not_in_transaction, writes
from engine.wire.commands import Context, RelayedError, Reply
from engine.wire.completion import Completion
from engine.wire.copy_rows import CopyRows
from engine.wire.cursors import Cursors
from engine.wire.exchange import Exchange
from engine.wire.own_database import without_database
from engine.wire.plans import ColumnsQuery, Command, CopyIn, Forward, RowIdQuery
from engine.wire.prepared import Portal, Prepared
from engine.wire.query_text import decode_text, statements, without_end
from engine.wire.replies import PASS_ON, Expectation, ReplyStream
from engine.wire.rim import Rim
from engine.wire.rpc import FlowClient
from engine.wire.startup import Login
from engine.wire.upstream import Greeting
from tailrace.errors import PermissionDenied, TailraceError, UnsupportedFeature

_HEADER = struct.Struct("!ci").unpack_from
_EXTENDED = b"PBDEC"
_COPY_DATA = b"dcf"
"""Ignored, as PostgreSQL ignores them outside COPY FROM STDIN: what a client sent before it heard of an error."""
_CLIENT_KINDS = b"QPBDECSHXFdcf"


class Outcome(Enum):
    """What becomes of a client's message: passed on as it is, dealt with, or left until something else has finished."""

    FORWARD = 1
    DONE = 2
    WAIT = 3


class Session:
    """The state of one conversation, from login on. `held`: the client's messages have to wait."""

    def __init__(
        self, rim: Rim, login: Login, greeting: Greeting, flow: FlowClient, databases: FlowClient
    ) -> None:
        self._rim = rim
        self.replies = ReplyStream(greeting.status)
        self.replies.track_writes = login.settings.implicit_flush
        self.held = False
        self._outbox = bytearray()
        self._unsynced = False
        self._skipping = False
        self._prepared = Prepared()
        self._exchange = Exchange(rim, self.replies)
        self._cursors = Cursors(self._exchange.ask)
        self._completion = Completion(login.database, self._exchange)
        self._command: asyncio.Future[Reply] | None = None
        self._copy_rows = CopyRows(rim)
        self._context = Context(
            user=login.user,
            database=login.database,
            settings=login.settings,
            flow=flow,
            databases=databases,
            ask=self._exchange.ask,
            transaction_status=lambda: self.replies.status,
            read_only=greeting.parameters.get("default_transaction_read_only") == "on",
            forget_statement=self._prepared.forget,
            cursors=self._cursors,
        )

    def handle(self, inbox: bytearray) -> None:
        """Handle the complete messages in `inbox` that may be handled now, and take them out of it.

        What goes to PostgreSQL goes in one write. Raises TailraceError if the connection cannot go on.
        """
        if self._copy_rows and not self._copy_rows.take(inbox, held=self.held):
            return
        size = len(inbox)
        position = start = 0
        while size - position >= 5 and not self.held and not self._rim.closed:
            kind, length = _HEADER(inbox, position)
            if length < 4 or kind not in _CLIENT_KINDS:
                raise protocol.protocol_violation(f"message of type {kind!r} and length {length}")
            end = position + 1 + length
            if end > size:
                if length > protocol.MAX_MESSAGE_BYTES:
                    raise too_long(length)
                break
            if kind in b"QPFX" or self._prepared or self._skipping:
                self._outbox += inbox[start:position]
                start = position
            outcome = self._handle(kind, inbox, position + 5, end)
            if outcome is Outcome.WAIT:
                break
            position = end
            if outcome is Outcome.DONE:
                start = end
        self._outbox += inbox[start:position]
        del inbox[:position]
        if self._outbox:
            outbox, self._outbox = self._outbox, bytearray()
            self._rim.to_postgres(outbox)

    def replied(self, data: bytes) -> None:
        """PostgreSQL has sent something."""
        passed_on, after = self.replies.feed(data)
        if passed_on:
            self._rim.send(passed_on)
        for call in after:
            call()

    def cancel_command(self) -> bool:
        """A cancel request has come. True if PostgreSQL need not be told: a command waits for the flow, or a COPY for rows."""
        if self._copy_rows.cancel():
            return True
        return self._command is not None and not self.replies.expected and self._command.cancel()

    def _handle(self, kind: bytes, inbox: bytearray, start: int, end: int) -> Outcome:
        """Decide about one whole message, whose body is inbox[start:end]."""
        if kind == b"X":
            self._rim.close()
            return Outcome.DONE
        if kind == b"S":
            return self._sync()
        if self._skipping or kind in _COPY_DATA:
            return Outcome.DONE
        if kind == b"Q":
            return self._query(bytes(inbox[start:end]))
        if kind == b"F":
            return self._refuse(
                UnsupportedFeature("the function call protocol", hint="call the function in a SELECT")
            )
        if kind == b"P":
            return self._parse(bytes(inbox[start:end]))
        if self._prepared and kind in _EXTENDED:
            body = bytes(inbox[start:end])
            if self._prepared.knows(kind, body):
                return self._answer(kind, body)
        self._unsynced = self._unsynced or kind in _EXTENDED
        return Outcome.FORWARD

    def _drained(self) -> bool:
        """PostgreSQL has answered everything; if not, wait until it has (the message is then handled again)."""
        if not self._unsynced and not self.replies.expected:
            return True
        self._outbox += protocol.SYNC
        self._unsynced = False
        self.held = True
        self.replies.expect(Expectation(True, self._after_drain))
        return False

    def _after_drain(self, failed: bool) -> None:
        self._skipping = failed
        self._release()

    def _release(self, _failed: bool = False) -> None:
        self.held = False
        self._rim.pump()

    def _hold(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task on behalf of the client; messages behind it wait until it releases them."""
        self.held = True
        self._rim.run(work)

    def _own(self, sql: str) -> str:
        return without_database(sql, self._context.database)

    # Simple query protocol

    def _query(self, body: bytes) -> Outcome:
        if not self._drained():
            return Outcome.WAIT
        try:
            parts = statements(decode_text(body[:-1]))
            if len(parts) == 1 and not self.replies.track_writes:
                plan = self._cursors.resolve(classify(self._own(parts[0])))
                self._check_read_only(plan)
                if self._completion.is_complete(plan) and not plan.types:
                    return self._forward_query(plan)
        except TailraceError as error:
            self._rim.send(encode_failure(error))
            self._rim.send(protocol.encode_ready(self.replies.status))
            return Outcome.DONE
        self._hold(self._run_statements(parts))
        return Outcome.DONE

    def _check_read_only(self, plan: Forward | RowIdQuery | ColumnsQuery | CopyIn | Command) -> None:
        """Refuse what writes in a READ ONLY transaction before PostgreSQL does, which would abort the transaction."""
        if self.replies.status == commands.IN_TRANSACTION and writes(plan):
            refusal = not_in_transaction(plan, failed=False)
            if refusal is not None:
                raise refusal

    def _forward_query(self, plan: Forward) -> Outcome:
        """The hot path: one statement, PostgreSQL's own answer."""
        self.held = True
        self.replies.hide_positions = plan.rewritten
        self.replies.expect(Expectation(then=self._release))
        if not plan.rewritten:
            return Outcome.FORWARD
        self._outbox += protocol.encode_query(plan.sql)
        return Outcome.DONE

    async def _run_statements(self, parts: list[str]) -> None:
        """Run the statements of a query string one by one, up to the first error, and say ready."""
        try:
            for sql in parts:
                plan = self._cursors.resolve(classify(self._own(sql)))
                self._check_read_only(plan)
                if isinstance(plan, CopyIn):
                    if await self._copy_in(plan):
                        break
                    await self._implicit_flush()
                    continue
                if not isinstance(plan, Forward | RowIdQuery | ColumnsQuery):
                    self._rim.send(encode_reply(await self._carry_out(plan)))
                    continue
                forward = await self._completion.complete(plan)
                await self._context.flow.provide(forward.types)
                self.replies.hide_positions = True
                if await self._exchange.run(forward.sql):
                    break
                await self._implicit_flush()
        except (TailraceError, RelayedError) as error:
            self._rim.send(encode_failure(error))
        self._rim.send(protocol.encode_ready(self.replies.status))
        self._release()

    # Extended query protocol

    def _parse(self, body: bytes) -> Outcome:
        name, after = protocol.take_cstring(body)
        text, after = protocol.take_cstring(body, after)
        try:
            plan = self._cursors.resolve(classify(self._own(without_end(decode_text(text)))))
            self._check_read_only(plan)
        except TailraceError as error:
            return self._refuse(error)
        if self._completion.is_complete(plan) and not plan.types:
            self._unsynced = True
            self._prepared.replace(name)
            if not plan.rewritten:
                return Outcome.FORWARD
            self._outbox += protocol.encode_parse(name, plan.sql.encode(), body[after:])
            return Outcome.DONE
        if not self._drained():
            return Outcome.WAIT
        if isinstance(plan, Forward | RowIdQuery | ColumnsQuery):
            self._hold(self._parse_completed(name, plan, body[after:]))
            return Outcome.DONE
        self._rim.send(self._prepared.parse(name, plan))
        return Outcome.DONE

    async def _parse_completed(
        self, name: bytes, plan: Forward | RowIdQuery | ColumnsQuery, types: bytes
    ) -> None:
        """Parse of a query that depends on the catalog, or names types that have to be there first."""
        try:
            forward = await self._completion.complete(plan)
            await self._context.flow.provide(forward.types)
            self._unsynced = True
            self._prepared.replace(name)
            self._rim.to_postgres(protocol.encode_parse(name, forward.sql.encode(), types))
        except (TailraceError, RelayedError) as error:
            self._rim.send(encode_failure(error))
            self._skipping = True
        self._release()

    def _answer(self, kind: bytes, body: bytes) -> Outcome:
        """Bind, Describe, Execute or Close of a command."""
        if not self._drained():
            return Outcome.WAIT
        if kind == b"B":
            try:
                self._rim.send(self._prepared.bind(body))
            except TailraceError as error:
                return self._refuse(error)
        elif kind == b"D":
            self._rim.send(self._prepared.describe(body))
        elif kind == b"C":
            self._rim.send(self._prepared.close(body))
        else:
            self._hold(self._execute(self._prepared.portal(body)))
        return Outcome.DONE

    async def _execute(self, portal: Portal) -> None:
        try:
            if isinstance(portal.plan, CopyIn):
                self._skipping = await self._copy_in(portal.plan)
            else:
                self._rim.send(encode_reply(await self._carry_out(portal.plan), portal))
        except (TailraceError, RelayedError) as error:
            self._rim.send(encode_failure(error))
            self._skipping = True
        self._release()

    def _refuse(self, error: TailraceError) -> Outcome:
        """Answer a message of the extended protocol with an error; all up to Sync is skipped."""
        if not self._drained():
            return Outcome.WAIT
        self._rim.send(encode_failure(error))
        self._skipping = True
        return Outcome.DONE

    def _sync(self) -> Outcome:
        self._skipping = self._unsynced = False
        self._prepared.end_portals()
        if self.replies.track_writes:
            self.held = True
            self.replies.expect(Expectation(True, self._ready_after_flush))
        else:
            self.replies.expect(PASS_ON)
        return Outcome.FORWARD

    def _ready_after_flush(self, _failed: bool) -> None:
        self._hold(self._finish_sync())

    async def _finish_sync(self) -> None:
        """With RW_IMPLICIT_FLUSH, ready means that every view shows what was written."""
        try:
            await self._implicit_flush()
        except TailraceError as error:
            self._rim.send(encode_failure(error))
        self._rim.send(protocol.encode_ready(self.replies.status))
        self._release()

    # COPY ... FROM STDIN

    async def _copy_in(self, plan: CopyIn) -> bool:
        """`CopyRows.run`, for a client that may write."""
        refusal = not_in_transaction(plan, failed=self.replies.status == commands.FAILED)
        if refusal is not None:
            raise refusal
        if self._context.read_only:
            raise PermissionDenied(
                f"permission denied: role {self._context.user} may only read",
                hint="connect as root to change anything",
            )
        return await self._copy_rows.run(plan, self._exchange, self.replies)

    # Commands

    async def _implicit_flush(self) -> None:
        if self.replies.track_writes and self.replies.wrote:
            self.replies.wrote = False
            await self._context.flow.flush()

    async def _carry_out(self, plan: Command) -> Reply:
        """Run a command so that a cancel request can reach it. Raises TailraceError or RelayedError."""
        self._command = asyncio.ensure_future(commands.run(self._context, plan))
        try:
            return await self._command
        except asyncio.CancelledError:
            if self._rim.closed:
                raise
            raise commands.cancelled() from None
        finally:
            self._command = None
            self.replies.track_writes = self._context.settings.implicit_flush
