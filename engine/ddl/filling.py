"""How a new view gets its first content: at once in the statement's barrier, or by a backfill job of its own.

At once when what its inputs hold is little enough for a barrier; the object is then published with the statement.
Otherwise the object is recorded as being created, with tables for what changes meanwhile; `engine.ddl.finish` ends that
when the job has caught up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.backfill.fill import CatchUp, fill, stored_rows
from engine.backfill.pending import create_pending
from engine.catalog.objects import CatalogObject
from engine.compile.program import borrowed_indexes
from engine.ddl.context import DdlContext, Reply

SMALL_ROWS = 5_000
"""What may be filled within a barrier: some 100 ms of work."""


@dataclass(frozen=True, slots=True)
class Filling:
    """What the flow lends: reading sources again, how many messages that would be, and from where on a job is wanted."""

    catch_up: CatchUp
    messages_behind: Callable[[CatalogObject], int]
    small_rows: int = SMALL_ROWS

    @property
    def small_index_rows(self) -> int:
        """What may be indexed within a barrier: an index costs less a row than a view."""
        return self.small_rows * 10


def fill_or_start(context: DdlContext, new: CatalogObject, filling: Filling, reply: Reply) -> bool:
    """Record `new` and fill it; True if that is done, False if a job has to do it (`reply.job` names it then)."""
    inputs = context.catalog.inputs_of(new)
    context.settle(inputs)
    rows = 0
    for item in inputs:
        rows += (
            filling.messages_behind(item)
            if item.kind == "source"
            else stored_rows(context.connection, item, filling.small_rows + 1)
        )
    if rows <= filling.small_rows:
        context.record(new)
        program = new.program
        assert program is not None  # noqa: S101 - only what has a program is filled
        for name, on in borrowed_indexes(program, new.id).items():
            context.execute(f"CREATE INDEX {name} ON {on}")
        fill(context.connection, new, inputs, now=context.now, catch_up=filling.catch_up)
        context.execute("DISCARD PLANS")
        return True
    context.execute(*(create_pending(new.id, i) for i in inputs))
    start_job(context, new, reply)
    return False


def start_job(context: DdlContext, new: CatalogObject, reply: Reply) -> None:
    """Record `new` as being created, by a job that begins behind this statement."""
    context.record(replace(new, status="creating"))
    context.connection.execute(
        "INSERT INTO engine.backfills (object_id, background) VALUES (%s, %s)", (new.id, context.background)
    )
    context.connection.execute(
        "INSERT INTO engine.backfill_progress (object_id, done_rows) VALUES (%s, 0)", (new.id,)
    )
    reply.job = new.id
