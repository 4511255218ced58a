"""Values as the schema beside them means them: Debezium's messages in JSON carry Kafka Connect's unless told otherwise. Pure.

    {"schema": {"type": "struct", "fields": [{"field": "after", "fields": [{"field": "price", "type": "bytes",
     "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}}, ...]}, ...]}, "payload": {...}}
Without it "TiE=" is no number, and 1500 a time of milliseconds or microseconds. What the schema says is written into the row
in a form that the column's type reads by itself (`engine.connectors.value_rules`): decimals with their scale, times as
microseconds, moments as ISO 8601. RisingWave ignores the schema. Sources: Debezium's documentation of its connectors' data
types; Kafka Connect's org.apache.kafka.connect.data.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

from engine.connectors.formats import TIMESTAMPTZ_MODE
from engine.connectors.source import Composites, SourceSpec

Meanings = Callable[[dict[str, Any], Any], None]
"""Writes into the fields of a row what the schema of that row means by them."""

_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - local, as the column may be
_DECIMAL: Final = "org.apache.kafka.connect.data.Decimal"
_UNIT_NS: Final = {
    "io.debezium.time.Time": 1_000_000,
    "org.apache.kafka.connect.data.Time": 1_000_000,
    "io.debezium.time.MicroTime": 1_000,
    "io.debezium.time.NanoTime": 1,
    "io.debezium.time.Timestamp": 1_000_000,
    "org.apache.kafka.connect.data.Timestamp": 1_000_000,
    "io.debezium.time.MicroTimestamp": 1_000,
    "io.debezium.time.NanoTimestamp": 1,
    "io.debezium.time.MicroDuration": 1_000,
    "io.debezium.time.NanoDuration": 1,
}
"""What 1 is worth in nanoseconds."""
_KINDS: Final = {"time": "Time", "timestamp": "Timestamp", "timestamptz": "Timestamp", "interval": "Duration"}
"""How the names of the types end that a column's type is read from."""
_NUMBERS: Final = frozenset({"numeric", "real", "double precision", "smallint", "integer", "bigint"})
_OUT_OF_RANGE: Final[dict[str, Any]] = {}
"""No value of any scalar type: it becomes NULL and is counted."""


def meanings(spec: SourceSpec) -> Meanings | None:
    """What to do with the rows of this source; None where no column is of a type whose values a schema explains."""
    told = spec.handling.get(TIMESTAMPTZ_MODE)
    types = {c.name.lower(): c.type for c in spec.columns if c.origin == "field"}
    known = {
        name: type_
        for name, type_ in types.items()
        if _explained(type_, spec.composites) and not (told and type_.startswith("timestamptz"))
    }
    return (lambda row, schema: _explain(row, schema, known, spec.composites)) if known else None


def of_field(schema: Any, name: str) -> Any:
    """The schema of a field of a struct; None where it has none."""
    fields = schema.get("fields") if type(schema) is dict else None
    if type(fields) is not list:
        return None
    return next((f for f in fields if type(f) is dict and f.get("field") == name), None)


def _explained(type_: str, composites: Composites) -> bool:
    type_ = type_.rstrip("[]")
    if type_ in composites:
        return any(_explained(kind, composites) for _, kind in composites[type_])
    return type_ in _KINDS or type_ in _NUMBERS


def _explain(row: dict[str, Any], schema: Any, types: Mapping[str, str], composites: Composites) -> None:
    fields = schema.get("fields") if type(schema) is dict else None
    if type(fields) is not list:
        return
    for field in fields:
        name = field.get("field") if type(field) is dict else None
        if type(name) is str and name in row and name.lower() in types:
            row[name] = _meant(row[name], field, types[name.lower()], composites)


def _meant(value: Any, schema: Mapping[str, Any], type_: str, composites: Composites) -> Any:
    """One value in the form that its column's type reads."""
    if type_.endswith("[]"):
        items = schema.get("items")
        if type(value) is not list or type(items) is not dict:
            return value
        return [_meant(each, items, type_.removesuffix("[]"), composites) for each in value]
    if type_ in composites:
        if type(value) is dict:
            _explain(value, schema, {n.lower(): kind for n, kind in composites[type_]}, composites)
        return value
    logical = schema.get("name")
    if logical == _DECIMAL and type_ in _NUMBERS and type(value) is str:
        return _decimal(value, schema.get("parameters"), type_)
    unit = _UNIT_NS.get(logical) if type(logical) is str else None
    if unit is None or type(value) is not int or not str(logical).endswith(_KINDS.get(type_, "-")):
        return value
    return _in_microseconds(value * unit // 1_000, type_)


def _decimal(text: str, parameters: Any, type_: str) -> Any:
    """The unscaled value's bytes in base64 with their scale, as a decimal of variable scale has them."""
    scale = parameters.get("scale") if type(parameters) is dict else None
    if not isinstance(scale, str | int) or not str(scale).lstrip("-").isdecimal():
        return text
    return {"value": text, "scale": int(scale)}


def _in_microseconds(us: int, type_: str) -> Any:
    if type_ == "time":
        return us
    if type_ == "interval":
        seconds, rest = divmod(abs(us), 1_000_000)
        minutes, seconds = divmod(seconds, 60)
        return f"{'-' if us < 0 else ''}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{rest:06}"
    try:
        moment = _EPOCH + dt.timedelta(microseconds=us)
    except OverflowError:
        return _OUT_OF_RANGE
    return moment.isoformat(" ", "microseconds") + ("Z" if type_ == "timestamptz" else "")
