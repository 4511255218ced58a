"""What changes in a view's inputs while the view is being filled: one table per input, written by each barrier.

A pending row is a row of the input's delta, with the epoch of its barrier. The worker takes the epochs that its snapshot
shows, the flow takes the rest when it publishes the view.
"""

from __future__ import annotations

from typing import Any

import psycopg

from engine.catalog.objects import CatalogObject
from engine.compile.builder import consolidate
from engine.compile.program import delta_name
from engine.operators.base import WEIGHT, names, quote

Connection = psycopg.Connection[tuple[Any, ...]]
EPOCH = "_epoch"


def pending_name(view_id: int, input_id: int) -> str:
    """The table that holds an input's changes for a view that is being filled."""
    return f"engine.pending_{view_id}_{input_id}"


def create_pending(view_id: int, item: CatalogObject) -> str:
    """DDL of the table."""
    columns = ", ".join(f"{quote(c.name)} {c.type}" for c in item.columns)
    body = f"{columns}, {WEIGHT} integer NOT NULL, {EPOCH} bigint NOT NULL"
    return f"CREATE TABLE {pending_name(view_id, item.id)} ({body})"


def keep_pending(view_id: int, item: CatalogObject, epoch: str) -> str:
    """The statement that keeps the current barrier's delta of an input; `epoch` is an SQL expression."""
    columns = names(item.columns)
    return (
        f"INSERT INTO {pending_name(view_id, item.id)} ({columns}, {WEIGHT}, {EPOCH}) "
        f"SELECT {columns}, {WEIGHT}, {epoch} FROM {delta_name(item.id)}"
    )


def count_pending(connection: Connection, view: CatalogObject, inputs: list[CatalogObject], most: int) -> int:
    """How many changes wait, counted up to `most` per input."""
    counts = ", ".join(
        f"(SELECT count(*) FROM (SELECT 1 FROM {pending_name(view.id, i.id)} LIMIT {most}) AS q)"
        for i in inputs
    )
    row = connection.execute(f"SELECT {counts}").fetchone() if inputs else ()
    return sum(row or ())


def load_pending(connection: Connection, view: CatalogObject, item: CatalogObject, epoch: int) -> None:
    """Fill the input's delta table with the changes up to `epoch`; they stay until they are forgotten or dropped.

    Epochs are merged into one delta, so what came and went again cancels out.
    """
    columns, table = names(item.columns), pending_name(view.id, item.id)
    upto = f"(SELECT * FROM {table} WHERE {EPOCH} <= {epoch:d})"
    rows = (
        f"SELECT {columns}, {WEIGHT} FROM {upto} AS d"
        if item.body.get("append_only")
        else consolidate(upto, columns)
    )
    connection.execute(f"INSERT INTO {delta_name(item.id)} ({columns}, {WEIGHT}) {rows}")


def forget_pending(connection: Connection, view: CatalogObject, item: CatalogObject, epoch: int) -> None:
    """Delete the changes up to `epoch`: the view has them."""
    connection.execute(f"DELETE FROM {pending_name(view.id, item.id)} WHERE {EPOCH} <= {epoch:d}")


def drop_pending(view_id: int, input_id: int) -> str:
    """DDL that removes the table."""
    return f"DROP TABLE IF EXISTS {pending_name(view_id, input_id)}"
