"""Subscription cursors: how a session reads the log of a subscription, batch by batch.

They belong to the session and end with it. A cursor is a place in the log (`engine.compile.subscription`); with FULL it
first reads a snapshot of the relation, which PostgreSQL keeps as a cursor WITH HOLD, taken with the log's end in one
snapshot: no gap, no overlap. Called by `engine.wire.commands`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlglot import exp

from engine.subscription_log import OPS, subscription_log
from engine.wire.plans import (
    CloseSubscription,
    ColumnsQuery,
    Command,
    CopyIn,
    DeclareSubscription,
    FetchSubscription,
    Forward,
    RowIdQuery,
    ShowCursors,
)
from engine.wire.protocol import INT8_OID, Column
from tailrace.errors import InvalidStatement, TailraceError, UndefinedObject

POLL_S = 0.02
"""How often a FETCH with a timeout looks for something new."""


class Rows(Protocol):
    """The answer to a query of our own."""

    @property
    def rows(self) -> list[list[str | None]]: ...


Ask = Callable[[str], Awaitable[Rows]]
"""Runs SQL in the session; raises PostgreSQL's complaint."""


@dataclass(slots=True)
class SubscriptionCursor:
    """`position` is the last sequence number read; `snapshot` is True while rows of the snapshot are left."""

    subscription: str
    id: int
    retention_s: int
    columns: tuple[Column, ...]
    position: int
    snapshot: bool
    current_at: float
    """When it last stood at the log's end, by the loop's clock, in seconds."""


