"""Messages of ENCODE PROTOBUF into values, by google's protobuf: bare ones, or in Confluent's frame where a registry is named.

The descriptors are those of the source's creation: a field that a newer writer adds is passed over, one that it no longer
writes has its default, or is NULL where the schema tells absence (optional, messages, oneof). The frame's schema id need not
be asked for; its message indexes are held against the message that is wanted where the id is the one that the source knows.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from engine.connectors.composed_values import or_null
from engine.connectors.external import ExternalSchema, MessageParsers, Parse, UndecodableError
from engine.connectors.json_values import CONVERTERS, Convert, json_document
from engine.connectors.protobuf.descriptors import Described, Field, as_json, described, is_map
from engine.connectors.source import SourceColumn, SourceSpec
from engine.connectors.texts import map_text
from tailrace.errors import InvalidStatement

_HEADER_BYTES: Final = 5


def parsers(spec: SourceSpec) -> MessageParsers:
    """How the messages of this source are read."""
    schema = spec.schema
    if schema is None:
        raise InvalidStatement(f"source {spec.name} has no schema", hint="DROP it and CREATE it anew")
    types = described(schema)
    documents = as_json(dict(spec.handling))
    reader = _Fields(types, documents, spec)
    parse = _parse(types, schema)
    return MessageParsers(parse, parse, reader.column)


def _parse(types: Described, schema: ExternalSchema) -> Parse:
    read = message_factory.GetMessageClass(types.message).FromString

    def bare(payload: bytes) -> Any:
        try:
            return read(payload)
        except DecodeError as error:
            raise UndecodableError(f"no message {schema.message}: {error}") from error

    def framed(payload: bytes) -> Any:
        if len(payload) < _HEADER_BYTES or payload[0]:
            raise UndecodableError(
                "no schema id: fail to match a magic byte of 0"
                if payload[:1] != b"\0"
                else "fail to read 4-byte schema ID"
            )
        indexes, start = message_indexes(payload, _HEADER_BYTES)
        if indexes != types.indexes and int.from_bytes(payload[1:5], "big") == schema.value.id:
            raise UndecodableError(f"message {list(indexes)} of the schema, and not {schema.message}")
        return bare(payload[start:])

    return bare if schema.registry is None else framed


def message_indexes(payload: bytes, start: int) -> tuple[tuple[int, ...], int]:
    """The way to the message in its file, written from `start` on, and where that ends. A single 0 stands for the first.

    >>> message_indexes(bytes([0, 9]), 0), message_indexes(bytes([4, 2, 0, 9]), 0)
    (((0,), 1), ((1, 0), 3))
    """
    count, at = _varint(payload, start)
    if count == 0:
        return (0,), at
    if not 0 < count <= 64:
        raise UndecodableError("failed to parse message indexes")
    found = []
    for _ in range(count):
        index, at = _varint(payload, at)
        found.append(index)
    return tuple(found), at


def _varint(payload: bytes, at: int) -> tuple[int, int]:
    """A zigzag number of at most five bytes."""
    value = 0
    for place, byte in enumerate(payload[at : at + 5]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at + place + 1
    raise UndecodableError("failed to parse message indexes")


class _Fields:
    """Values of messages' fields, in a form that columns take."""

    def __init__(self, types: Described, documents: frozenset[str], spec: SourceSpec) -> None:
        self._types = types
        self._documents = documents
        self._spec = spec

    def column(self, column: SourceColumn) -> tuple[Callable[[Any, Any], Any], Convert]:
        """How a column's value is found in a message (given what stands for none), and how it is made fit."""
        field = self._types.message.fields_by_name.get(column.name)
        if field is None:  # the schema has lost it
            return lambda _message, none: none, CONVERTERS["varchar"]
        get = _getter(field)
        return lambda message, _none: get(message), self._convert(field, column.type)

    def _convert(self, field: Field, type_: str) -> Convert:
        if is_map(field):
            entry, types, spec = field.message_type.fields_by_name, self._spec.maps[type_], self._spec
            key, value = self._element(entry["key"]), self._element(entry["value"], types[1])
            return lambda entries: map_text(
                [(key(k), or_null(value, entries[k])) for k in sorted(entries)], types, spec
            )
        if field.is_repeated:
            element = self._element(field, type_.removesuffix("[]"))
            return lambda values: [or_null(element, each) for each in values]
        return self._element(field, type_)

    def _element(self, field: Field, type_: str = "") -> Convert:
        """Of one value: of a field that is not repeated, or within one that is."""
        if field.message_type is None:
            return _scalar(field)
        if field.message_type.full_name in self._documents:
            pool = self._types.pool
            return lambda message: json_document(_document(message, pool))
        known = field.message_type.fields_by_name
        names = [name for name, _ in self._spec.composites.get(type_, ())] if type_ else list(known)
        kinds = dict(self._spec.composites.get(type_, ()))
        members = [
            (_getter(known[n]), self._convert(known[n], kinds.get(n, ""))) if n in known else None
            for n in names
        ]
        return lambda message: tuple(
            None if member is None else or_null(member[1], member[0](message)) for member in members
        )


def _as_is(value: Any) -> Any:
    return value


def _getter(field: Field) -> Callable[[Any], Any]:
    """The field's value; None where the schema tells that there is none."""
    name = field.name
    if field.has_presence:
        return lambda message: getattr(message, name) if message.HasField(name) else None
    return lambda message: getattr(message, name)


def _scalar(field: Field) -> Convert:
    if field.type == FieldDescriptor.TYPE_ENUM:
        names = {value.number: value.name for value in field.enum_type.values}

        def name_of(number: Any) -> str:
            if number not in names:
                raise ValueError(f"unknown enum index {number}")
            return str(names[number])

        return name_of
    if field.type == FieldDescriptor.TYPE_STRING:
        return CONVERTERS["varchar"]
    if field.type in (FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64):
        return Decimal
    return _as_is


def _document(message: Any, pool: Any) -> Any:
    """The message as JSON; one within google.protobuf.Any that is not known is unfit."""
    try:
        return json_format.MessageToDict(message, descriptor_pool=pool)
    except (json_format.SerializeToJsonError, TypeError) as error:
        raise ValueError(str(error)) from error
