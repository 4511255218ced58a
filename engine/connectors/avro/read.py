"""Messages of ENCODE AVRO into values: Confluent's frame, the writer's schema by its id, resolved to the reader's by fastavro.

A message is 0, a schema id of four bytes, and the datum; read from a file's schema, each message is an object container file.
What does not fit Python's or the column's type is NULL alone and counted; what cannot be read at all is set aside with its
reason. A registry that does not answer is an error that the reader tries again: nothing is passed over for it.
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from typing import Any, Final

import fastavro
import fastavro.read

from engine.connectors.avro.schema import BRANCH, LOGICAL, MARK, AvroSchema, prepared, refuse_unreadable
from engine.connectors.composed_values import composed
from engine.connectors.external import ExternalSchema, MessageParsers, Parse, UndecodableError
from engine.connectors.intervals import Interval
from engine.connectors.json_values import CONVERTERS, UNFIT, Convert, json_document
from engine.connectors.registry import RegisteredSchema, Registry, SchemaMissingError
from engine.connectors.source import SourceColumn, SourceSpec
from tailrace.errors import InvalidStatement, UnsupportedFeature

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_NAIVE: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock's
_EPOCH_DAY: Final = dt.date(1970, 1, 1).toordinal()
_HEADER: Final = struct.Struct(">bi")
_UNFIT: Final = object()
"""Stands for a value that Python's type cannot hold."""
_UNREADABLE: Final = (
    EOFError,
    fastavro.read.SchemaResolutionError,
    IndexError,
    KeyError,
    AttributeError,
    struct.error,
    *UNFIT,
)
"""What fastavro raises for bytes that are no datum of the schema."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A value of a union of several types, and the type's name."""

    name: str
    value: Any


def parsers(spec: SourceSpec) -> MessageParsers:
    """How the messages of this source are read."""
    schema = spec.schema
    if schema is None:
        raise InvalidStatement(f"source {spec.name} has no schema", hint="DROP it and CREATE it anew")
    if schema.registry is None:
        container = _Container(schema)
        return MessageParsers(container.read, container.read, lambda c: field_reader(c, spec))
    registry = Registry(schema.registry)
    value = _Framed(schema.value, registry)
    key = value if schema.key is None else _Framed(schema.key, registry)
    return MessageParsers(value.read, key.read, lambda c: field_reader(c, spec))


class _Framed:
    """Messages in Confluent's frame, read by one reader's schema. Remembers what it has made of each writer's schema."""

    def __init__(self, reader: RegisteredSchema, registry: Registry) -> None:
        registry.know(reader)
        self._own = reader
        self._reader = prepared(reader, _logical_value)
        self._registry = registry
        self._known: dict[int, Parse] = {}

    def read(self, payload: bytes) -> Any:
        """See `Parse`."""
        if len(payload) < _HEADER.size or payload[0]:
            raise UndecodableError(
                "no schema id: fail to match a magic byte of 0"
                if payload[:1] != b"\0"
                else "fail to read 4-byte schema ID"
            )
        id_ = _HEADER.unpack_from(payload)[1]
        read = self._known.get(id_)
        if read is None:
            read = self._parse_of(id_)
        try:
            return read(payload)
        except _UNREADABLE as error:
            raise UndecodableError(f"no datum of schema {id_}: {_reason(error)}") from error

    def _parse_of(self, id_: int) -> Parse:
        try:
            registered = self._registry.by_id(id_)
        except SchemaMissingError as error:
            raise UndecodableError(error.message) from error
        if len(self._known) >= _KNOWN:
            self._known.clear()
        read = self._known[id_] = self._made(registered)
        return read

    def _made(self, registered: RegisteredSchema) -> Parse:
        try:
            writer = prepared(registered, _logical_value)
            refuse_unreadable(writer)
        except (InvalidStatement, UnsupportedFeature) as error:
            reason = f"schema {registered.id} cannot be used: {error.message}"

            def refuse(_payload: bytes) -> Any:
                raise UndecodableError(reason)

            return refuse
        return _reader_of(writer, None if registered.text == self._own.text else self._reader)


_KNOWN: Final = 500


def _reader_of(writer: AvroSchema, reader: AvroSchema | None) -> Parse:
    read, root, target = fastavro.schemaless_reader, writer.root, None if reader is None else reader.root
    if target is None:
        return lambda payload: read(BytesIO(payload[5:]), root)
    return lambda payload: read(BytesIO(payload[5:]), root, target)


class _Container:
    """Messages that are object container files, each with its schema in it."""

    def __init__(self, schema: ExternalSchema) -> None:
        self._reader = prepared(schema.value, _logical_value)

    def read(self, payload: bytes) -> Any:
        """See `Parse`."""
        try:
            for record in fastavro.reader(BytesIO(payload), self._reader.root):
                return record
        except _UNREADABLE as error:
            raise UndecodableError(f"no Avro container: {_reason(error)}") from error
        raise UndecodableError("avro parse unexpected eof")


def _reason(error: BaseException) -> str:
    text = "it ends too soon" if isinstance(error, EOFError) else str(error) or type(error).__name__
    return text if len(text) < 300 else text[:300] + "..."


# --- logical types ----------------------------------------------------------------------------------------------------


def _unscaled(data: bytes, schema: Mapping[str, Any]) -> Any:
    return Decimal(int.from_bytes(data, "big", signed=True)).scaleb(-schema.get("scale", 0))


