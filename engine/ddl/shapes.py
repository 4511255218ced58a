"""Former shapes of a table: what programs read that were compiled before ALTER COLUMN ... TYPE changed the type of a column.

A shape is a view over the table's storage, and one over its delta table in the flow's session, with the columns as they were.
The planner sees through both, so that indexes on columns that did not change are used as before. Kept in the table's body under
`shapes`: by number, the columns as they were and the composed types within.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from engine.catalog.objects import CatalogObject
from engine.compile.program import delta_name
from engine.operators.base import WEIGHT, Column, quote
from tailrace.sql.restructure import Restructuring
from tailrace.sql.types import ComposedType, MapType, expand_types, types_from_json

SHAPES = "shapes"


def shape_view(table_id: int, number: int | str) -> str:
    """The view over the storage."""
    return f"engine.shape_{table_id}_{number}"


def shape_delta(table_id: int, number: int | str) -> str:
    """The view over the delta table."""
    return f"pg_temp.shaped_delta_{table_id}_{number}"


def converter(old: str, new: str) -> str:
    """The function that turns values of one composed type into values of another."""
    digest = hashlib.sha256(f"{old}\0{new}".encode()).hexdigest()[:16]
    return f"rw.restructure_{digest}"


def make_converter(old: str, new: str, how: Restructuring, path: str) -> str:
    """The statement that makes the function; raises InvalidStatement where the types do not fit."""
    body = how.converted("$1", old, new, path)
    return (
        f"CREATE OR REPLACE FUNCTION {converter(old, new)}({old}) RETURNS {new} LANGUAGE sql IMMUTABLE PARALLEL SAFE "
        f"AS $restructure$ SELECT {body} $restructure$"
    )


def types_within(definition: str) -> dict[str, ComposedType]:
    """The composed types that a CREATE TABLE names, by their names in PostgreSQL; entries of maps as well."""
    found = {t.name: t for t in expand_types(definition).types}
    entries = {t.entry.name: t.entry for t in found.values() if isinstance(t, MapType)}
    return {**entries, **found}


def shapes_of(table: CatalogObject) -> Mapping[str, Any]:
    """By number, `columns` and `types` of a shape, as JSON."""
    return table.body.get(SHAPES, {})  # type: ignore[no-any-return]


def shape_statements(table: CatalogObject, now: Mapping[str, ComposedType]) -> list[str]:
    """The statements that make the views over the storage, and what they convert by; `now` are the types of today."""
    statements = []
    for number, shape in shapes_of(table).items():
        known = {**now, **{t.name: t for t in types_from_json(shape["types"])}}
        for column in _columns(shape):
            new = _type_now(table, column.name)
            if new != column.type:
                statements.append(make_converter(new, column.type, Restructuring(known), column.name))
        shown = _shown(table, shape)
        statements.append(
            f"CREATE VIEW {shape_view(table.id, number)} AS SELECT {shown} FROM engine.table_{table.id} AS t"
        )
    return statements


def dropped_shapes(table: CatalogObject) -> list[str]:
    """The statements that remove the views over the storage."""
    return [f"DROP VIEW {shape_view(table.id, number)}" for number in shapes_of(table)]


def shape_temporaries(table: CatalogObject) -> list[str]:
    """The views over the delta table, in a session that has this."""
    return [
        f"CREATE OR REPLACE TEMP VIEW {shape_delta(table.id, number).removeprefix('pg_temp.')} AS "
        f"SELECT {_shown(table, shape)}, t.{WEIGHT} FROM {delta_name(table.id)} AS t"
        for number, shape in shapes_of(table).items()
    ]


def _columns(shape: Mapping[str, Any]) -> Sequence[Column]:
    return [Column(name, type_) for name, type_ in shape["columns"]]


def _type_now(table: CatalogObject, name: str) -> str:
    return next(c.type for c in table.columns if c.name == name)


def _shown(table: CatalogObject, shape: Mapping[str, Any]) -> str:
    parts = []
    for column in _columns(shape):
        new, name = _type_now(table, column.name), quote(column.name)
        value = f"t.{name}" if new == column.type else f"{converter(new, column.type)}(t.{name})"
        parts.append(f"{value} AS {name}")
    return ", ".join(parts)
