"""The descriptors of an `ExternalSchema`: the message's own, and what Confluent's frame calls it.

A pool of their own for each source and sink: two may well give one name to different messages. Pure.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import DecodeError

from engine.connectors.external import ExternalSchema
from tailrace.errors import InvalidStatement, TailraceError

Descriptor = Any
"""google.protobuf's of a message."""
Field = Any
"""google.protobuf's of a message's field."""
AS_JSON: Final = "messages_as_jsonb"
ANY: Final = "google.protobuf.Any"


@dataclass(frozen=True, slots=True)
class Described:
    """A message type with the pool that knows all that it is made of."""

    pool: Any
    message: Descriptor
    indexes: tuple[int, ...]
    """The way to the message in its file: its place among the outermost messages, then among those within."""


def described(schema: ExternalSchema) -> Described:
    """Raises InvalidStatement for bytes that are no descriptors, or have no such message."""
    try:
        files = descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(schema.value.text))
        pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            pool.Add(file)
        if not files.file:
            raise _no_descriptors("it holds no file")
    except (DecodeError, TypeError, ValueError) as error:
        raise _no_descriptors(str(error)) from error
    try:
        message = pool.FindMessageTypeByName(schema.message)
    except KeyError as error:
        known = sorted(
            f"{file.package}.{message.name}".lstrip(".") for file in files.file for message in file.message_type
            if not file.package.startswith("google.protobuf")
        )  # fmt: skip
        raise TailraceError(
            f"cannot find message `{schema.message}` in schema: message {schema.message} not defined in proto",
            sqlstate="42704",
            hint=f"it has {', '.join(known[:10]) or 'none'}",
        ) from error
    return Described(pool, message, _indexes(message))


def _no_descriptors(said: str) -> InvalidStatement:
    return InvalidStatement(
        f"cannot build descriptor pool from schema: {said}",
        hint="protoc --include_imports --descriptor_set_out=FILE makes descriptors",
    )


def _indexes(message: Descriptor) -> tuple[int, ...]:
    outer = message.containing_type
    if outer is None:
        return (list(message.file.message_types_by_name).index(message.name),)
    return (*_indexes(outer), [m.name for m in outer.nested_types].index(message.name))


def as_json(options: dict[str, str]) -> frozenset[str]:
    """The full names of the messages that are shown as documents."""
    return frozenset({ANY, *(name.strip() for name in options.get(AS_JSON, "").split(",") if name.strip())})


def is_map(field: Field) -> bool:
    """Is it a map<k, v>?"""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)
