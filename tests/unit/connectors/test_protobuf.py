"""ENCODE PROTOBUF on raw bytes: columns out of messages' descriptors, values out of messages, frames, bytes that are none."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format, message_factory

from engine.connectors.decode import Decoded, Decoder
from engine.connectors.external import ExternalSchema, columns_of, load
from engine.connectors.formats import Format, check_format
from engine.connectors.protobuf.descriptors import described
from engine.connectors.source import SourceColumn, source_spec
from engine.ddl.external_columns import named_type
from tailrace.errors import TailraceError
from tailrace.sql.types import MapType, StructType, expand_types
from tests.support.registry import RegistryStandIn, framed, registry
from tests.unit.connectors.messages import OPTIONS, Recorded

PROTO = """
syntax = "proto3";
package test;
import "google/protobuf/timestamp.proto";
import "google/protobuf/any.proto";
import "other/point.proto";
message User {
  int32 id = 1; uint32 u = 2; uint64 big = 3; sint64 s = 4; float f = 5; double d = 6; bool b = 7; string name = 8;
  bytes raw = 9; Gender gender = 10; optional int32 maybe = 11; Inner inner = 12; repeated Inner many = 13;
  repeated int32 nums = 14; map<string, Inner> byName = 15; map<int32, string> texts = 16;
  google.protobuf.Timestamp at = 17; google.protobuf.Any any = 18;
  oneof pick { string word = 19; int32 number = 20; } Empty empty = 21; geo.Point point = 22;
  message Inner { int32 x = 1; optional string y = 2; Deep deep = 3; message Deep { string z = 1; } }
}
enum Gender { MALE = 0; FEMALE = 1; }
message Empty {}
message Node { int32 v = 1; Node next = 2; }
"""
POINT = 'syntax = "proto3"; package geo; message Point { double lat = 1; }'
INNER = "STRUCT<x INT, y CHARACTER VARYING, deep STRUCT<z CHARACTER VARYING>>"


@pytest.fixture(name="stand_in", scope="module")
def _stand_in() -> Iterator[RegistryStandIn]:
    with registry() as running:
        running.register("other/point.proto", POINT, "PROTOBUF")
        running.register("t-value", PROTO, "PROTOBUF", references=("other/point.proto",))
        yield running


@pytest.fixture(name="schema", scope="module")
def _schema(stand_in: RegistryStandIn) -> ExternalSchema:
    return load(format_of(stand_in), "t")


def format_of(stand_in: RegistryStandIn, message: str = "test.User", **more: str) -> Format:
    return Format("plain", "protobuf", {"schema.registry": stand_in.url, "message": message, **more})


def message(schema: ExternalSchema, value: dict[str, Any], name: str = "test.User") -> bytes:
    types = described(schema)
    found = message_factory.GetMessageClass(types.pool.FindMessageTypeByName(name))()
    json_format.ParseDict(value, found, descriptor_pool=types.pool)
    return bytes(found.SerializeToString(deterministic=True))


def decoded(schema: ExternalSchema, format_: Format, *payloads: bytes | None) -> Decoded:
    columns = columns_of(format_, schema).columns
    composed = [t for _, type_ in columns for t in expand_types(f"SELECT NULL::{type_}").types]
    composites = {
        t.name: [(n, named_type(k)) for n, k in t.fields] for t in composed if isinstance(t, StructType)
    }
    maps = {t.name: (named_type(t.key), named_type(t.value)) for t in composed if isinstance(t, MapType)}
    spec = source_spec(
        "s", [SourceColumn(n, named_type(t), "field") for n, t in columns], OPTIONS, format_,
        composites=composites, maps=maps, schema=schema,
    )  # fmt: skip
    return Decoder(spec).decode([Recorded(p, n) for n, p in enumerate(payloads)])


def test_types(stand_in: RegistryStandIn, schema: ExternalSchema) -> None:
    assert dict(columns_of(format_of(stand_in), schema).columns) == {
        "id": "INT", "u": "BIGINT", "big": "NUMERIC", "s": "BIGINT", "f": "REAL", "d": "DOUBLE", "b": "BOOLEAN",
        "name": "CHARACTER VARYING", "raw": "BYTEA", "gender": "CHARACTER VARYING", "maybe": "INT", "inner": INNER,
        "many": f"{INNER}[]", "nums": "INT[]", "byName": f"MAP(CHARACTER VARYING, {INNER})",
        "texts": "MAP(INT, CHARACTER VARYING)", "at": "STRUCT<seconds BIGINT, nanos INT>", "any": "JSONB",
        "word": "CHARACTER VARYING", "number": "INT", "empty": "STRUCT< >", "point": "STRUCT<lat DOUBLE>",
    }  # fmt: skip


def test_values(stand_in: RegistryStandIn, schema: ExternalSchema) -> None:
    inner = {"x": 1, "y": "why", "deep": {"z": "d"}}
    full = {
        "id": -1, "u": 2**32 - 1, "big": str(2**64 - 1), "s": str(-(2**63)), "f": 1.5, "d": 1e300, "b": True, "name": "é",
        "raw": base64.b64encode(b"\0\1").decode(), "gender": "FEMALE", "maybe": 0, "inner": inner, "many": [inner, {}],
        "nums": [4, 0], "byName": {"k k": {"x": 2}, "a": {}}, "texts": {"7": "a,b"}, "at": "2006-01-02T15:04:05Z",
        "any": {"@type": "type.googleapis.com/geo.Point", "lat": 2.5}, "number": 3, "empty": {}, "point": {"lat": 0.5},
    }  # fmt: skip
    payloads = [message(schema, full), b"", message(schema, {"word": "w"})]
    frames = [framed(schema.value.id, b"\0" + p) for p in payloads]
    found = decoded(schema, format_of(stand_in), *frames, None)
    assert (found.nulled, found.rejects) == (0, [])
    first = list(found.rows[0])
    assert json.loads(first.pop(17).obj) == full["any"]
    assert first == [
        -1, 2**32 - 1, Decimal(2**64 - 1), -(2**63), 1.5, 1e300, True, "é", b"\0\1", "FEMALE", 0, (1, "why", ("d",)),
        [(1, "why", ("d",)), (0, None, None)], [4, 0], '{a:(0,,),k k:(2,,)}', '{7:"a,b"}', (1136214245, 0), None, 3, (), (0.5,),
    ]  # fmt: skip
    assert found.rows[1] == (
        0, 0, Decimal(0), 0, 0.0, 0.0, False, "", b"", "MALE", None, None, [], [], "{}", "{}", None, None, None, None, None, None,
    )  # fmt: skip
    assert found.rows[2][18:20] == ("w", None)
    assert found.rows[3] == (None,) * 22


def test_unknown_values_of_enums_and_nul_are_null_alone(
    stand_in: RegistryStandIn, schema: ExternalSchema
) -> None:
    strange = bytes([0x08, 1, 0x50, 9]) + b"\x42\x03a\0b"
    found = decoded(schema, format_of(stand_in), framed(schema.value.id, b"\0" + strange))
    assert (found.rows[0][0], found.rows[0][9], found.rows[0][7], found.nulled) == (1, None, None, 2)


def test_messages_that_hold_themselves_are_documents_or_refused(stand_in: RegistryStandIn) -> None:
    with pytest.raises(
        TailraceError, match=r'circular reference detected: next\(test.Node.next\).*Adding "test.Node"'
    ) as caught:
        columns_of(format_of(stand_in, "test.Node"), load(format_of(stand_in, "test.Node"), "t"))
    assert caught.value.sqlstate == "42601"
    format_ = format_of(stand_in, "test.Node", messages_as_jsonb="test.Node, x.Y")
    schema = load(format_, "t")
    assert dict(columns_of(format_, schema).columns) == {"v": "INT", "next": "JSONB"}
    payload = message(schema, {"v": 1, "next": {"v": 2, "next": {"v": 3}}}, "test.Node")
    found = decoded(schema, format_, framed(schema.value.id, bytes([2, 4]) + payload))
    assert found.rows[0][0] == 1
    assert json.loads(found.rows[0][1].obj) == {"v": 2, "next": {"v": 3}}


def test_frames(stand_in: RegistryStandIn, schema: ExternalSchema) -> None:
    id_, payload = schema.value.id, message(schema, {"id": 5})
    good = [
        framed(id_, b"\0" + payload),
        framed(id_, b"\2\0" + payload),
        framed(id_ + 50, b"\4\2\2" + payload),
    ]
    bad = [b"", b"\1" + good[0][1:], b"\0\0", framed(id_, b""), framed(id_, b"\2\2" + payload), framed(id_, b"\xff" * 9),
           framed(id_, b"\0\x08"), framed(id_, b"\0\x42\x01\xff"), framed(id_, b"\x7f")]  # fmt: skip
    found = decoded(schema, format_of(stand_in), *good, *bad)
    assert [row[0] for row in found.rows] == [5, 5, 5]
    assert (found.skipped, [r.offset for r in found.rejects]) == (9, list(range(3, 12)))
    assert "message [1] of the schema" in found.rejects[4].reason


def test_a_newer_writer(stand_in: RegistryStandIn, schema: ExternalSchema) -> None:
    newer = PROTO.replace("geo.Point point = 22;", "geo.Point point = 22; string more = 30;").replace(
        "int32 id = 1;", ""
    )
    written = RegistryStandIn()
    written.register("x", newer)
    id_ = stand_in.register("t-value", newer, "PROTOBUF", references=("other/point.proto",))
    new = load(format_of(stand_in), "t")
    payload = message(new, {"more": "x", "name": "n"})
    found = decoded(schema, format_of(stand_in), framed(id_, b"\0" + payload))
    assert (found.rows[0][0], found.rows[0][7], found.skipped) == (0, "n", 0)
    stand_in.subjects["t-value"].pop()


def test_descriptors_in_a_file(schema: ExternalSchema, tmp_path: Path) -> None:
    (tmp_path / "all types.pb").write_bytes(base64.b64decode(schema.value.text))
    options = {"schema.location": (tmp_path / "all types.pb").as_uri(), "message": "test.User"}
    format_ = Format("plain", "protobuf", options)
    assert check_format(format_, "kafka") == []
    found = decoded(load(format_, "t"), format_, message(schema, {"id": 5}), b"\x08")
    assert ([row[0] for row in found.rows], found.skipped) == ([5], 1)


@pytest.mark.parametrize(
    ("options", "sqlstate", "said"),
    [
        ({}, "42601", "missing either a schema location or a schema registry"),
        ({"schema.registry": "http://x"}, "42601", "missing field message in options"),
        (
            {"schema.registry": "http://x", "message": "m", "key.message": "k"},
            "42601",
            "protobuf key is not supported",
        ),
        ({"schema.location": "s3://x/y", "message": "m"}, "0A000", "s3 URL"),
        ({"schema.location": "file:///nowhere/at.all", "message": "m"}, "58P01", "No such file"),
        (
            {"schema.location": Path(__file__).as_uri(), "message": "m"},
            "42601",
            "cannot build descriptor pool",
        ),
    ],
)
def test_what_is_refused(options: dict[str, str], sqlstate: str, said: str) -> None:
    format_ = Format("plain", "protobuf", options)
    with pytest.raises(TailraceError) as caught:
        check_format(format_, "kafka")
        columns_of(format_, load(format_, "t"))
    assert (caught.value.sqlstate, said in caught.value.message) == (sqlstate, True), caught.value.message


def test_schemas_that_are_none(stand_in: RegistryStandIn) -> None:
    format_ = format_of(stand_in, "test.Nobody")
    with pytest.raises(TailraceError, match=r"message test.Nobody not defined in proto") as caught:
        columns_of(format_, load(format_, "t"))
    assert "test.User" in str(caught.value.hint)
    stand_in.register("broken-value", "syntax = nonsense", "PROTOBUF")
    with pytest.raises(TailraceError, match="failed to compile the protobuf schema"):
        load(format_, "broken")
    stand_in.register("avro-value", '"string"')
    with pytest.raises(TailraceError, match="of type AVRO, not PROTOBUF"):
        load(format_, "avro")
    stand_in.register(
        "out-value",
        'syntax = "proto3"; import "../../etc/passwd";',
        "PROTOBUF",
        references=("../../etc/passwd",),
    )
    stand_in.register("../../etc/passwd", POINT, "PROTOBUF")
    with pytest.raises(TailraceError, match="a reference is called"):
        load(format_, "out")
