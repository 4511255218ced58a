"""Schemas outside of SQL, as ENCODE AVRO and ENCODE PROTOBUF name them: as values, how they are got, how messages are read.

`load` asks the registry (or reads the file) when a source or sink is made; the catalog keeps the `ExternalSchema`, so that what
a source reads by never changes unasked. `message_parsers` makes of it what the decoder calls. fastavro, google's protobuf and
the compiler of .proto files are loaded only where a source or sink needs them.
"""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.connectors.formats import DEBEZIUM, Format
from engine.connectors.registry import (
    TOPIC,
    RegisteredSchema,
    Registry,
    RegistryAddress,
    address,
    subject_of,
)
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature

if TYPE_CHECKING:
    from engine.connectors.json_values import Convert
    from engine.connectors.source import SourceColumn, SourceSpec

ENCODES: Final = ("avro", "protobuf")
_FILE_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class ExternalSchema:
    """What messages are read by. `registry` is None where the schema came from a file."""

    registry: RegistryAddress | None
    value: RegisteredSchema
    """Of Avro the reader's schema. Of Protobuf the text is a FileDescriptorSet in base64."""
    key: RegisteredSchema | None = None
    """Of FORMAT DEBEZIUM."""
    message: str = ""
    """Of Protobuf, the message's full name."""

    @staticmethod
    def from_json(value: Mapping[str, Any] | None) -> ExternalSchema | None:
        """From what `dataclasses.asdict` gave."""
        if value is None:
            return None
        return ExternalSchema(
            None if value["registry"] is None else RegistryAddress.from_json(value["registry"]),
            RegisteredSchema.from_json(value["value"]),
            None if value["key"] is None else RegisteredSchema.from_json(value["key"]),
            value["message"],
        )


@dataclass(frozen=True, slots=True)
class ExternalColumns:
    """Names and types (as RisingWave writes them) of the columns that a schema gives, and of them the names of the key."""

    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...] = ()


class UndecodableError(Exception):
    """A message that the schema does not fit; the text is the reason."""


Parse = Callable[[bytes], Any]
"""The fields of a message. Raises UndecodableError; TailraceError where the registry is away."""


Find = Callable[[Any, Any], Any]
"""A field of what `Parse` gave, or the second argument where it has none."""


@dataclass(frozen=True, slots=True)
class MessageParsers:
    """How the messages of a source are read."""

    value: Parse
    key: Parse
    field: Callable[[SourceColumn], tuple[Find, Convert]]
    """Of a column: how its value is found in what `value` gave, and how that is made fit for the column."""


def load(format_: Format, topic: str, *, keyed: bool = False) -> ExternalSchema:
    """What the options of ENCODE name, as it is now; `format_` has been checked. `keyed`: the keys' schema is wanted too.

    Raises RegistryUnreachableError, SchemaMissingError, or InvalidStatement for what is there and no schema.
    """
    options = format_.options
    message, strategy = options.get("message", ""), options.get("schema.registry.name.strategy", TOPIC)
    if "schema.registry" not in options:
        text = _file(options["schema.location"])
        schema = RegisteredSchema(
            0, text.decode() if format_.encode == "avro" else base64.b64encode(text).decode()
        )
        return _checked(format_, ExternalSchema(None, schema, message=message))
    where = address(options)
    registry = Registry(where)
    value = registry.latest(subject_of(strategy, topic, message, key=False))
    key = None
    if keyed or format_.name == DEBEZIUM:
        key = registry.latest(subject_of(strategy, topic, options.get("key.message", ""), key=True))
    if format_.encode == "protobuf":
        value = _compiled(value)
    return _checked(format_, ExternalSchema(where, value, key, message))


def columns_of(format_: Format, schema: ExternalSchema) -> ExternalColumns:
    """The columns that a source or table of this format has. Raises InvalidStatement or UnsupportedFeature, naming the field."""
    if format_.encode == "protobuf":
        from engine.connectors.protobuf.types import columns as protobuf_columns

        return ExternalColumns(protobuf_columns(schema, format_.options))
    from engine.connectors.avro.types import columns as avro_columns
    from engine.connectors.avro.types import key_columns

    mode = format_.options.get("map.handling.mode", "map")
    if format_.name != DEBEZIUM:
        return ExternalColumns(avro_columns(schema.value, mode))
    return ExternalColumns(avro_columns(schema.value, mode, within="before"), key_columns(schema))


def message_parsers(spec: SourceSpec) -> MessageParsers:
    """What the decoder of this source calls."""
    if spec.encode == "protobuf":
        from engine.connectors.protobuf.read import parsers as protobuf_parsers

        return protobuf_parsers(spec)
    from engine.connectors.avro.read import parsers as avro_parsers

    return avro_parsers(spec)


def _checked(format_: Format, schema: ExternalSchema) -> ExternalSchema:
    wanted = format_.encode.upper()
    for each in filter(None, (schema.value, schema.key)):
        if schema.registry is not None and each.kind != wanted:
            raise InvalidStatement(
                f"the registry's schema is of type {each.kind}, not {wanted}", hint=f"ENCODE {each.kind}"
            )
    return schema


def _compiled(schema: RegisteredSchema) -> RegisteredSchema:
    """The same with descriptors for a text."""
    if schema.kind != "PROTOBUF":
        return schema
    from engine.connectors.protobuf.compiler import compiled

    return RegisteredSchema(schema.id, base64.b64encode(compiled(schema)).decode(), schema.kind)


def _file(location: str) -> bytes:
    parts = urllib.parse.urlsplit(location)
    if parts.scheme != "file":
        shown = f"{parts.scheme} URL" if parts.scheme else f"schema.location = '{location}'"
        raise UnsupportedFeature(shown, hint="schema.location = 'file:///absolute/path'")
    try:
        with Path(urllib.parse.unquote(parts.path)).open("rb") as file:
            return file.read(_FILE_BYTES)
    except OSError as error:
        raise TailraceError(
            f"the schema at {location} cannot be read: {error.strerror}",
            sqlstate="58P01",
            hint="correct schema.location",
        ) from error
