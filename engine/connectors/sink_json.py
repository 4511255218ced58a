"""The JSON form of a row for a sink, as SQL: PostgreSQL writes the document, the delivery process passes it on.

The rules are RisingWave's for ENCODE JSON (its docs, "Sink to Kafka"; JsonEncoder): numeric as string, timestamptz as UTC
string with microseconds, timestamp as Unix milliseconds, date as days since year 1 (Debezium: since 1970), time as milliseconds
of the day at whole seconds, bytea as base64, interval as ISO 8601, jsonb as a string or as it is, structs as objects, NaN and
the infinities as null. Values that RisingWave cannot hold (infinite dates) are null too, so that no row can stop a sink. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.connectors.sink import SinkSpec, SinkType
from engine.connectors.source import Composites
from engine.operators.base import Column, quote
from tailrace.errors import UnsupportedFeature

_PLAIN: Final = frozenset({"boolean", "smallint", "integer", "bigint", "text", "character varying"})
_FLOATS: Final = frozenset({"real", "double precision"})
_FORMS: Final = {
    "numeric": "{x}::text",
    "timestamp without time zone": "CASE WHEN isfinite({x}) THEN floor(extract(epoch FROM {x}) * 1000)::bigint END",
    "time without time zone": "floor(extract(epoch FROM {x}))::bigint * 1000",
    "bytea": "replace(encode({x}, 'base64'), E'\\n', '')",
    "interval": (
        "CASE WHEN isfinite({x}) THEN format('P%sY%sM%sDT%sH%sM%sS', extract(year FROM {x}), extract(month FROM {x}), "
        "extract(day FROM {x}), extract(hour FROM {x}), extract(minute FROM {x}), trim_scale(extract(second FROM {x}))) END"
    ),
}
_ZONED: Final = {
    "utc_string": 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"',
    "utc_without_suffix": "YYYY-MM-DD HH24:MI:SS.US",
}


def check_types(columns: Sequence[Column], composites: Composites) -> None:
    """Raises UnsupportedFeature for a type that has no JSON form; `composites` as SinkSpec has them."""
    for column in columns:
        unfit = _unfit(column.type, composites)
        if unfit is not None:
            is_map = unfit.startswith("rw.map_")
            raise UnsupportedFeature(
                f"type {'map' if is_map else unfit} of column {column.name} in a sink",
                hint=f"cast it to {'jsonb by to_jsonb(...)' if is_map else 'varchar'} in the query",
            )


def _unfit(type_: str, composites: Composites) -> str | None:
    base = _base(type_)
    if base in composites:
        return next(filter(None, (_unfit(kind, composites) for _, kind in composites[base])), None)
    known = (*_PLAIN, *_FLOATS, *_FORMS, "date", "timestamp with time zone", "jsonb")
    return None if base in known else type_


def _base(type_: str) -> str:
    """The type without modifiers and brackets.

    >>> _base("numeric(10,2)[]")
    'numeric'
    """
    plain = type_.removesuffix("[]")
    return plain.partition("(")[0] if plain.startswith(("numeric", "character")) else plain


def value_expression(x: str, type_: str, spec: SinkSpec) -> str:
    """SQL of the value that JSON shows for the SQL expression `x`.

    >>> value_expression("v1", "numeric", SinkSpec("kafka", SinkType.UPSERT))
    'v1::text'
    """
    base = _base(type_)
    if type_.endswith("[]"):
        if base in _PLAIN:
            return f"to_json({x})"
        inner = value_expression("u.v", base, spec)
        if base in spec.composites:  # unnest would take their fields apart
            rows = f"generate_subscripts({x}, 1) AS n, LATERAL (SELECT ({x})[n] AS v) AS u"
            return f"CASE WHEN {x} IS NOT NULL THEN coalesce((SELECT json_agg({inner} ORDER BY n) FROM {rows}), '[]'::json) END"
        each = f"SELECT json_agg({inner} ORDER BY u.n) FROM unnest({x}) WITH ORDINALITY AS u (v, n)"
        return f"CASE WHEN {x} IS NOT NULL THEN coalesce(({each}), '[]'::json) END"
    if base in spec.composites:
        fields = [(f"({x}).{quote(name)}", Column(name, kind)) for name, kind in spec.composites[base]]
        return f"CASE WHEN {x} IS DISTINCT FROM NULL THEN {_object(fields, spec)} END"
    if base in _PLAIN:
        return x
    if base in _FLOATS:
        return f"nullif(nullif(nullif({x}::float8, 'NaN'), 'Infinity'), '-Infinity')"
    if base == "date":
        # RisingWave counts from the day before 0001-01-01, Debezium from 1970-01-01
        zero = "1970-01-01" if spec.type is SinkType.DEBEZIUM else "0001-01-01"
        offset = "" if spec.type is SinkType.DEBEZIUM else " + 1"
        return f"CASE WHEN isfinite({x}) THEN {x} - DATE '{zero}'{offset} END"
    if base == "timestamp with time zone":
        form = _ZONED[spec.timestamptz_mode]
        return f"CASE WHEN isfinite({x}) THEN to_char({x} AT TIME ZONE 'UTC', '{form}') END"
    if base == "jsonb":
        return x if spec.jsonb_mode == "dynamic" else f"{x}::text"
    return _FORMS[base].format(x=x)


def row_expression(columns: Sequence[tuple[str, Column]], spec: SinkSpec) -> str:
    """SQL of a document with the columns' names, given (SQL expression, column) pairs; of type text."""
    return f"{_object(columns, spec)}::text"


def _object(columns: Sequence[tuple[str, Column]], spec: SinkSpec) -> str:
    items = ", ".join(f"{value_expression(x, c.type, spec)} AS {quote(c.name)}" for x, c in columns)
    return f"(SELECT row_to_json(_rw_row) FROM (SELECT {items}) AS _rw_row)"