@dataclass(slots=True)
class Cursors:
    """One session's cursors, by name."""

    ask: Ask
    _cursors: dict[str, SubscriptionCursor] = field(default_factory=dict)

    def resolve(
        self, plan: Forward | RowIdQuery | ColumnsQuery | CopyIn | Command
    ) -> Forward | RowIdQuery | ColumnsQuery | CopyIn | Command:
        """What a FETCH or CLOSE means here: of a subscription cursor, or of one that PostgreSQL has."""
        if isinstance(plan, FetchSubscription):
            cursor = self._cursors.get(plan.name)
            if cursor is not None:
                return replace(plan, columns=cursor.columns)
            if plan.timeout_s is None:
                return Forward(plan.sql)
            raise _unknown(plan.name)
        if isinstance(plan, CloseSubscription) and plan.name not in self._cursors:
            return Forward(plan.sql)
        return plan

    def forget(self) -> None:
        """DISCARD ALL: no cursor is left."""
        self._cursors.clear()

    async def declare(self, plan: DeclareSubscription, *, in_transaction: bool) -> None:
        """Open a cursor. Raises UndefinedObject, InvalidStatement, and what PostgreSQL says."""
        if plan.name in self._cursors:
            raise InvalidStatement(
                f'cursor "{plan.name}" already exists', sqlstate="42P03", hint=f"CLOSE {plan.name}"
            )
        schema = (
            f"s.schema_name = {_literal(plan.schema)}"
            if plan.schema is not None
            else "s.schema_name = ANY (pg_catalog.current_schemas(true)::text[])"
        )
        found = await self.ask(
            "SELECT s.id, s.retention_seconds, floor(extract(epoch FROM pg_catalog.now()) * 1000)::bigint "  # noqa: S608
            f"FROM rw_catalog.rw_subscriptions AS s WHERE s.name = {_literal(plan.subscription)} AND {schema} "
            "ORDER BY pg_catalog.array_position(pg_catalog.current_schemas(true)::text[], s.schema_name) LIMIT 1"
        )
        if not found.rows:
            raise UndefinedObject(
                f'subscription "{plan.subscription}" does not exist',
                hint="SHOW SUBSCRIPTIONS lists those there are",
            )
        id_, retention_s, now_ms = (int(value or 0) for value in found.rows[0])
        _check_since(plan.since_ms, now_ms, retention_s)
        columns = await self._columns(id_)
        if plan.full:
            position = await self._hold_snapshot(plan.name, id_, in_transaction=in_transaction)
        else:
            position = await self._position(plan, id_)
        at = asyncio.get_running_loop().time()
        self._cursors[plan.name] = SubscriptionCursor(
            plan.subscription, id_, retention_s, columns, position, plan.full, at
        )

    async def fetch(self, plan: FetchSubscription) -> list[list[str | None]]:
        """The next rows, at most as many as are wanted; waits for the first one as long as the plan says."""
        loop, cursor = asyncio.get_running_loop(), self._cursors[plan.name]
        deadline = loop.time() + (plan.timeout_s or 0.0)
        while True:
            rows = await self._next(plan.name, cursor, plan.count)
            if rows or loop.time() >= deadline:
                return rows
            await asyncio.sleep(min(POLL_S, max(0.0, deadline - loop.time())))

    async def close(self, plan: CloseSubscription) -> None:
        """Close a cursor that is known here."""
        cursor = self._cursors.pop(plan.name)
        if cursor.snapshot:
            await self.ask(f"CLOSE {_held(plan.name)}")

    def show(self, plan: ShowCursors) -> list[list[str | None]]:
        """The rows of SHOW [SUBSCRIPTION] CURSORS."""
        now = asyncio.get_running_loop().time()
        if not plan.subscriptions:
            return [[name] for name in sorted(self._cursors)]
        return [
            [name, c.subscription, "Fetch" if c.snapshot else "Idle", str(round((now - c.current_at) * 1000))]
            for name, c in sorted(self._cursors.items())
        ]

    async def _columns(self, id_: int) -> tuple[Column, ...]:
        """The relation's columns by their types, and the two that tell about the change."""
        answer = await self.ask(
            "SELECT c.name, a.atttypid FROM rw_catalog.rw_columns AS c JOIN pg_catalog.pg_attribute AS a "  # noqa: S608
            f"ON a.attrelid = '{subscription_log(id_)}'::regclass AND a.attname = 'v' || c.position "
            f"WHERE c.relation_id = {id_} ORDER BY c.position"
        )
        shown = [Column(name or "", int(oid or 0)) for name, oid in answer.rows]
        return (*shown, Column("op"), Column("rw_timestamp", INT8_OID))

    async def _position(self, plan: DeclareSubscription, id_: int) -> int:
        if plan.begin:
            return 0
        before = f" WHERE _ms < {plan.since_ms}" if plan.since_ms is not None else ""
        answer = await self.ask(f"SELECT coalesce(max(_seq), 0) FROM {subscription_log(id_)}{before}")  # noqa: S608
        return int(answer.rows[0][0] or 0)

    async def _hold_snapshot(self, name: str, id_: int, *, in_transaction: bool) -> int:
        query = (
            f"SELECT coalesce(max(_seq), 0) FROM {subscription_log(id_)}; DECLARE {_held(name)} NO SCROLL CURSOR WITH HOLD "  # noqa: S608
            f"FOR SELECT s.*, 'Insert'::varchar AS op, NULL::bigint AS rw_timestamp FROM engine.subscribed_{id_} AS s"
        )
        if in_transaction:
            answer = await self.ask(query)
        else:
            try:
                answer = await self.ask(f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {query}; COMMIT")
            except Exception:
                await self.ask("ROLLBACK")
                raise
        return int(answer.rows[0][0] or 0)

    async def _next(self, name: str, cursor: SubscriptionCursor, count: int) -> list[list[str | None]]:
        rows: list[list[str | None]] = []
        if cursor.snapshot:
            rows = (await self.ask(f"FETCH FORWARD {count} FROM {_held(name)}")).rows
            if len(rows) == count:
                return rows
            await self.ask(f"CLOSE {_held(name)}")
            cursor.snapshot = False
        now = asyncio.get_running_loop().time()
        if now - cursor.current_at > cursor.retention_s:
            raise InvalidStatement(
                f'cursor "{name}" has exceeded the retention of its subscription: changes behind it are gone',
                sqlstate="55000",
                hint=f"CLOSE {name}, and DECLARE it again with FULL",
            )
        values = "".join(f"v{number}, " for number in range(1, len(cursor.columns) - 1))
        answer = await self.ask(
            f"SELECT _seq, {values}(ARRAY[{OPS}])[_op], _ms FROM {subscription_log(cursor.id)} "  # noqa: S608
            f"WHERE _seq > {cursor.position} ORDER BY _seq LIMIT {count - len(rows)}"
        )
        if answer.rows:
            cursor.position = int(answer.rows[-1][0] or 0)
        if len(answer.rows) < count - len(rows):
            cursor.current_at = now
        return rows + [row[1:] for row in answer.rows]


def _check_since(since_ms: int | None, now_ms: int, retention_s: int) -> None:
    if since_ms is None:
        return
    if since_ms > now_ms:
        raise InvalidStatement(
            f"SINCE {since_ms} lies in the future", sqlstate="22023", hint="milliseconds since 1970"
        )
    if since_ms < now_ms - retention_s * 1000:
        raise InvalidStatement(
            f"SINCE {since_ms} lies before what the subscription retains",
            sqlstate="22023",
            hint="SINCE begin() starts with the oldest change kept; FULL with the whole relation",
        )


def _unknown(name: str) -> TailraceError:
    return TailraceError(f'cursor "{name}" does not exist', sqlstate="34000", hint="DECLARE it first")


def _held(name: str) -> str:
    """The name of the PostgreSQL cursor behind a snapshot."""
    return exp.to_identifier(f"subscription cursor {name}"[:63], quoted=True).sql(dialect="postgres")


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql(dialect="postgres")
