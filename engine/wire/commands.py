"""Carries out what is not simply forwarded: transactions, settings, SHOW, FLUSH and everything for the flow.

Independent of the protocol's variant: the session asks for a plan to be run, and answers its client from the
`Reply`. While a command runs, PostgreSQL is idle: the session has seen to that. Called by
`engine.wire.session`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sqlglot import exp

from engine.wire import plans
from engine.wire.classify import not_in_transaction
from engine.wire.computed_columns import catalog_changed
from engine.wire.cursors import Cursors
from engine.wire.protocol import Column
from engine.wire.rpc import FlowClient
from engine.wire.settings import POSTGRES_SETTINGS, Settings, check_value
from tailrace.errors import PermissionDenied, TailraceError
from tailrace.sql.shown import shown_definition

# All reads of a READ ONLY transaction see one snapshot, as in RisingWave: all views at the same barrier. PostgreSQL's own
# default would take a new one for each statement.
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
BEGIN_NOTICE = (
    "Read-write transaction is not supported yet. Please specify `READ ONLY` to start a read-only transaction.\n"
    "For compatibility, this statement will still succeed but no transaction is actually started."
)
NO_TRANSACTION_NOTICE = "there is no transaction in progress"

IDLE = ord("I")
FAILED = ord("E")
IN_TRANSACTION = ord("T")

IDLE_IN_TRANSACTION = "idle_in_transaction_session_timeout"
IDLE_IN_TRANSACTION_MS = 30_000
"""Longest a session may sit in an open transaction: an old snapshot slows every barrier down."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client is told when a command has run."""

    tag: str
    columns: tuple[Column, ...] = ()
    rows: list[list[str | None]] = field(default_factory=list)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What PostgreSQL said to a query of our own: rows as text with the names of their columns, and the command tag."""

    tag: str
    rows: list[list[str | None]]
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Context:
    """What commands need of their session. `ask` raises RelayedError with PostgreSQL's complaint."""

    user: str
    database: str
    settings: Settings
    flow: FlowClient
    databases: FlowClient
    ask: Callable[[str], Awaitable[Answer]]
    transaction_status: Callable[[], int]
    read_only: bool
    """The role may read and nothing else: PostgreSQL says so of its session, and the flow executes nothing for it."""
    forget_statement: Callable[[str | None], bool]
    """Drop one (None: every) prepared statement that only the relay knows; tells whether there was one."""
    cursors: Cursors


class RelayedError(Exception):
    """An error of PostgreSQL's in answer to a command of the relay: passed on to the client as it is."""

    def __init__(self, body: bytes) -> None:
        super().__init__("PostgreSQL refused")
        self.body = body


async def run(context: Context, plan: plans.Command) -> Reply:
    """Carry out one command. Raises TailraceError or RelayedError."""
    status = context.transaction_status()
    if status != IDLE:
        refusal = not_in_transaction(plan, failed=status == FAILED)
        if refusal is not None:
            raise refusal
    match plan:
        case plans.Begin() | plans.End():
            return await _transaction(context, plan, status)
        case plans.Set():
            return await _set(context, plan)
        case plans.SetConfig():
            done = await _set(context, plan.set)
            return Reply("SELECT 1", plan.columns, [[plan.value]], done.notices)
        case plans.ResetAll():
            await context.ask(plan.sql)
            context.settings.reset()
            if plan.discard:
                context.forget_statement(None)
                context.cursors.forget()
            return Reply(plan.tag)
        case plans.ShowVariable() | plans.ShowAll():
            return await _show(context, plan)
        case plans.Lookup():
            answer = await context.ask(plan.sql)
            if not answer.rows and plan.missing is not None:
                raise plan.missing
            width = len(plan.columns)
            rows = [row[:width] for row in answer.rows]
            if plan.definitions:
                rows = [[*row[:-1], shown_definition(row[-1] or "")] for row in rows]
            return Reply(plan.tag, plan.columns, rows)
        case plans.NoOperation():
            return Reply(plan.tag, notices=() if plan.notice is None else (plan.notice,))
        case plans.Deallocate():
            known_here = context.forget_statement(plan.name)
            if not known_here or plan.name is None:
                await context.ask(plan.sql)
            return Reply("DEALLOCATE")
        case plans.DeclareSubscription():
            await context.cursors.declare(plan, in_transaction=status != IDLE)
            return Reply("DECLARE_CURSOR")
        case plans.FetchSubscription():
            return Reply("FETCH_CURSOR", plan.columns, await context.cursors.fetch(plan))
        case plans.CloseSubscription():
            await context.cursors.close(plan)
            return Reply("CLOSE_CURSOR")
        case plans.ShowCursors():
            return Reply("SHOW_COMMAND", plan.columns, context.cursors.show(plan))
        case plans.Flush():
            await context.flow.flush()
            return Reply("FLUSH")
        case plans.FlowCommand() | plans.DatabaseCommand():
            if context.read_only and plan.columns != plans.QUERY_PLAN:
                raise PermissionDenied(
                    f"permission denied: role {context.user} may only read",
                    hint="connect as root to change anything",
                )
            server = context.flow if isinstance(plan, plans.FlowCommand) else context.databases
            try:
                reply = await server.execute(
                    plan.sql,
                    user=context.user,
                    database=context.database,
                    settings=context.settings.for_flow(),
                )
            finally:
                catalog_changed()
            return Reply(reply.tag, reply.columns or (), reply.rows, tuple(reply.notices))


