"""The end of a backfill job: a view takes in what is left, in one barrier, and clients see the object.

Called by the flow in a barrier's transaction when the job's worker says that little is left.
"""

from __future__ import annotations

from engine.backfill.fill import clear_deltas
from engine.backfill.pending import drop_pending, load_pending
from engine.catalog.objects import CatalogObject, set_created
from engine.ddl.context import DdlContext
from engine.ddl.create_sink import announce
from engine.ddl.create_view import let_clean, let_close, publish


def finish(context: DdlContext, item: CatalogObject, epoch: int) -> None:
    """Take in what waits up to `epoch`, this barrier's, and publish `item`."""
    if item.kind != "index":
        _take_in(context, item, epoch)
    for table in ("backfills", "backfill_progress"):
        context.connection.execute(f"DELETE FROM engine.{table} WHERE object_id = %s", (item.id,))
    created = set_created(context.connection, item)
    context.catalog.objects[item.id] = created
    if item.kind == "materialized view":
        publish(context, created)
    elif item.kind == "sink":
        let_clean(context, created)
        if created.program is not None and created.program.follows_watermarks:
            let_close(context, created)
        announce(context)
    context.execute("DISCARD PLANS")


def _take_in(context: DdlContext, item: CatalogObject, epoch: int) -> None:
    inputs = context.catalog.inputs_of(item)
    context.settle([*inputs, item])
    row = context.connection.execute(
        "SELECT filled_time FROM engine.backfills WHERE object_id = %s", (item.id,)
    ).fetchone()
    last = row[0] if row else None
    assert last is not None  # noqa: S101 - the worker has committed a pass
    for each in inputs:
        load_pending(context.connection, item, each, epoch)
    context.connection.execute(f"SELECT engine.step_{item.id}(%s, %s, false, false)", (context.now, last))
    clear_deltas(context.connection, item, inputs)
    context.execute(*(drop_pending(item.id, i.id) for i in inputs))
