"""Messages as changes, without an engine: ops, keys, and the values as Debezium writes them."""

from __future__ import annotations

import base64
import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest

from engine.connectors.changes import COMES, GOES, bson_id
from engine.connectors.decode import Decoder
from engine.connectors.formats import TIMESTAMPTZ_MODE, Format
from engine.connectors.intervals import Interval
from engine.connectors.source import SourceSpec
from tests.unit.connectors.messages import Recorded, changing

OP = ("_rw_op", "smallint", "op")
NOTHING = "nothing"


def _spec(type_: str, name: str = "debezium", **handling: str) -> SourceSpec:
    columns = [("id", "integer", "field"), ("v", type_, "field"), OP]
    return changing(Format(name, "json", handling), ["id"], *columns)


def _read(spec: SourceSpec, value: str) -> Any:
    message = Recorded(f'{{"op": "c", "after": {{"id": 1, "v": {value}}}}}'.encode())
    decoded = Decoder(spec).decode([message])
    ((id_, found, op),) = decoded.rows
    assert (id_, op) == (1, COMES)
    return NOTHING if decoded.nulled else found


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("integer", "7", 7),
        ("integer", '"7"', NOTHING),
        ("double precision", "7", 7.0),
        ("double precision", '"7.5"', NOTHING),
        ("numeric", '"12.50"', Decimal("12.50")),
        ("numeric", '{"scale": 2, "value": "BOE="}', Decimal("12.49")),
        ("numeric", '{"scale": 200, "value": "BOE="}', NOTHING),
        ("numeric", '{"value": "BOE="}', NOTHING),
        ("numeric", '"POSITIVE_INFINITY"', Decimal("Infinity")),
        ("boolean", "1", True),
        ("boolean", "0", False),
        ("boolean", "2", NOTHING),
        ("boolean", "true", True),
        ("varchar", "5", NOTHING),
        ("varchar", '"5"', "5"),
        ("bytea", json.dumps(base64.b64encode(b"\x00\xff").decode()), b"\x00\xff"),
        ("bytea", '{"srid": 4326, "wkb": "AP8="}', b"\x00\xff"),
        ("bytea", '{"srid": null, "wkb": "AP8="}', NOTHING),
        ("bytea", '"not base64!"', NOTHING),
        ("date", "20000", dt.date(2024, 10, 4)),
        ("time", "1000000", dt.time(0, 0, 1)),
        ("timestamp", "1795475777123", dt.datetime(2026, 11, 23, 23, 16, 17, 123000)),  # noqa: DTZ001
        ("timestamp", "1795475777123456", dt.datetime(2026, 11, 23, 23, 16, 17, 123456)),  # noqa: DTZ001
        ("timestamptz", '"2026-11-23T23:16:17Z"', dt.datetime(2026, 11, 23, 23, 16, 17, tzinfo=dt.UTC)),
        ("integer[]", "[1, 2]", [1, 2]),
        ("jsonb", '{"a": 1}', NOTHING),
    ],
)
def test_values_as_debezium_writes_them(type_: str, value: str, expected: Any) -> None:
    assert _read(_spec(type_), value) == expected


