"""ON CONFLICT and WITH VERSION COLUMN of CREATE TABLE: what becomes of a row whose primary key is there already.

A row of an older version than the stored one is left out, a NULL version being the oldest; of an UPDATE too, since
RisingWave takes it for the arrival of the new row. Done by row triggers (`engine.ddl.table_storage`), which see what the
statement itself has inserted so far, so that rows of one statement meet each other in their order.
Source: RisingWave docs, CREATE TABLE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from engine.operators.base import quote
from tailrace.errors import InvalidStatement
from tailrace.sql.dialect import (
    IGNORE,
    OVERWRITE,
    OnConflictProperty,
    VersionColumnsProperty,
)
from tailrace.sql.names import folded

_INCOMPARABLE = ("boolean", "jsonb", "bytea")


@dataclass(frozen=True, slots=True)
class Conflicts:
    """`behaviour`: the dialect's OVERWRITE, IGNORE or UPDATE_IF_NOT_NULL; `versions`: columns, the first decides first."""

    behaviour: str = OVERWRITE
    versions: tuple[str, ...] = ()


def conflicts_of(
    tree: exp.Create, types: Mapping[str, str], key: Sequence[str], *, append_only: bool
) -> Conflicts:
    """What a CREATE TABLE says; raises InvalidStatement for what contradicts itself. `types`: of the columns, by name."""
    properties = tree.args.get("properties")
    behaviour: str | None = None
    versions: tuple[str, ...] = ()
    for item in properties.expressions if properties is not None else ():
        if isinstance(item, OnConflictProperty):
            behaviour = item.name
        elif isinstance(item, VersionColumnsProperty):
            versions = tuple(folded(e) for e in item.expressions)
    for version in versions:
        if version not in types:
            raise InvalidStatement(f"Version column {version} not found", sqlstate="42703")
        if (
            types[version] in _INCOMPARABLE
            or types[version].startswith("rw.")
            or types[version].endswith("[]")
        ):
            raise InvalidStatement(
                f"Version column {version} must be of a comparable data type", sqlstate="42804"
            )
    if append_only and key:
        if behaviour not in (None, IGNORE):
            raise InvalidStatement(
                "When PRIMARY KEY constraint applied to an APPEND ONLY table, "
                "the ON CONFLICT behavior must be DO NOTHING."
            )
        behaviour = IGNORE
    if behaviour == IGNORE and versions:
        raise InvalidStatement(
            "The with version column syntax cannot be used with the ignore behavior of on conflict",
            sqlstate="22023",
        )
    return Conflicts(behaviour or OVERWRITE, versions)


def merged(old: str, key: Sequence[str], settable: Sequence[str]) -> str:
    """The new row takes the old row's values where it has none."""
    rest = [quote(c) for c in settable if c not in key]
    return "".join(f"NEW.{c} := coalesce(NEW.{c}, {old}.{c}); " for c in rest)


def is_older(old: str, versions: Sequence[str]) -> str:
    """Is NEW's version below the other row's? NULL is below everything; a later column decides where earlier ones are equal.

    >>> is_older("old", ["v"])
    '(old."v" > NEW."v" OR (old."v" IS NOT NULL AND NEW."v" IS NULL))'
    """
    parts = []
    for number, version in enumerate(versions):
        c = quote(version)
        below = f"({old}.{c} > NEW.{c} OR ({old}.{c} IS NOT NULL AND NEW.{c} IS NULL))"
        same = [f"{old}.{quote(v)} IS NOT DISTINCT FROM NEW.{quote(v)}" for v in versions[:number]]
        parts.append(" AND ".join([*same, below]))
    return " OR ".join(f"({p})" if " AND " in p and len(parts) > 1 else p for p in parts)
