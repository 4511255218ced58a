"""Columns, what is computed from them, and conditions on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hypothesis import strategies as st

from tests.operators.histories import TABLES


class Type(StrEnum):
    """What a column holds, as far as choosing expressions goes: DOUBLE is what is not exact, an average of integers too.

    Of integers the width is left open; arrays hold bigint, since arrays of different types are not comparable.
    """

    INTEGER = "int"
    TEXT = "varchar"
    DOUBLE = "double precision"
    NUMERIC = "numeric"
    TIME = "timestamptz"
    BOOLEAN = "boolean"
    ARRAY = "bigint[]"
    JSON = "jsonb"


@dataclass(frozen=True, slots=True)
class Item:
    """A column or an expression."""

    text: str
    type: Type


@dataclass(frozen=True, slots=True)
class Relation:
    """Something to put after FROM, and what can be selected from it."""

    text: str
    columns: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """`shape` says what kind it is, so that a failure can be grouped and coverage counted."""

    text: str
    columns: tuple[Type, ...]
    shape: str


@dataclass(slots=True)
class Names:
    """What the parts of one query share: aliases that are not used twice, and how a query inside of it is drawn."""

    query: Callable[[Names, int], st.SearchStrategy[Query]]
    _last: int = field(default=0)

    def fresh(self) -> str:
        self._last += 1
        return f"r{self._last}"


COLUMNS = {
    name: tuple(
        (column.split()[0], Type(column.split(" ", 1)[1].removesuffix(" PRIMARY KEY")))
        for column in text.split(", ")
    )
    for name, text in TABLES.items()
}
LITERALS: dict[Type, tuple[str, ...]] = {
    Type.INTEGER: ("-2", "0", "1", "2"),
    Type.TEXT: ("''", "'a'", "'b'"),
    Type.DOUBLE: ("0.1", "-2.5", "3"),
    Type.NUMERIC: ("0", "1.1", "-2"),
    Type.TIME: ("'2026-01-01 00:00:05+00'::timestamptz", "'2025-12-31 23:59:40+00'::timestamptz"),
    Type.BOOLEAN: ("true", "false"),
    Type.ARRAY: ("ARRAY[1, 2]::bigint[]", "ARRAY[0]::bigint[]"),
    Type.JSON: ("'{\"a\": 1}'::jsonb", "'[1, 2]'::jsonb"),
}
ORDERED = (Type.INTEGER, Type.TEXT, Type.NUMERIC, Type.TIME)
"""Types with an order whose values are exact: a double that was added up in another order may differ in its last digit."""

_FORMS: dict[Type, tuple[tuple[str, Type], ...]] = {
    Type.INTEGER: (
        ("{0} + {1}", Type.INTEGER), ("abs({0})", Type.INTEGER), ("coalesce({0}, {1})", Type.INTEGER),
        ("nullif({0}, {1})", Type.INTEGER), ("CASE WHEN {0} > {1} THEN {0} ELSE -({0}) END", Type.INTEGER),
        ("({0})::varchar", Type.TEXT), ("ARRAY[({0})::bigint, ({1})::bigint]", Type.ARRAY),
        ("jsonb_build_object('a', {0})", Type.JSON),
        ("{0} BETWEEN -1 AND {1}", Type.BOOLEAN), ("greatest({0}, {1})", Type.INTEGER), ("{0} IS NULL", Type.BOOLEAN),
    ),
    Type.TEXT: (
        ("{0} || {1}", Type.TEXT), ("upper({0})", Type.TEXT), ("coalesce({0}, {1})", Type.TEXT),
        ("length({0})", Type.INTEGER), ("{0} LIKE 'a%'", Type.BOOLEAN), ("concat_ws('-', {0}, {1})", Type.TEXT),
        ("ROW({0}, 1) = ROW({1}, 1)", Type.BOOLEAN), ("(ROW({0}, 1)).f1", Type.TEXT),
    ),
    Type.DOUBLE: (
        ("{0} + {1}", Type.DOUBLE), ("abs({0})", Type.DOUBLE), ("coalesce({0}, {1})", Type.DOUBLE),
        ("nullif({0}, {1})", Type.DOUBLE),
    ),
    Type.NUMERIC: (
        ("{0} + {1}", Type.NUMERIC), ("abs({0})", Type.NUMERIC), ("coalesce({0}, {1})", Type.NUMERIC),
        ("round({0}, 1)", Type.NUMERIC), ("CASE WHEN {0} > {1} THEN {0} ELSE -({0}) END", Type.NUMERIC),
    ),
    Type.TIME: (
        ("{0} + INTERVAL '1 second'", Type.TIME), ("coalesce({0}, {1})", Type.TIME), ("date_trunc('minute', {0})", Type.TIME),
    ),
    Type.BOOLEAN: (("NOT {0}", Type.BOOLEAN), ("coalesce({0}, {1})", Type.BOOLEAN), ("CASE WHEN {0} THEN 1 END", Type.INTEGER)),
    Type.ARRAY: (
        ("array_length({0}, 1)", Type.INTEGER), ("({0})[1]", Type.INTEGER), ("{0} || {1}", Type.ARRAY),
        ("array_position({0}, 1)", Type.INTEGER), ("1 = ANY({0})", Type.BOOLEAN),
    ),
    Type.JSON: (
        ("{0} -> 'a'", Type.JSON), ("{0} ->> 'a'", Type.TEXT), ("jsonb_typeof({0})", Type.TEXT),
        ("({0} ->> 'a')::varchar", Type.TEXT),
    ),
}  # fmt: skip
_COLUMN = re.compile(r"\w+\.\w+")
_CAST = re.compile(r"\(\((\w+\.\w+)\)::int\)")
_DIVISION = re.compile(r"\(\((\w+\.\w+)\) / \((\w+\.\w+)\)\)")


def as_soft(query: str) -> str:
    """The query with NULL where a view has it and a batch fails: casts and divisions as `expression` writes them.

    >>> as_soft("SELECT ((r1.h)::int) AS c0, ((r1.i) / (r1.g)) AS c1")
    "SELECT (CASE WHEN pg_input_is_valid(r1.h, 'int') THEN (r1.h)::int END) AS c0, ((r1.i) / nullif(r1.g, 0)) AS c1"
    """
    soft = _CAST.sub(r"(CASE WHEN pg_input_is_valid(\1, 'int') THEN (\1)::int END)", query)
    return _DIVISION.sub(r"((\1) / nullif(\2, 0))", soft)


@st.composite
def expression(draw: st.DrawFn, columns: Sequence[Item]) -> Item:
    """A column, or something computed from one or two."""
    column = draw(st.sampled_from(columns))
    if draw(st.integers(0, 2)):
        return column
    if draw(st.integers(0, 3)) == 0 and (failing := _failing(column, columns)):
        return draw(st.sampled_from(failing))
    form, type_ = draw(st.sampled_from(_FORMS[column.type]))
    return Item(f"({form.format(column.text, draw(st.sampled_from(LITERALS[column.type])))})", type_)


def _failing(column: Item, columns: Sequence[Item]) -> list[Item]:
    """What may be NULL in a view because it cannot be computed."""
    if not _COLUMN.fullmatch(column.text):
        return []
    if column.type is Type.TEXT:
        return [Item(f"(({column.text})::int)", Type.INTEGER)]
    if column.type is not Type.INTEGER:
        return []
    return [
        Item(f"(({column.text}) / ({other.text}))", Type.INTEGER)
        for other in columns
        if other.type is Type.INTEGER and _COLUMN.fullmatch(other.text)
    ]


@st.composite
def comparison(draw: st.DrawFn, columns: Sequence[Item]) -> str:
    """A condition on one or two columns."""
    column = draw(expression(columns)) if draw(st.integers(0, 3)) == 0 else draw(st.sampled_from(columns))
    others = [c.text for c in columns if c.type == column.type and c is not column]
    operators = ("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
    other = draw(st.sampled_from((*LITERALS[column.type], *others)))
    return f"{column.text} {draw(st.sampled_from(operators))} {other}"


def listed(items: Sequence[Item], first: int = 0) -> str:
    """What stands after SELECT."""
    return ", ".join(f"{item.text} AS c{number}" for number, item in enumerate(items, first))


def exact(relation: Relation) -> list[Item]:
    """The columns that an order can be made of; a constant where there is none."""
    return [c for c in relation.columns if c.type in ORDERED] or [Item("0::int", Type.INTEGER)]