def test_documents_are_strings_of_json() -> None:
    assert _read(_spec("jsonb"), json.dumps('{"a": [1]}')).obj == b'{"a":[1]}'


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("milli", "100", "1970-01-01T00:00:00.100000+00:00"),
        ("milli", "1712800800123456", NOTHING),
        ("micro", "1712800800123456", "2024-04-11T02:00:00.123456+00:00"),
        ("guess_number_unit", "100", "1970-01-01T00:01:40+00:00"),
        ("utc_string", "100", NOTHING),
        ("utc_string", '"2024-04-11T02:00:00.5Z"', "2024-04-11T02:00:00.500000+00:00"),
        ("utc_without_suffix", '"2024-04-11T02:00:00.5Z"', NOTHING),
        ("utc_without_suffix", '"2024-04-11 02:00:00.5"', "2024-04-11T02:00:00.500000+00:00"),
        ("utc_without_suffix", "100", NOTHING),
        ("milli", '"2024-04-11 02:00:00.5"', NOTHING),
    ],
)
@pytest.mark.parametrize("format_", ["plain", "debezium"])
def test_how_a_timestamptz_is_read(format_: str, mode: str, value: str, expected: str) -> None:
    if format_ == "debezium":
        found = _read(_spec("timestamptz", **{TIMESTAMPTZ_MODE: mode}), value)
    else:
        spec = changing(Format("plain", "json", {TIMESTAMPTZ_MODE: mode}), (), ("v", "timestamptz", "field"))
        decoded = Decoder(spec).decode([Recorded(f'{{"v": {value}}}'.encode())])
        found = NOTHING if decoded.nulled else decoded.rows[0][0]
    assert (found if found == NOTHING else found.isoformat()) == expected


def test_origins_stay_with_the_messages_that_are_left() -> None:
    keys = [b"1", None, b"3", b"4"]
    messages = [Recorded(b"{}", 10 + n, n % 2, key) for n, key in enumerate(keys)]
    spec = changing(Format("upsert"), ["k"], ("k", "bytea", "key"), OP)
    decoded = Decoder(spec).decode(messages)
    assert decoded.rows == [(b"1", COMES), (b"3", COMES), (b"4", COMES)]
    assert (decoded.partitions, decoded.offsets, decoded.after) == ([0, 0, 1], [10, 12, 13], {0: 13, 1: 14})
    rejected = changing(Format("debezium"), ["id"], ("id", "integer", "field"), OP)
    events = [
        Recorded(b'{"op": "d", "before": {"id": %d}}' % n if n else b'{"op": "d", "before": {}}', n)
        for n in range(3)
    ]
    decoded = Decoder(rejected).decode(events)
    assert (decoded.rows, decoded.offsets, decoded.skipped) == ([(1, GOES), (2, GOES)], [1, 2], 1)


def test_a_message_without_a_value_tells_its_row_by_its_key() -> None:
    gone = b'{"schema": {}, "payload": {"ID": 5}}'
    assert Decoder(_spec("varchar")).decode([Recorded(None, given_key=gone)]).rows == [(5, None, GOES)]
    ignoring = _spec("varchar", ignore_key="true")
    assert Decoder(ignoring).decode([Recorded(None, given_key=gone)]).skipped == 1


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[]", b"null", b'"x"', b'{"payload": []}', b'{"op": 5}', b'{"op": "c"}', b"\xff"]
)
@pytest.mark.parametrize("name", ["debezium", "debezium_mongo"])
def test_hostile_values_are_no_changes(name: str, value: bytes) -> None:
    spec = changing(Format(name), ["_id"], ("_id", "varchar", "field"), OP)
    decoded = Decoder(spec).decode([Recorded(value, given_key=b"{}"), Recorded(None, given_key=value)])
    assert (decoded.rows, decoded.skipped) == ([], 2)


@pytest.mark.parametrize(
    ("type_", "id_", "expected"),
    [
        ("jsonb", {"$oid": "a"}, {"$oid": "a"}),
        ("varchar", {"$oid": "a"}, "a"),
        ("varchar", "plain", "plain"),
        ("integer", {"$numberInt": "5"}, "5"),
        ("bigint", {"$numberLong": "5"}, "5"),
        ("bigint", 5, 5),
    ],
)
def test_ids_of_documents(type_: str, id_: object, expected: object) -> None:
    assert bson_id({"_id": id_, "x": 1}, type_) == expected
    assert bson_id(id_, type_) == expected


DECIMAL = {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}}


def _logical(name: str, type_: str = "int64") -> dict[str, Any]:
    return {"type": type_, "name": f"io.debezium.time.{name}"}