def _duration(data: bytes, _schema: Mapping[str, Any]) -> Any:
    months, days, milliseconds = struct.unpack("<3I", data)
    return Interval(months, days, milliseconds * 1000)


def _time_of_day(microseconds: int) -> Any:
    return (
        (_EPOCH + dt.timedelta(microseconds=microseconds)).time()
        if 0 <= microseconds < 86_400_000_000
        else _UNFIT
    )


_MADE: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], Any]]] = {
    "decimal": _unscaled,
    "duration": _duration,
    "date": lambda v, _: dt.date.fromordinal(_EPOCH_DAY + v),
    "time-millis": lambda v, _: _time_of_day(v * 1000),
    "time-micros": lambda v, _: _time_of_day(v),
    "timestamp-millis": lambda v, _: _EPOCH + dt.timedelta(milliseconds=v),
    "timestamp-micros": lambda v, _: _EPOCH + dt.timedelta(microseconds=v),
    "timestamp-nanos": lambda v, _: _EPOCH + dt.timedelta(microseconds=v // 1000),
    "local-timestamp-millis": lambda v, _: _EPOCH_NAIVE + dt.timedelta(milliseconds=v),
    "local-timestamp-micros": lambda v, _: _EPOCH_NAIVE + dt.timedelta(microseconds=v),
    "local-timestamp-nanos": lambda v, _: _EPOCH_NAIVE + dt.timedelta(microseconds=v // 1000),
    "uuid": lambda v, _: str(uuid.UUID(v)),
}


def _soft(make: Callable[[Any, Mapping[str, Any]], Any]) -> Callable[..., Any]:
    def read(data: Any, writer_schema: Mapping[str, Any], _reader_schema: Any = None) -> Any:
        try:
            return make(data, writer_schema)
        except UNFIT:
            return _UNFIT

    return read


def _branch(data: Any, writer_schema: Mapping[str, Any], _reader_schema: Any = None) -> Any:
    return Branch(writer_schema["type"], data)


_READERS: Final = {
    **{f"{base}-{MARK}{name}": _soft(_MADE[name]) for base, name in LOGICAL},
    **{
        f"{base}-{MARK}{BRANCH}": _branch
        for base in ("boolean", "int", "long", "float", "double", "bytes", "string", "array", "map")
    },
}
fastavro.read.LOGICAL_READERS.update(_READERS)


def _logical_value(schema: Mapping[str, Any], value: Any) -> Any:
    return _READERS[f"{schema['type']}-{schema['logicalType']}"](value, schema)


# --- columns ----------------------------------------------------------------------------------------------------------


def field_reader(column: SourceColumn, spec: SourceSpec) -> tuple[Callable[[Any, Any], Any], Convert]:
    """How a column's value is found among a record's fields (given what stands for none), and how it is made fit."""
    name = column.name
    return lambda fields, none: fields.get(name, none), composed(column.type, spec, _RULES, _struct_of)


def _struct_of(value: Any, names: tuple[str, ...]) -> tuple[Any, ...] | None:
    """The values of a struct's fields; None if the value is no struct."""
    if type(value) is dict:
        return tuple(value.get(name) for name in names)
    if type(value) is not Branch:  # a union that the writer's schema did not have
        value = Branch(_kind_of(value, names), value)
    elif value.name not in names:
        value = Branch(_kind_of(value.value, names), value.value)
    return (
        tuple(value.value if name == value.name else None for name in names) if value.name in names else None
    )


_KINDS: Final[Mapping[type, tuple[str, ...]]] = {
    bool: ("boolean",),
    int: ("int", "long", "float", "double"),
    float: ("double", "float"),
    bytes: ("bytes",),
    str: ("string",),
    list: ("array",),
}


def _kind_of(value: Any, names: tuple[str, ...]) -> str:
    return next((each for each in _KINDS.get(type(value), ()) if each in names), "")


def _only(*kinds: type) -> Convert:
    def convert(value: Any) -> object:
        if type(value) in kinds:
            return value
        raise ValueError(f"{type(value).__name__} does not fit")

    return convert


def _number(value: Any) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    raise ValueError(f"{type(value).__name__} is no number")


def _text(value: Any) -> str:
    if type(value) is not str or "\0" in value:
        raise ValueError("no text without NUL")
    return value


def _numeric(value: Any) -> object:
    if type(value) is dict:  # Debezium's decimals whose scale varies
        value = Decimal(int.from_bytes(value["value"], "big", signed=True)).scaleb(-value["scale"])
    if type(value) is not Decimal:
        raise ValueError("no decimal")
    return CONVERTERS["numeric"](format(value, "f"))


def _document(value: Any) -> object:
    if type(value) is not dict:
        raise ValueError("no map")
    return json_document(_bare(value))


def _bare(value: Any) -> Any:
    """Without the marks of unions' branches."""
    if type(value) is Branch:
        return _bare(value.value)
    if type(value) is dict:
        return {k: _bare(v) for k, v in value.items()}
    return [_bare(v) for v in value] if type(value) is list else value


_RULES: Final[Mapping[str, Convert]] = {
    **{kind: CONVERTERS[kind] for kind in ("smallint", "integer", "bigint")},
    "real": CONVERTERS["real"],
    "double precision": _number,
    "numeric": _numeric,
    "boolean": _only(bool),
    "varchar": _text,
    "text": _text,
    "bytea": _only(bytes),
    "timestamp": _only(dt.datetime),
    "timestamptz": _only(dt.datetime),
    "date": _only(dt.date),
    "time": _only(dt.time),
    "interval": _only(Interval),
    "jsonb": _document,
}
