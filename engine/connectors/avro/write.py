"""Rows into messages of ENCODE AVRO: a type's value as the schema wants it, written by fastavro into Confluent's frame.

Compiled once from a sink's columns and the subject's schema: what does not fit is refused then, in RisingWave's words. A row
that cannot be written (NULL where a value is wanted, no symbol of an enum) raises EncodeError. Source: RisingWave docs, "Sink
to Kafka", and its Avro encoder.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from io import BytesIO
from typing import Any, Final

import fastavro

from engine.connectors.avro.schema import AvroSchema, Schema, inner_of_nullable, kind, logical, prepared
from engine.connectors.registry import RegisteredSchema
from engine.connectors.sink import SinkSpec
from engine.connectors.sink_external import EncodeError, Fit, column_error, shown_type
from engine.operators.base import Column

_PLAIN: Final = {
    ("boolean", "boolean"), ("character varying", "string"), ("text", "string"), ("integer", "int"), ("smallint", "int"),
    ("bigint", "long"), ("jsonb", "string"),
}  # fmt: skip
_FLOATS: Final = {("real", "float"), ("double precision", "double")}
_LOGICAL: Final[dict[tuple[str, str], Fit]] = {
    ("date", "date"): lambda v: v,
    ("time without time zone", "time-micros"): lambda v: v,
    ("time without time zone", "time-millis"): lambda v: v // 1000,
    ("timestamp with time zone", "timestamp-micros"): lambda v: v,
    ("timestamp with time zone", "timestamp-millis"): lambda v: v // 1000,
}


def encoder(
    columns: Sequence[Column], schema: RegisteredSchema, spec: SinkSpec
) -> Callable[[dict[str, Any]], bytes]:
    """From a row's values (`sink_values`) to a message. Raises InvalidStatement where the columns do not fit the schema."""
    avro = prepared(schema)
    fit = _Fitting(avro, spec).record([(c.name, c.type) for c in columns], avro.resolved(avro.root), "")
    header, write, root = struct.pack(">bi", 0, schema.id), fastavro.schemaless_writer, avro.root

    def encode(values: dict[str, Any]) -> bytes:
        out = BytesIO(header)
        out.seek(len(header))
        write(out, root, fit(values))
        return out.getvalue()

    return encode


class _Fitting:
    def __init__(self, schema: AvroSchema, spec: SinkSpec) -> None:
        self._schema, self._spec = schema, spec

    def record(self, fields: Sequence[tuple[str, str]], node: Schema, path: str) -> Fit:
        """Of a struct, or of the row itself."""
        if kind(node) != "record":
            raise column_error(path, f"expect avro record but got {kind(node)}")
        known = {field["name"]: field["type"] for field in node["fields"]}
        fits: list[tuple[str, Fit]] = []
        for name, type_ in fields:
            inner = f"{path}.{name}".lstrip(".")
            if name not in known:
                raise column_error(inner, "field not in avro")
            fits.append((name, self.of(type_, known[name], inner)))
        given = {name for name, _ in fields}
        for name, type_ in known.items():
            if name not in given and not self._is_nullable(type_):
                raise column_error(f"{path}.{name}".lstrip("."), "field not present but required")
        absent = [name for name in known if name not in given]

        def fit(values: Any) -> dict[str, Any]:
            row = {name: each(values[name]) for name, each in fits}
            row.update(dict.fromkeys(absent))
            return row

        return fit

    @staticmethod
    def _is_nullable(node: Schema) -> bool:
        return isinstance(node, list) and any(kind(each) == "null" for each in node)

    def of(self, type_: str, node: Schema, path: str) -> Fit:
        """Of a value that may be NULL."""
        inner: Schema | None = node
        if isinstance(node, list):
            inner = node[0] if len(node) == 1 else inner_of_nullable(node)
        fit = None if inner is None else self._value(type_, self._schema.resolved(inner), path)
        if fit is None:
            raise column_error(path, f"cannot encode {shown_type(type_)} column as {self._shown(node)} field")
        found, optional = fit, self._is_nullable(node)

        def nullable(value: Any) -> Any:
            if value is not None:
                return found(value)
            if not optional:
                raise EncodeError(f"encode '{path}' error: found null but required")
            return None

        return nullable

    def _shown(self, node: Schema) -> str:
        if isinstance(node, list):
            return f"[{','.join(self._shown(each) for each in node)}]"
        resolved = self._schema.resolved(node)
        return logical(resolved) or kind(resolved)

    def _value(self, type_: str, node: Schema, path: str) -> Fit | None:
        """Of a value; None where the types do not fit."""
        name, meaning = kind(node), logical(node)
        if type_.endswith("[]"):
            if name != "array":
                return None
            element = self.of(type_.removesuffix("[]"), node["items"], path)
            return lambda values: [element(each) for each in values]
        if type_ in self._spec.composites:
            return self.record(self._spec.composites[type_], node, path) if name == "record" else None
        if type_ in self._spec.maps:
            key, value = self._spec.maps[type_]
            if name != "map" or key != "character varying":
                return None
            each = self.of(value, node["values"], path)
            return lambda pairs: {k: each(v) for k, v in pairs}
        return self._scalar(type_, node, name, meaning, path)

    @staticmethod
    def _scalar(type_: str, node: Schema, name: str, meaning: str, path: str) -> Fit | None:
        if meaning:
            if type_ == "numeric" and meaning == "decimal":
                return lambda v: _unscaled(v, node, path)
            if type_ == "interval" and meaning == "duration":
                return lambda v: _duration(v, path)
            return _LOGICAL.get((type_, meaning))
        if (type_, name) in _PLAIN:
            return lambda v: v
        if (type_, name) in _FLOATS:
            return float
        if (type_, name) == ("bytea", "bytes"):
            return bytes.fromhex
        if name == "enum" and type_ in ("character varying", "text"):
            symbols = node["symbols"]
            return lambda v: _symbol(v, symbols, path)
        return None


def _symbol(value: str, symbols: Sequence[str], path: str) -> str:
    if value not in symbols:
        raise EncodeError(
            f"encode '{path}' error: Value '{value}' is not a valid enum symbol. Valid symbols are: {', '.join(symbols)}"
        )
    return value


def _unscaled(value: str, node: Schema, path: str) -> bytes:
    """A decimal's digits as a whole number, in as few bytes as it takes, or as many as the schema fixes."""
    number = Decimal(value)
    if not number.is_finite():
        raise EncodeError(f"encode '{path}' error: Avro Decimal does not support NaN or Inf, but got {value}")
    whole = int(number.scaleb(node.get("scale", 0)))
    size = node["size"] if kind(node) == "fixed" else max(1, math.ceil((whole.bit_length() + 1) / 8))
    try:
        return whole.to_bytes(size, "big", signed=True)
    except OverflowError as error:
        raise EncodeError(f"encode '{path}' error: {value} does not fit {size} bytes") from error


def _duration(value: Sequence[int], path: str) -> bytes:
    months, days, microseconds = value
    try:
        return struct.pack("<3I", months, days, microseconds // 1000)
    except struct.error as error:
        raise EncodeError(f"encode '{path}' error: the interval overflows avro duration") from error
