"""The values of a logged row on their way to an encoder in Python, as SQL: one JSON text a row, in which nothing is lost.

numeric, jsonb and bytea (in hex) are strings, moments microseconds since 1970, dates days, times microseconds of the day, an
interval its months, days and microseconds, structs objects, arrays arrays, maps arrays of pairs. Infinite dates and moments
are null. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.connectors.sink import SinkSpec
from engine.operators.base import Column, quote

_US: Final = "CASE WHEN isfinite({x}) THEN (extract(epoch FROM {x}) * 1000000)::bigint END"
_FORMS: Final = {
    "numeric": "{x}::text",
    "jsonb": "{x}::text",
    "bytea": "encode({x}, 'hex')",
    "date": "CASE WHEN isfinite({x}) THEN {x} - DATE '1970-01-01' END",
    "timestamp with time zone": _US,
    "timestamp without time zone": _US,
    "time without time zone": "(extract(epoch FROM {x}) * 1000000)::bigint",
    "interval": (
        "CASE WHEN isfinite({x}) THEN json_build_array((extract(year FROM {x}) * 12 + extract(month FROM {x}))::integer, "
        "extract(day FROM {x})::integer, ((extract(hour FROM {x}) * 3600 + extract(minute FROM {x}) * 60 + "
        "extract(second FROM {x})) * 1000000)::bigint) END"
    ),
}


def value_expression(x: str, type_: str, spec: SinkSpec) -> str:
    """SQL of the value for the SQL expression `x`."""
    if type_.endswith("[]"):
        inner = value_expression("u.v", type_.removesuffix("[]"), spec)
        rows = f"generate_subscripts({x}, 1) AS n, LATERAL (SELECT ({x})[n] AS v) AS u"
        return f"CASE WHEN {x} IS NOT NULL THEN coalesce((SELECT json_agg({inner} ORDER BY n) FROM {rows}), '[]'::json) END"
    if type_ in spec.composites:
        fields = [(f"({x}).{quote(name)}", Column(name, kind)) for name, kind in spec.composites[type_]]
        return f"CASE WHEN {x} IS DISTINCT FROM NULL THEN {_object(fields, spec)} END"
    if type_ in spec.maps:
        key, value = (
            value_expression(f"e.{n}", t, spec)
            for n, t in zip(("key", "value"), spec.maps[type_], strict=True)
        )
        rows = f"unnest(map_entries({x})) WITH ORDINALITY AS e (key, value, n)"
        pairs = f"SELECT json_agg(json_build_array({key}, {value}) ORDER BY e.n) FROM {rows}"
        return f"CASE WHEN {x} IS NOT NULL THEN coalesce(({pairs}), '[]'::json) END"
    return _FORMS[type_].format(x=x) if type_ in _FORMS else x


def row_expression(columns: Sequence[tuple[str, Column]], spec: SinkSpec) -> str:
    """SQL of a row's values by the columns' names, given (SQL expression, column) pairs; of type text."""
    return f"{_object(columns, spec)}::text"


def _object(columns: Sequence[tuple[str, Column]], spec: SinkSpec) -> str:
    if not columns:
        return "'{}'::json"
    items = ", ".join(f"{value_expression(x, c.type, spec)} AS {quote(c.name)}" for x, c in columns)
    return f"(SELECT row_to_json(_rw_row) FROM (SELECT {items}) AS _rw_row)"
