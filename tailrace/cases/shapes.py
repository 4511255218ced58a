"""What stands in for the relations that views read: tables of the same columns, types and keys.

The truth about types is the engine's: the relations are made once, empty, from their files (sources as tables of their columns),
asked for their columns, and dropped again. Rows that are never taken back come from an append-only table, since temporal joins
and EMIT ON WINDOW CLOSE ask for that; others from a table with the relation's key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.errors import TailraceError
from tailrace.lint.facts import is_append_only
from tailrace.sql.dialect import TailraceSQL
from tailrace.sql.kinds import RelationKind
from tailrace.sql.names import ObjectName

_COLUMNS = """
SELECT c.name, c.data_type, c.is_primary_key, c.is_hidden FROM rw_catalog.rw_columns AS c
JOIN rw_catalog.rw_relations AS r ON r.id = c.relation_id WHERE r.name = %s ORDER BY c.position
"""
Connection = psycopg.Connection[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Shape:
    """A stand-in: columns with types, `key` empty where it has none; `watermark` is a clause, or empty."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    append_only: bool
    watermark: str = ""

    def statement(self) -> sql.Composed:
        """CREATE TABLE; types and watermark come from the engine and the files, and are SQL."""
        parts: list[sql.Composable] = [
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
            for name, type_ in self.columns.items()
        ]
        if self.key and not self.append_only:
            keys = sql.SQL(", ").join(map(sql.Identifier, self.key))
            parts.append(sql.SQL("PRIMARY KEY ({})").format(keys))
        if self.watermark:
            parts.append(sql.SQL(self.watermark))
        tail = sql.SQL(" APPEND ONLY" if self.append_only else "")
        return sql.SQL("CREATE TABLE {} ({}){}").format(
            sql.Identifier(self.name), sql.SQL(", ").join(parts), tail
        )


def learn(connection: Connection, catalogue: Catalogue, names: Iterable[ObjectName]) -> dict[str, Shape]:
    """The shapes of relations, by name. Raises TailraceError where one cannot be made."""
    wanted = set(names)
    needed = wanted | {above for name in wanted for above in catalogue.upstream(name)}
    made: list[SqlObject] = []
    found: dict[str, Shape] = {}
    try:
        for name in (n for n in catalogue.order if n in needed):
            item = catalogue.objects[name]
            _make(connection, item, catalogue)
            made.append(item)
            if name in wanted:
                found[name.name] = _ask(connection, item, catalogue)
    finally:
        for item in reversed(made):
            kind = "TABLE" if item.kind is RelationKind.SOURCE else item.kind.upper()
            connection.execute(sql.SQL("DROP {} {}").format(sql.SQL(kind), sql.Identifier(item.name.name)))
    return found


def _make(connection: Connection, item: SqlObject, catalogue: Catalogue) -> None:
    try:
        if item.kind is RelationKind.SOURCE or (
            item.kind is RelationKind.TABLE and "connector" in item.sql.lower()
        ):
            connection.execute(_source(item, catalogue).statement())
        else:
            connection.execute(item.sql.encode())
    except psycopg.DatabaseError as error:
        raise TailraceError(
            f"{item.kind} {item.name} cannot be made: {error.diag.message_primary or error}",
            detail=f"{item.path}:{item.first_line}",
            hint=error.diag.message_hint or "tailrace lint tells more about the files",
        ) from error


def _source(item: SqlObject, catalogue: Catalogue) -> Shape:
    columns = catalogue.columns(item.name)
    if columns is None or any(c.type is None for c in columns):
        raise TailraceError(
            f"{item.path}:{item.first_line}: the columns of {item.name} are not in its text",
            hint="list them with their types, so that rows can be given for it",
        )
    typed = {c.name: c.type for c in columns if c.type is not None}
    return Shape(item.name.name, typed, (), append_only=True, watermark=_watermark(item))


def _ask(connection: Connection, item: SqlObject, catalogue: Catalogue) -> Shape:
    rows = connection.execute(_COLUMNS, (item.name.name,)).fetchall()
    shown = {row["name"]: row["data_type"] for row in rows if not row["is_hidden"]}
    keys = [row["name"] for row in rows if row["is_primary_key"]]
    key = tuple(keys) if set(keys) <= shown.keys() else ()
    append_only = is_append_only(item.name, catalogue)
    return Shape(item.name.name, shown, key, append_only, _watermark(item) if append_only else "")


def _watermark(item: SqlObject) -> str:
    found = item.tree.find(exp.WatermarkColumnConstraint)
    return found.sql(dialect=TailraceSQL) if found is not None else ""
