"""Deletes what has outlived its retention: rows of tables and views WITH (retention_seconds = n).

Outside of the delta path: no view hears of it, so what was counted stays counted. Rows of one transaction go together, and
relations of equal retention go together up to the same moment: a memory of event ids and a count of their copies, say, forget
an id in one step. A view that a job still fills is left alone until it is ready. Called by the loop between barriers, at
most once a second; the work of a call is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from engine.catalog.objects import Catalog
from engine.compile.program import SCHEMA, WRITTEN

Connection = psycopg.Connection[tuple[Any, ...]]
MAX_ROWS = 20_000
"""Rows that a call deletes of each table: more than a second brings, less than what a barrier would wait long for."""
_TABLES = """
SELECT c.relname, substring(c.relname FROM '_([0-9]+)')::integer FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
LEFT JOIN engine.backfills AS b ON b.object_id = substring(c.relname FROM '_([0-9]+)')::integer
WHERE b.object_id IS NULL AND a.attname = %s AND c.relkind = 'r' AND c.relnamespace = %s::regnamespace ORDER BY c.relname
"""


def expire(connection: Connection, catalog: Catalog, now: datetime, max_rows: int = MAX_ROWS) -> int:
    """Delete what was written before `now` minus its retention; returns the number of rows. In a transaction of the caller's."""
    kept = {o.id: int(s) for o in catalog.objects.values() if (s := o.body.get("retention_s")) is not None}
    if not kept:
        return 0
    groups: dict[int, list[str]] = {}
    for name, id_ in connection.execute(_TABLES, (WRITTEN, SCHEMA)).fetchall():
        if id_ in kept:
            groups.setdefault(kept[id_], []).append(name)
    return sum(
        _expire_together(connection, names, now - timedelta(seconds=seconds), max_rows)
        for seconds, names in groups.items()
    )


def _expire_together(connection: Connection, names: Sequence[str], cutoff: datetime, max_rows: int) -> int:
    """Delete the rows before `cutoff`, or before an earlier moment that leaves no table with more than `max_rows` to delete."""
    bound = min([cutoff, *_bounds(connection, names, cutoff, max_rows)])
    deleted = _run(connection, names, "DELETE FROM {table} WHERE {written} < %s", (bound,))
    if deleted or bound == cutoff:
        return deleted
    # one transaction wrote more than a call may delete (a view that was filled): only then its rows go in pieces
    piece = (
        "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {written} < %s "
        "ORDER BY {written} LIMIT %s))"
    )
    return _run(connection, names, piece, (cutoff, max_rows))


def _bounds(
    connection: Connection, names: Iterable[str], cutoff: datetime, max_rows: int
) -> Iterable[datetime]:
    question = "SELECT {written} FROM {table} WHERE {written} < %s ORDER BY {written} OFFSET %s LIMIT 1"
    for name in names:
        row = connection.execute(_statement(question, name), (cutoff, max_rows)).fetchone()
        if row is not None:
            yield row[0]


def _run(connection: Connection, names: Iterable[str], statement: str, parameters: tuple[Any, ...]) -> int:
    return sum(connection.execute(_statement(statement, name), parameters).rowcount for name in names)


def _statement(text: str, table: str) -> sql.Composed:
    return sql.SQL(text).format(table=sql.Identifier(SCHEMA, table), written=sql.Identifier(WRITTEN))