@pytest.mark.parametrize(
    ("type_", "schema", "value", "expected"),
    [
        ("numeric", DECIMAL, "BOE=", Decimal("12.49")),
        ("numeric", DECIMAL, "/w==", Decimal("-0.01")),
        ("numeric", DECIMAL, "1234", Decimal("-26588.24")),
        ("numeric", {**DECIMAL, "parameters": {"scale": "x"}}, "BOE=", NOTHING),
        ("double precision", DECIMAL, "BOE=", 12.49),
        ("bigint", {**DECIMAL, "parameters": {"scale": "0"}}, "BOE=", 1249),
        ("integer", DECIMAL, "BOE=", NOTHING),
        ("varchar", DECIMAL, "BOE=", "BOE="),
        ("numeric[]", {"type": "array", "items": DECIMAL}, ["BOE=", None], [Decimal("12.49"), None]),
        ("date", _logical("Date", "int32"), 20000, dt.date(2024, 10, 4)),
        ("time", _logical("Time", "int32"), 1500, dt.time(0, 0, 1, 500000)),
        ("time", _logical("MicroTime"), 1500, dt.time(0, 0, 0, 1500)),
        ("time", _logical("NanoTime"), 1500, dt.time(0, 0, 0, 1)),
        ("timestamp", _logical("Timestamp"), 1500, dt.datetime(1970, 1, 1, 0, 0, 1, 500000)),  # noqa: DTZ001
        ("timestamp", _logical("MicroTimestamp"), -1, dt.datetime(1969, 12, 31, 23, 59, 59, 999999)),  # noqa: DTZ001
        ("timestamp", _logical("NanoTimestamp"), 2000, dt.datetime(1970, 1, 1, 0, 0, 0, 2)),  # noqa: DTZ001
        ("timestamp", _logical("Timestamp"), 10**18, NOTHING),
        ("timestamptz", _logical("Timestamp"), 1500, dt.datetime(1970, 1, 1, 0, 0, 1, 500000, dt.UTC)),
        ("timestamptz", _logical("ZonedTimestamp", "string"), "1970-01-01T00:00:01Z", dt.datetime.fromtimestamp(1, dt.UTC)),
        ("interval", _logical("MicroDuration"), 90_000_000, Interval(0, 0, 90_000_000)),
        ("interval", _logical("MicroDuration"), -1, Interval(0, 0, -1)),
        ("integer", {"type": "int32"}, 7, 7),
    ],
)  # fmt: skip
def test_the_schema_says_what_values_mean(
    type_: str, schema: dict[str, Any], value: Any, expected: Any
) -> None:
    row = {
        "type": "struct",
        "field": "after",
        "fields": [{"type": "int32", "field": "id"}, {**schema, "field": "V"}],
    }
    event = {
        "schema": {"type": "struct", "fields": [row]},
        "payload": {"op": "c", "after": {"id": 1, "V": value}},
    }
    decoded = Decoder(_spec(type_)).decode([Recorded(json.dumps(event).encode())])
    ((_, found, _),) = decoded.rows
    assert (NOTHING if decoded.nulled else found) == expected


def test_the_schema_of_a_key_counts_too() -> None:
    spec = changing(Format("debezium"), ["id"], ("id", "numeric", "field"), OP)
    schema = {"type": "struct", "fields": [{**DECIMAL, "field": "id"}]}
    key = json.dumps({"schema": schema, "payload": {"id": "BOE="}}).encode()
    assert Decoder(spec).decode([Recorded(None, given_key=key)]).rows == [(Decimal("12.49"), GOES)]


@pytest.mark.parametrize(
    "schema", [None, 5, {}, {"fields": 5}, {"fields": [5, {"field": "after", "fields": [{}, 7]}]}]
)
def test_hostile_schemas_change_nothing(schema: object) -> None:
    event = {"schema": schema, "payload": {"op": "c", "after": {"id": 1, "v": "1.5"}}}
    assert Decoder(_spec("numeric")).decode([Recorded(json.dumps(event).encode())]).rows == [
        (1, Decimal("1.5"), COMES)
    ]