async def _transaction(context: Context, plan: plans.Begin | plans.End, status: int) -> Reply:
    if isinstance(plan, plans.Begin):
        if not plan.read_only:
            return Reply(plan.tag, notices=(BEGIN_NOTICE,))
        await context.ask(SNAPSHOT)
        return Reply(plan.tag)
    if status == IDLE:
        return Reply(plan.tag, notices=(NO_TRANSACTION_NOTICE,))
    return Reply((await context.ask(plan.tag)).tag)


async def _set(context: Context, plan: plans.Set) -> Reply:
    settings, name = context.settings, plan.name
    notices: tuple[str, ...] = ()
    values = plan.values
    if values is None:
        settings.reset(name)
        if name in POSTGRES_SETTINGS:
            await context.ask(f"RESET {name}")
        return Reply(plan.tag)
    value = check_value(name, ", ".join(map(_quoted, values) if name == "search_path" else values))
    if name in POSTGRES_SETTINGS:
        literals = (exp.Literal.string(text).sql(dialect="postgres") for text in values)
        await context.ask(f"SET {name} TO {', '.join(literals)}")
    elif name == IDLE_IN_TRANSACTION:
        limited = min(int(value), IDLE_IN_TRANSACTION_MS) if int(value) > 0 else IDLE_IN_TRANSACTION_MS
        if str(limited) != value:
            value = str(limited)
            notices = (
                f"{name} is at most {IDLE_IN_TRANSACTION_MS} ms here: an old snapshot slows every view",
            )
        await context.ask(f"SET {name} TO {value}")
    settings.set(name, value)
    return Reply(plan.tag, notices=notices)


def _quoted(name: str) -> str:
    """A schema as it stands in a search path: quoted, so that its case and its commas are its own."""
    return exp.to_identifier(name, quoted=True).sql(dialect="postgres")


async def _show(context: Context, plan: plans.ShowVariable | plans.ShowAll) -> Reply:
    settings = context.settings
    if isinstance(plan, plans.ShowVariable):
        if plan.name not in POSTGRES_SETTINGS:
            return Reply("SHOW_VARIABLE", plan.columns, [[settings.get(plan.name)]])
        return Reply("SHOW_VARIABLE", plan.columns, (await context.ask(f"SHOW {plan.name}")).rows)
    values = settings.all()
    for name in POSTGRES_SETTINGS:
        values[name] = (await context.ask(f"SHOW {name}")).rows[0][0] or ""
    return Reply("SHOW_VARIABLE", plan.columns, [[name, values[name], ""] for name in sorted(values)])


def cancelled() -> TailraceError:
    """What a client is told that cancelled a command while the flow was at it."""
    return TailraceError(
        "canceling statement due to user request",
        sqlstate="57014",
        detail="the stream engine may still finish what it has begun",
        hint="SHOW JOBS, or SHOW CREATE for the object, tells whether it did",
    )
