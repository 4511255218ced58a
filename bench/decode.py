"""Rows per second that the Kafka source decodes, without broker or database: `python bench/decode.py [rows]`.

The reading is the pipeline's own (about 133 bytes of JSON). Three sources: the raw one of the pipeline
(ENCODE BYTES with partition, offset and timestamp), the same fields typed by ENCODE JSON, and ENCODE JSON
with 1 message in 100 malformed; then the same fields by ENCODE AVRO, written by the source's own schema and by one with a
field more, and by ENCODE PROTOBUF.
"""

from __future__ import annotations

import base64
import json
import struct
import sys
import time
from datetime import UTC, datetime
from io import BytesIO

import fastavro
from google.protobuf import descriptor_pb2, message_factory

from engine.connectors.avro import read
from engine.connectors.decode import Decoder
from engine.connectors.external import ExternalSchema
from engine.connectors.formats import Format
from engine.connectors.protobuf.descriptors import described
from engine.connectors.registry import RegisteredSchema, Registry, RegistryAddress
from engine.connectors.source import SourceColumn, SourceSpec, source_spec

_OPTIONS = {"connector": "kafka", "topic": "t", "properties.bootstrap.server": "127.0.0.1:9092"}
_CHUNK_ROWS = 1_000


class Recorded:
    """A message with the accessors of confluent_kafka.Message."""

    __slots__ = ("_offset", "_value")

    def __init__(self, offset: int, value: bytes) -> None:
        self._offset = offset
        self._value = value

    def value(self) -> bytes:
        return self._value

    def key(self) -> bytes:
        return b"dev-000123"

    def partition(self) -> int:
        return self._offset % 6

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_795_475_777_000 + self._offset // 50

    def headers(self) -> None:
        return None


def _source(encode: str, *columns: tuple[str, str, str]) -> SourceSpec:
    return source_spec(
        "s", [SourceColumn(*column) for column in columns], _OPTIONS, Format(encode=encode.lower())
    )


_INCLUDED = (("p", "integer", "partition"), ("o", "bigint", "offset"), ("t", "timestamptz", "timestamp"))
_FIELDS = (
    ("event_id", "varchar"),
    ("device_id", "varchar"),
    ("metric", "varchar"),
    ("value", "double precision"),
)
_TYPED = (*((name, type_, "field") for name, type_ in _FIELDS), ("ts", "timestamptz", "field"))


def measure(title: str, spec: SourceSpec, messages: list[Recorded]) -> None:
    """Print the best of three passes."""
    best = float("inf")
    for _ in range(3):
        decoder, rows, begun = Decoder(spec), 0, time.perf_counter()
        for start in range(0, len(messages), _CHUNK_ROWS):
            rows += len(decoder.decode(messages[start : start + _CHUNK_ROWS]).rows)
        best = min(best, time.perf_counter() - begun)
    print(f"{title:<28} {len(messages) / best:>12,.0f} messages/s   {rows:,} rows")


_REGISTRY = RegistryAddress(("http://127.0.0.1:9",))
_AT = datetime(2026, 11, 23, 23, 16, 17, 123000, tzinfo=UTC)


def _avro_schema(*more: dict[str, object]) -> dict[str, object]:
    moment = {"type": "long", "logicalType": "timestamp-millis"}
    fields = [{"name": n, "type": "double" if n == "value" else "string"} for n, _ in _FIELDS]
    return {"type": "record", "name": "Reading", "fields": [*fields, {"name": "ts", "type": moment}, *more]}


def _reading(n: int) -> dict[str, object]:
    return {
        "event_id": f"01JD-{n:012d}",
        "device_id": f"dev-{n % 2000:06d}",
        "metric": "temperature",
        "value": 21.37,
    }


def _avro(count: int, schema: dict[str, object], id_: int) -> list[Recorded]:
    parsed, messages = fastavro.parse_schema(json.loads(json.dumps(schema))), []
    for n in range(count):
        out = BytesIO(struct.pack(">bi", 0, id_))
        out.seek(5)
        fastavro.schemaless_writer(out, parsed, {**_reading(n), "ts": _AT, "more": 1})
        messages.append(Recorded(n, out.getvalue()))
    return messages


def _external(encode: str, schema: ExternalSchema, *columns: tuple[str, str, str]) -> SourceSpec:
    listed = [SourceColumn(*column) for column in columns]
    return source_spec("s", listed, _OPTIONS, Format(encode=encode), schema=schema)


def _protobuf(count: int) -> tuple[list[Recorded], SourceSpec]:
    """The same but for the time, which Protobuf has as a struct: here a number."""
    string, double, long = (
        getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{t}") for t in ("STRING", "DOUBLE", "INT64")
    )
    types = {**{n: double if n == "value" else string for n, _ in _FIELDS}, "ts": long}
    file = descriptor_pb2.FileDescriptorProto(name="r.proto", syntax="proto3")
    message = file.message_type.add(name="Reading")
    for number, (name, type_) in enumerate(types.items(), start=1):
        message.field.add(name=name, number=number, type=type_, label=1)
    text = base64.b64encode(descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()).decode()
    schema = ExternalSchema(_REGISTRY, RegisteredSchema(1, text, "PROTOBUF"), message="Reading")
    make = message_factory.GetMessageClass(described(schema).message)
    payloads = (make(**_reading(n), ts=1_795_475_777_123).SerializeToString() for n in range(count))
    columns = (*_TYPED[:-1], ("ts", "bigint", "field"))
    return [Recorded(n, b"\0\0\0\0\1\0" + p) for n, p in enumerate(payloads)], _external(
        "protobuf", schema, *columns
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    form = (
        '{"event_id":"01JD-%012d","device_id":"dev-%06d","metric":"temperature","value":21.37,'
        '"ts":"2026-11-23T23:16:17.123Z"}'
    )
    good = [Recorded(n, (form % (n, n % 2000)).encode()) for n in range(count)]
    mixed = [Recorded(n, b"\xff{" if n % 100 == 0 else (form % (n, n % 2000)).encode()) for n in range(count)]
    measure("bytes + p, o, t", _source("BYTES", ("data", "bytea", "field"), *_INCLUDED), good)
    measure("json typed", _source("JSON", *_TYPED), good)
    measure("json typed + p, o, t", _source("JSON", *_TYPED, *_INCLUDED), good)
    measure("json typed, 1% malformed", _source("JSON", *_TYPED), mixed)
    own, more = _avro_schema(), _avro_schema({"name": "more", "type": "int"})
    avro = _external("avro", ExternalSchema(_REGISTRY, RegisteredSchema(1, json.dumps(own))), *_TYPED)
    measure("avro typed", avro, _avro(count, own, 1))
    known = RegisteredSchema(2, json.dumps(more))
    read.Registry = type(
        "Known", (Registry,), {"by_id": lambda self, id_: known if id_ == 2 else self._known[id_]}
    )
    measure("avro typed, resolved", avro, _avro(count, more, 2))
    messages, spec = _protobuf(count)
    measure("protobuf typed", spec, messages)


if __name__ == "__main__":
    main()
