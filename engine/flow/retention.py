"""Deletes what has outlived its retention: rows of tables and views WITH (retention_seconds = n).

Outside of the delta path: no view hears of it, so what was counted stays counted. Rows of one transaction go together, and
relations of equal retention go together up to the same moment: a memory of event ids and a count of their copies, say, forget
an id in one step. A view that a job still fills is left alone until it is ready. Called by the loop between barriers, at
most once a second; the work of a call is bounded.

`clean` deletes what lies below the watermark of tables WITH TTL: changes of such rows are none to those who read the table. It
leaves a table alone where some reader looks rows up in it, as a join does: there they still stand for what was made of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from engine.catalog.objects import Catalog, CatalogObject
from engine.compile.program import SCHEMA, WRITTEN
from engine.ddl.retention import CLEANED, EXPIRING

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


def clean(connection: Connection, catalog: Catalog, max_rows: int = MAX_ROWS) -> int:
    """Delete rows below the watermarks of tables WITH TTL, each table's in a transaction of its own; returns their number.

    A row that a client is about to change is left for the next time.
    """
    return sum(
        _clean(connection, table, max_rows)
        for table in catalog.of_kind("table")
        if CLEANED in table.body and not _looked_into(catalog, table)
    )


def _clean(connection: Connection, table: CatalogObject, max_rows: int) -> int:
    stored, low = (sql.Identifier(SCHEMA, f"{kind}_{table.id}") for kind in ("table", "watermark"))
    name = table.body[CLEANED]
    type_ = next(c.type for c in table.columns if c.name == name)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        row = connection.execute(sql.SQL("SELECT w.low::text FROM {low} AS w").format(low=low)).fetchone()
        if row is None or row[0] is None:
            return 0
        connection.execute(f"SET LOCAL {EXPIRING} = 'on'")
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute("SET LOCAL lock_timeout = '50ms'")
        delete = sql.SQL(
            "DELETE FROM {stored} WHERE ctid = ANY (ARRAY(SELECT o.ctid FROM {stored} AS o "
            "WHERE o.{column} < {low}::{type} LIMIT {most} FOR UPDATE SKIP LOCKED))"
        )  # the watermark as a literal: by that the planner finds the index
        parts = {"column": sql.Identifier(name), "low": sql.Literal(row[0]), "type": sql.SQL(type_)}
        return connection.execute(delete.format(stored=stored, most=sql.Literal(max_rows), **parts)).rowcount


def _looked_into(catalog: Catalog, table: CatalogObject) -> bool:
    """Does something read rows of the table besides their changes, or is something being filled from it?"""
    stored = re.compile(rf"\btable_{table.id}\b")
    for id_ in catalog.read_by_views(table.id):
        reader = catalog.objects[id_]
        program = reader.program
        if reader.is_creating or program is None:
            return True
        if any(stored.search(text) for text in (program.function, program.content, str(program.storage))):
            return True
    return False


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
