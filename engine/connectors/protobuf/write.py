"""Rows into messages of ENCODE PROTOBUF, in Confluent's frame where a registry is named, else bare.

Compiled once from a sink's columns and the message's descriptor: what does not fit is refused then, in RisingWave's words. NULL
leaves a field out. Source: RisingWave docs, "Sink to Kafka", and its Protobuf encoder.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor

from engine.connectors.external import ExternalSchema
from engine.connectors.protobuf.descriptors import Descriptor, Field, described, is_map
from engine.connectors.sink import SinkSpec
from engine.connectors.sink_external import EncodeError, Fit, column_error, shown_type
from engine.operators.base import Column

Put = Callable[[Any, Any], None]
"""Set a field of a message to a value of `sink_values` that is not NULL."""
_TIMESTAMP: Final = "google.protobuf.Timestamp"
_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock's
_INT32: Final = (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32)
_INT64: Final = (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_SFIXED64)
_STRING: Final = (FieldDescriptor.TYPE_STRING,)


def _moment(us: int) -> str:
    return str(_EPOCH + dt.timedelta(microseconds=us))


def _iso(value: Sequence[int]) -> str:
    months, days, us = value
    hours, rest = divmod(abs(us), 3_600_000_000)
    minutes, rest = divmod(rest, 60_000_000)
    sign, years = ("-" if us < 0 else ""), int(months / 12)
    seconds = f"{rest / 1_000_000:.6f}".rstrip("0").rstrip(".")
    return f"P{years}Y{months - 12 * years}M{days}DT{sign}{hours}H{sign}{minutes}M{sign}{seconds}S"


_FITS: Final[dict[str, tuple[tuple[tuple[int, ...], Fit], ...]]] = {
    "boolean": (((FieldDescriptor.TYPE_BOOL,), bool),),
    "character varying": ((_STRING, str),),
    "text": ((_STRING, str),),
    "bytea": (((FieldDescriptor.TYPE_BYTES,), bytes.fromhex),),
    "real": (((FieldDescriptor.TYPE_FLOAT,), float),),
    "double precision": (((FieldDescriptor.TYPE_DOUBLE,), float),),
    "smallint": (((FieldDescriptor.TYPE_INT64,), int),),
    "integer": ((_INT32, int),),
    "bigint": ((_INT64, int),),
    "date": (((FieldDescriptor.TYPE_INT32,), int),),
    "numeric": ((_STRING, str),),
    "jsonb": ((_STRING, str),),
    "interval": ((_STRING, _iso),),
    "time without time zone": ((_STRING, lambda v: _moment(v)[11:]),),
    "timestamp without time zone": ((_STRING, _moment),),
    "timestamp with time zone": ((_STRING, lambda v: _moment(v) + "+00:00"),),
}


def encoder(
    columns: Sequence[Column], schema: ExternalSchema, spec: SinkSpec
) -> Callable[[dict[str, Any]], bytes]:
    """From a row's values to a message. Raises InvalidStatement where the columns do not fit the descriptor."""
    types = described(schema)
    put = _message([(c.name, c.type) for c in columns], types.message, spec, "")
    make = message_factory.GetMessageClass(types.message)
    header = b""
    if schema.registry is not None:
        header = b"\0" + schema.value.id.to_bytes(4, "big") + _indexes(types.indexes)

    def encode(values: dict[str, Any]) -> bytes:
        message = make()
        put(message, values)
        return header + bytes(message.SerializeToString(deterministic=True))

    return encode


def _indexes(indexes: Sequence[int]) -> bytes:
    """See `read.message_indexes`."""
    if tuple(indexes) == (0,):
        return b"\0"
    return b"".join(_varint(2 * number) for number in (len(indexes), *indexes))


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _message(fields: Sequence[tuple[str, str]], descriptor: Descriptor, spec: SinkSpec, path: str) -> Put:
    """Of a struct, or of the row itself."""
    puts: list[tuple[str, Put]] = []
    for name, type_ in fields:
        inner, field = f"{path}.{name}".lstrip("."), descriptor.fields_by_name.get(name)
        if field is None:
            raise column_error(inner, "field not in proto")
        if field.is_required:
            raise column_error(inner, "`required` not supported")
        puts.append((name, _field(type_, field, spec, inner)))

    def put(message: Any, values: Any) -> None:
        for name, each in puts:
            value = values[name]
            if value is not None:
                each(message, value)

    return put


