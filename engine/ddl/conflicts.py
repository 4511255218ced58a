"""ON CONFLICT and WITH VERSION COLUMN of CREATE TABLE: what becomes of a row whose primary key is there already.

A row of an older version than the stored one is left out, a NULL version being the oldest; of an UPDATE too, since
RisingWave takes it for the arrival of the new row. Done by row triggers, which see what the statement itself has inserted so
far, so that rows of one statement meet each other in their order. Source: RisingWave docs, CREATE TABLE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from engine.operators.base import Column, equal, equal_nulls, names, no_nulls, quote
from tailrace.errors import InvalidStatement
from tailrace.sql.dialect import (
    IGNORE,
    OVERWRITE,
    UPDATE_IF_NOT_NULL,
    OnConflictProperty,
    VersionColumnsProperty,
)
from tailrace.sql.names import folded

_INCOMPARABLE = ("boolean", "jsonb", "bytea")
_SECURE = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"


@dataclass(frozen=True, slots=True)
class Conflicts:
    """`behaviour`: the dialect's OVERWRITE, IGNORE or UPDATE_IF_NOT_NULL; `versions`: columns, the first decides first."""

    behaviour: str = OVERWRITE
    versions: tuple[str, ...] = ()


def conflicts_of(
    tree: exp.Create, columns: Sequence[Column], key: Sequence[str], *, append_only: bool
) -> Conflicts:
    """What a CREATE TABLE says; raises InvalidStatement for what contradicts itself."""
    properties = tree.args.get("properties")
    behaviour: str | None = None
    versions: tuple[str, ...] = ()
    for item in properties.expressions if properties is not None else ():
        if isinstance(item, OnConflictProperty):
            behaviour = item.name
        elif isinstance(item, VersionColumnsProperty):
            versions = tuple(folded(e) for e in item.expressions)
    types = {c.name: c.type for c in columns}
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


def triggers(id_: int, key: Sequence[str], settable: Sequence[str], conflicts: Conflicts) -> list[str]:
    """The statements that make table `id_` behave so; `settable` are the columns that are not computed."""
    table = f"engine.table_{id_}"
    inserted = _function(
        f"engine.overwrite_{id_}", f"DECLARE old {table}; BEGIN {_on_insert(table, key, settable, conflicts)}"
    )
    statements = [
        f"CREATE FUNCTION engine.take_turn_{id_}() RETURNS trigger {_SECURE} AS $turn$ BEGIN "
        f"PERFORM pg_advisory_xact_lock(4566, {id_}); RETURN NULL; END $turn$",
        f"CREATE TRIGGER take_turn BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION engine.take_turn_{id_}()",
        inserted,
        f"CREATE TRIGGER overwrite BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION engine.overwrite_{id_}()",
        f"CREATE TRIGGER keep_key BEFORE UPDATE ON {table} FOR EACH ROW WHEN "
        f"(({names(key, 'OLD.')}) IS DISTINCT FROM ({names(key, 'NEW.')})) EXECUTE FUNCTION engine.refuse_key_update()",
    ]
    updated = _on_update(key, settable, conflicts)
    if updated:
        statements += [
            _function(f"engine.update_{id_}", f"BEGIN {updated}"),
            f"CREATE TRIGGER update_as_arrival BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION engine.update_{id_}()",
        ]
    return statements


def _function(name: str, body: str) -> str:
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger {_SECURE} AS $conflict$ {body}RETURN NEW; END $conflict$"
    )


def _on_insert(table: str, key: Sequence[str], settable: Sequence[str], conflicts: Conflicts) -> str:
    strict, nulls = equal("t", "NEW", key), equal_nulls("t", "NEW", key)

    def found(verb: str, tail: str) -> str:
        return f"IF {no_nulls('NEW', key)} THEN {verb} {strict}{tail}; ELSE {verb} {nulls}{tail}; END IF; "

    if conflicts == Conflicts():
        return found(f"DELETE FROM {table} AS t WHERE", "")
    look = found(f"SELECT t.* INTO old FROM {table} AS t WHERE", "")
    if conflicts.behaviour == IGNORE:
        return f"{look}IF FOUND THEN RETURN NULL; END IF; "
    merged = _merged("old", key, settable) if conflicts.behaviour == UPDATE_IF_NOT_NULL else ""
    older = (
        f"IF {_is_older('old', conflicts.versions)} THEN RETURN NULL; END IF; " if conflicts.versions else ""
    )
    delete = found(f"DELETE FROM {table} AS t WHERE", "")
    return f"{look}IF FOUND THEN {older}{merged}{delete}END IF; "


def _on_update(key: Sequence[str], settable: Sequence[str], conflicts: Conflicts) -> str:
    older = (
        f"IF {_is_older('OLD', conflicts.versions)} THEN RETURN NULL; END IF; " if conflicts.versions else ""
    )
    merged = _merged("OLD", key, settable) if conflicts.behaviour == UPDATE_IF_NOT_NULL else ""
    return older + merged


def _merged(old: str, key: Sequence[str], settable: Sequence[str]) -> str:
    """The new row takes the old row's values where it has none."""
    rest = [quote(c) for c in settable if c not in key]
    return "".join(f"NEW.{c} := coalesce(NEW.{c}, {old}.{c}); " for c in rest)


def _is_older(old: str, versions: Sequence[str]) -> str:
    """Is NEW's version below the other row's? NULL is below everything; a later column decides where earlier ones are equal.

    >>> _is_older("old", ["v"])
    '(old."v" > NEW."v" OR (old."v" IS NOT NULL AND NEW."v" IS NULL))'
    """
    parts = []
    for number, version in enumerate(versions):
        c = quote(version)
        below = f"({old}.{c} > NEW.{c} OR ({old}.{c} IS NOT NULL AND NEW.{c} IS NULL))"
        same = [f"{old}.{quote(v)} IS NOT DISTINCT FROM NEW.{quote(v)}" for v in versions[:number]]
        parts.append(" AND ".join([*same, below]))
    return " OR ".join(f"({p})" if " AND " in p and len(parts) > 1 else p for p in parts)
