"""Requests from bytes, answers to bytes, by kio's data types.

Job: read the request header and body of one frame, and turn an answer given as plain dicts into the response
of the version asked for. Handlers name fields as kio does; a field the version lacks is left out, one the
handler leaves out takes its default or its zero (0, "", None, ()). Durations are in ms. Pure. Caller: the
connection.
"""

from __future__ import annotations

import datetime
import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, Final, get_args, get_origin

from kio.index import load_request_schema, load_response_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader, entity_writer

from broker.shape import check, skip_tags

_HEADER: Final = struct.Struct(">hhi")
_LENGTH: Final = struct.Struct(">i")
_SHORT: Final = struct.Struct(">h")
_ZEROS: Final = {
    "error_code": ErrorCode.none,
    "string": "",
    "bytes": b"",
    "records": b"",
    "bool": False,
    "float64": 0.0,
}
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MS: Final = datetime.timedelta(milliseconds=1)


class MalformedRequestError(Exception):
    """The frame does not hold what its header says: the connection is closed."""


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """Of one frame. `body` is where the request's own fields begin."""

    api_key: int
    version: int
    correlation_id: int
    client_id: str
    body: int


def decode_header(frame: bytes, flexible: Callable[[int, int], bool]) -> RequestHeader:
    """The header at the front of `frame`; raises MalformedRequestError."""
    try:
        api_key, version, correlation_id = _HEADER.unpack_from(frame)
        (length,) = _SHORT.unpack_from(frame, 8)
        position = 10 + max(length, 0)
        client_id = frame[10:position].decode()
        if flexible(api_key, version):
            position = skip_tags(frame, position)
    except (struct.error, ValueError, IndexError) as error:
        raise MalformedRequestError(f"request header: {error}") from error
    return RequestHeader(api_key, version, correlation_id, client_id, position)


@cache
def is_flexible(api_key: int, version: int) -> bool:
    """Whether the request header carries tagged fields; False of what we do not know."""
    try:
        return bool(load_request_schema(api_key, version).__flexible__)
    except Exception:  # an API or version that does not exist: the caller refuses it next
        return False


def decode_request(header: RequestHeader, frame: bytes) -> Any:
    """The request's entity; raises MalformedRequestError."""
    try:
        schema, read = _request(header.api_key, header.version)
        check(schema, frame, header.body)
        return read(frame, header.body)[0]
    except Exception as error:
        raise MalformedRequestError(f"API {header.api_key} version {header.version}: {error}") from error


def encode_response(api_key: int, version: int, correlation_id: int, answer: Mapping[str, Any]) -> bytes:
    """The whole frame, length included."""
    schema, write, tagged = _response(api_key, version)
    buffer = io.BytesIO()
    buffer.write(bytes(4) + _LENGTH.pack(correlation_id) + (b"\0" if tagged else b""))
    write(buffer, build(schema, answer))
    _LENGTH.pack_into(buffer.getbuffer(), 0, buffer.tell() - 4)
    return buffer.getvalue()


@cache
def _request(api_key: int, version: int) -> tuple[type, Callable[[bytes, int], tuple[Any, int]]]:
    schema = load_request_schema(api_key, version)
    return schema, entity_reader(schema)


@cache
def _response(api_key: int, version: int) -> tuple[type, Callable[[Any, Any], None], bool]:
    schema = load_response_schema(api_key, version)
    return schema, entity_writer(schema), schema.__header_schema__.__version__ > 0


def build(schema: type, values: Mapping[str, Any]) -> Any:
    """The entity `schema` from `values`, nested mappings included."""
    return schema(
        **{
            name: default if (value := values.get(name, MISSING)) is MISSING else convert(value)
            for name, default, convert in _plan(schema)
        }
    )


@cache
def _plan(schema: type) -> tuple[tuple[str, Any, Callable[[Any], Any]], ...]:
    return tuple((field.name, _default(field), _converter(field)) for field in fields(schema))


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    if get_origin(field.type) is tuple:
        return ()
    if NoneType in get_args(field.type):
        return None
    kind = field.metadata.get("kafka_type", "int32")
    return datetime.timedelta() if kind.startswith("timedelta") else _ZEROS.get(kind, 0)


def _converter(field: Field[Any]) -> Callable[[Any], Any]:
    kind = field.metadata.get("kafka_type", "")
    if kind.startswith("timedelta"):
        return lambda ms: ms * _MS
    if kind == "datetime_i64":
        return lambda ms: None if ms is None or ms < 0 else _EPOCH + ms * _MS
    nested = _nested(field.type)
    if nested is None:
        return tuple if get_origin(field.type) is tuple else lambda value: value
    return lambda values: None if values is None else tuple(build(nested, value) for value in values)


def _nested(annotation: Any) -> type | None:
    """The entity inside `tuple[Entity, ...]`, with or without `| None`."""
    for part in (annotation, *get_args(annotation)):
        if get_origin(part) is tuple and is_dataclass(get_args(part)[0]):
            entity: type = get_args(part)[0]
            return entity
    return None
