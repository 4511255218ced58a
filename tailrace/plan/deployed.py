"""What a database holds: relations with their definitions, columns and sizes, asked of rw_catalog. The only I/O of planning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg

from tailrace.errors import TailraceError
from tailrace.migrate.environment import VERSION_TABLE
from tailrace.migrate.journal import JOURNAL_TABLE
from tailrace.project.files import Relation, relation_of
from tailrace.sql.kinds import RelationKind

_RELATIONS = """
SELECT r.name, r.relation_type, r.definition FROM rw_catalog.rw_relations AS r
JOIN rw_catalog.rw_schemas AS s ON s.id = r.schema_id WHERE s.name = 'public' ORDER BY r.id
"""
_COLUMNS = """
SELECT r.name, c.name, c.data_type FROM rw_catalog.rw_columns AS c JOIN rw_catalog.rw_relations AS r ON r.id = c.relation_id
WHERE NOT c.is_hidden ORDER BY r.id, c.position
"""
_ROWS = """
SELECT r.name, s.total_key_count FROM rw_catalog.rw_table_stats AS s JOIN rw_catalog.rw_relations AS r ON r.id = s.id
"""
_OWN = {VERSION_TABLE, JOURNAL_TABLE}
_KINDS = {kind.value for kind in RelationKind}


@dataclass(frozen=True, slots=True)
class Deployed:
    """By name: `relations` that can be read as statements; `columns` in order with types; `rows`, as far as they are counted.

    `unread` are relations whose definitions are none that this version reads (subscriptions, texts of another dialect).
    """

    relations: Mapping[str, Relation]
    columns: Mapping[str, dict[str, str]] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()


def read_deployed(url: str) -> Deployed:
    """Ask once. Raises TailraceError when nobody answers."""
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            listed = connection.execute(_RELATIONS).fetchall()
            columns = connection.execute(_COLUMNS).fetchall()
            rows = _ask(connection, _ROWS)
    except psycopg.OperationalError as error:
        raise TailraceError(
            f"no database session: {str(error).strip()}",
            sqlstate="08001",
            hint="start one with `tailrace up`, or set TAILRACE_SQL_URL",
        ) from error
    relations: dict[str, Relation] = {}
    unread: set[str] = set()
    for name, kind, definition in listed:
        if name in _OWN or kind == "system table":
            continue
        found = _relation(definition) if kind in _KINDS else None
        if found is None:
            unread.add(name)
        else:
            relations[name] = found
    by_name: dict[str, dict[str, str]] = {}
    for name, column, type_ in columns:
        by_name.setdefault(name, {})[column] = type_
    return Deployed(relations, by_name, dict(rows), frozenset(unread))


def _relation(definition: str | None) -> Relation | None:
    try:
        return relation_of(definition or "")
    except TailraceError:
        return None


def _ask(connection: psycopg.Connection[Any], query: LiteralString) -> list[Any]:
    """Rows of what not every engine counts; none where it does not."""
    try:
        return connection.execute(query).fetchall()
    except psycopg.DatabaseError:
        return []