def _field(type_: str, field: Field, spec: SinkSpec, path: str) -> Put:
    name = field.name
    if is_map(field):
        return _map(type_, field, spec, path)
    if field.is_repeated:
        if not type_.endswith("[]"):
            raise _no_match(type_, field, path)
        return _repeated(type_.removesuffix("[]"), field, spec, path)
    if field.message_type is not None:
        fill = _inner(type_, field, spec, path)

        def put_message(message: Any, value: Any) -> None:
            inner = getattr(message, name)
            inner.SetInParent()
            fill(inner, value)

        return put_message
    fit = _scalar(type_, field, path)
    return lambda message, value: setattr(message, name, fit(value))


def _inner(type_: str, field: Field, spec: SinkSpec, path: str) -> Put:
    """Fills a message that is a field's value."""
    if type_ == "timestamp with time zone" and field.message_type.full_name == _TIMESTAMP:
        return _timestamp
    if type_ not in spec.composites:
        raise _no_match(type_, field, path)
    return _message(spec.composites[type_], field.message_type, spec, path)


def _timestamp(message: Any, us: int) -> None:
    message.seconds, rest = divmod(us, 1_000_000)
    message.nanos = rest * 1000


def _repeated(type_: str, field: Field, spec: SinkSpec, path: str) -> Put:
    name = field.name
    fill = _inner(type_, field, spec, path) if field.message_type is not None else None
    fit = _scalar(type_, field, path) if fill is None else None

    def put(message: Any, values: Any) -> None:
        found = getattr(message, name)
        for value in values:
            if value is None:
                raise EncodeError(
                    f"encode '{path}' error: array containing null not allowed as repeated field"
                )
            if fill is not None:
                fill(found.add(), value)
            elif fit is not None:
                found.append(fit(value))

    return put


def _map(type_: str, field: Field, spec: SinkSpec, path: str) -> Put:
    if type_ not in spec.maps:
        raise _no_match(type_, field, path)
    name, entry, types = field.name, field.message_type.fields_by_name, spec.maps[type_]
    key = _scalar(types[0], entry["key"], path)
    fill = _inner(types[1], entry["value"], spec, path) if entry["value"].message_type is not None else None
    fit = _scalar(types[1], entry["value"], path) if fill is None else None

    def put(message: Any, pairs: Any) -> None:
        found = getattr(message, name)
        for each, value in pairs:
            if value is None:
                raise EncodeError(f"encode '{path}' error: map containing null not allowed")
            if fill is not None:
                fill(found[key(each)], value)
            elif fit is not None:
                found[key(each)] = fit(value)

    return put


def _scalar(type_: str, field: Field, path: str) -> Fit:
    if field.type == FieldDescriptor.TYPE_ENUM and type_ in ("character varying", "text"):
        numbers = {value.name: value.number for value in field.enum_type.values}
        return lambda v: _number(v, numbers, field.enum_type.name, path)
    for kinds, fit in _FITS.get(type_, ()):
        if field.type in kinds:
            return fit
    raise _no_match(type_, field, path)


def _number(value: str, numbers: dict[str, int], enum: str, path: str) -> int:
    if value not in numbers:
        raise EncodeError(f"encode '{path}' error: '{value}' not in enum {enum}")
    return numbers[value]


def _no_match(type_: str, field: Field, path: str) -> Exception:
    kinds = {
        n: k.removeprefix("TYPE_").lower() for k, n in vars(FieldDescriptor).items() if k.startswith("TYPE_")
    }
    repeated = "repeated " if field.is_repeated and not is_map(field) else ""
    return column_error(
        path, f"cannot encode {shown_type(type_)} column as {repeated}{kinds[field.type]} field"
    )
