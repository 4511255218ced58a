"""Sinks of ENCODE AVRO and PROTOBUF: from the statement to the bytes of messages, which are read again as a source would."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from io import BytesIO
from typing import Any

import fastavro
import pytest
from google.protobuf import json_format, message_factory

from engine.connectors.protobuf.descriptors import described
from engine.connectors.sink import SinkSpec
from engine.connectors.sink_external import ExternalMessages, external_select
from engine.connectors.sink_target import Change
from engine.ddl import create_sink
from engine.operators.base import Column
from tailrace.errors import TailraceError
from tailrace.sql.types import expand_types
from tests.support.flow import FlowUnderTest
from tests.support.registry import RegistryStandIn, registry

KAFKA = "connector = 'kafka', topic = 't', properties.bootstrap.server = 'x:1'"
ALL = """
CREATE TABLE a (id int PRIMARY KEY, ok boolean, name varchar, raw bytea, r real, d double precision, big bigint,
    rec struct<x int, s varchar>, list int[], recs struct<x int, s varchar>[], at timestamptz, ms timestamptz,
    day date, us time, tms time,
    n numeric, gap interval, doc jsonb, kind varchar, m map(varchar, int), f numeric)
"""
IN = {
    "type": "record",
    "name": "In",
    "fields": [{"name": "x", "type": ["null", "int"]}, {"name": "s", "type": ["string", "null"]}],
}


def optional(name: str, type_: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", type_]}


def of_logical(base: str, logical: str, /, **more: Any) -> dict[str, Any]:
    return {"type": base, "logicalType": logical, **more}


AVRO = {"type": "record", "name": "All", "fields": [
    {"name": "id", "type": "int"}, optional("ok", "boolean"), optional("name", "string"), optional("raw", "bytes"),
    optional("r", "float"), optional("d", "double"), optional("big", "long"), optional("rec", IN),
    optional("list", {"type": "array", "items": ["null", "int"]}), optional("recs", {"type": "array", "items": ["null", "In"]}),
    optional("at", of_logical("long", "timestamp-micros")), optional("ms", of_logical("long", "timestamp-millis")),
    optional("day", of_logical("int", "date")), optional("us", of_logical("long", "time-micros")),
    optional("tms", of_logical("int", "time-millis")), optional("n", of_logical("bytes", "decimal", precision=10, scale=2)),
    optional("gap", of_logical("fixed", "duration", name="Dur", size=12)), optional("doc", "string"),
    optional("kind", {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}), optional("m", {"type": "map", "values": "int"}),
    optional("f", of_logical("fixed", "decimal", name="Fix", size=3, precision=6, scale=1)), optional("unasked", "string"),
]}  # fmt: skip
KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "int"}]}


@pytest.fixture(autouse=True)
def _no_topic() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(create_sink, "check_topic", lambda *_: None)
        yield


@pytest.fixture(name="stand_in")
def _stand_in() -> Iterator[RegistryStandIn]:
    with registry() as running:
        yield running


def delivered(engine: FlowUnderTest, name: str) -> tuple[list[tuple[bytes | None, bytes | None]], list[str]]:
    """The messages of what the sink's log holds, and why others are none; the log is empty then."""
    sink = engine.flow.catalog.by_name(name)
    assert sink is not None
    spec = SinkSpec.from_json(json.loads(json.dumps(sink.body["sink"])))
    columns = tuple(Column(c["name"], c["type"], c["hidden"]) for c in sink.body["columns"])
    log = f"engine.sink_log_{sink.id}"
    items = ", ".join(external_select(spec, columns))
    rows = engine.flow.connection.execute(f"SELECT _seq, _op, {items} FROM {log} ORDER BY _seq").fetchall()
    engine.flow.connection.execute(f"DELETE FROM {log}")
    made = ExternalMessages(spec, columns)
    messages = list(made.messages(Change(seq, op, 0, tuple(values)) for seq, op, *values in rows))
    return messages, [each.error for each in made.refused]


def settle(engine: FlowUnderTest, *statements: str) -> None:
    """A client's statements in RisingWave's words, then a barrier."""
    engine.settle(*(expand_types(statement).sql for statement in statements))


def read(payload: bytes | None, schema: Any, id_: int) -> Any:
    assert payload is not None
    assert payload[:5] == b"\0" + id_.to_bytes(4, "big")
    return fastavro.schemaless_reader(
        BytesIO(payload[5:]), fastavro.parse_schema(json.loads(json.dumps(schema)))
    )


def refused(engine: FlowUnderTest, statement: str) -> TailraceError:
    with pytest.raises(TailraceError) as caught:
        engine.ddl(statement)
    return caught.value


def test_avro_upsert(engine: FlowUnderTest, stand_in: RegistryStandIn) -> None:
    id_, key_id = stand_in.register("t-value", AVRO), stand_in.register("t-key", KEY)
    engine.ddl(ALL)
    engine.ddl(
        f"CREATE SINK s FROM a WITH ({KAFKA}, primary_key = 'id') FORMAT UPSERT ENCODE AVRO (schema.registry = '{stand_in.url}')"
    )
    settle(
        engine,
        "INSERT INTO a VALUES (1, true, 'é', '\\x00ff', 1.5, 'NaN', 9007199254740993, row(1, 's'), ARRAY[1, NULL], "
        "ARRAY[row(2, NULL)]::struct<x int, s varchar>[], '2026-01-02 03:04:05.678901+00', '2026-01-02 03:04:05.678901+00', "
        "'1969-12-31', '01:02:03.000004', '01:02:03.004', -1.257, '1 year 2 days 1.5 seconds', '{\"a\": 1}', 'B', "
        "MAP{'k': 7}::map(varchar, int), -2.5)",
        "INSERT INTO a (id) VALUES (2)",
    )
    ((key, value), (_, empty)), reasons = delivered(engine, "s")
    assert reasons == []
    assert read(key, KEY, key_id) == {"id": 1}
    shown = read(value, AVRO, id_)
    assert shown.pop("d") != shown.get("d")  # NaN
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)
    assert shown == {
        "id": 1, "ok": True, "name": "é", "raw": b"\0\xff", "r": 1.5, "big": 9007199254740993, "rec": {"x": 1, "s": "s"},
        "list": [1, None], "recs": [{"x": 2, "s": None}], "at": moment, "ms": moment.replace(microsecond=678000),
        "day": dt.date(1969, 12, 31), "us": dt.time(1, 2, 3, 4), "tms": dt.time(1, 2, 3, 4000), "n": Decimal("-1.25"),
        "gap": b"\x0c\0\0\0\2\0\0\0\xdc\5\0\0", "doc": '{"a": 1}', "kind": "B", "m": {"k": 7}, "f": Decimal("-2.5"),
        "unasked": None,
    }  # fmt: skip
    assert {k: v for k, v in read(empty, AVRO, id_).items() if v is not None} == {"id": 2}
    settle(engine, "UPDATE a SET name = 'n', kind = 'A' WHERE id = 2", "DELETE FROM a WHERE id = 1")
    messages, reasons = delivered(engine, "s")
    assert reasons == []
    assert [
        (read(k, KEY, key_id)["id"], None if v is None else read(v, AVRO, id_)["kind"]) for k, v in messages
    ] == [(1, None), (2, "A")]
    settle(
        engine,
        "UPDATE a SET kind = 'C' WHERE id = 2",
        "INSERT INTO a (id, n) VALUES (3, 'NaN')",
        "INSERT INTO a (id) VALUES (4)",
    )
    messages, reasons = delivered(engine, "s")
    assert [read(k, KEY, key_id)["id"] for k, _ in messages] == [4]
    assert ["not a valid enum symbol" in reasons[0], "does not support NaN" in reasons[1]] == [True, True]


def test_keys_of_avro_sinks(engine: FlowUnderTest, stand_in: RegistryStandIn) -> None:
    stand_in.register("t-value", {**KEY, "name": "Value"})
    engine.ddl("CREATE TABLE k (id int PRIMARY KEY)", "CREATE MATERIALIZED VIEW v AS SELECT id FROM k")
    end = f"ENCODE AVRO (schema.registry = '{stand_in.url}', force_append_only = true)"
    engine.ddl(
        f"CREATE SINK bare FROM v WITH ({KAFKA}) FORMAT PLAIN {end}",
        f"CREATE SINK as_text FROM v WITH ({KAFKA}, primary_key = 'id') FORMAT PLAIN {end} KEY ENCODE TEXT",
    )
    assert (
        "t-key"
        in refused(
            engine, f"CREATE SINK x FROM v WITH ({KAFKA}, primary_key = 'id') FORMAT PLAIN {end}"
        ).message
    )
    key_id = stand_in.register("t-key", KEY)
    engine.ddl(f"CREATE SINK keyed FROM v WITH ({KAFKA}, primary_key = 'id') FORMAT PLAIN {end}")
    settle(engine, "INSERT INTO k VALUES (11)")
    keys = [delivered(engine, name)[0][0][0] for name in ("bare", "as_text", "keyed")]
    assert keys == [None, b"11", b"\0" + key_id.to_bytes(4, "big") + b"\x16"]


PROTO = """
syntax = "proto3"; package p; import "google/protobuf/timestamp.proto";
message Other { string only = 1; }
message All {
  int32 id = 1; bool ok = 2; string name = 3; bytes raw = 4; float r = 5; double d = 6; sint64 big = 7; In rec = 8;
  repeated int32 list = 9; repeated In recs = 10; google.protobuf.Timestamp at = 11; string ms = 12;
  int32 day = 13; string us = 14;  string n = 15; string gap = 16; string doc = 17; Kind kind = 18; map<string, int32> m = 19;
  message In { int32 x = 1; string s = 2; }
}
enum Kind { A = 0; B = 1; }
"""
SHOWN = "id, ok, name, raw, r, d, big, rec, list, recs, at, ms, day, us, n, gap, doc, kind, m"


def test_protobuf(engine: FlowUnderTest, stand_in: RegistryStandIn) -> None:
    id_ = stand_in.register("t-value", PROTO, "PROTOBUF")
    options = f"schema.registry = '{stand_in.url}', message = 'p.All'"
    engine.ddl(ALL)
    upsert = f"CREATE SINK s AS SELECT {SHOWN} FROM a WITH ({KAFKA}, primary_key = 'id')"
    upsert = f"{upsert} FORMAT UPSERT ENCODE PROTOBUF ({options})"
    assert "Upsert Protobuf None" in refused(engine, upsert).message
    engine.ddl(f"{upsert} KEY ENCODE TEXT")
    settle(engine,
        "INSERT INTO a VALUES (1, true, 'é', '\\x00ff', 1.5, 1e300, -9007199254740993, row(1, 's'), ARRAY[1, 0], "
        "ARRAY[row(2, NULL)]::struct<x int, s varchar>[], '1969-12-31 23:59:59.5+00', '2026-01-02 03:04:05.6+00', "
        "'1970-01-02', '01:02:03.000004', NULL, -1.250, '14 months 2 days 1.5 seconds', '{\"a\": 1}', 'B', "
        "MAP{'k': 7}::map(varchar, int), NULL)",
        "INSERT INTO a (id) VALUES (2)", "INSERT INTO a (id, kind) VALUES (3, 'C')",
        "INSERT INTO a (id, list) VALUES (4, ARRAY[NULL::int])",
    )  # fmt: skip
    messages, reasons = delivered(engine, "s")
    assert [key for key, _ in messages] == [b"1", b"2"]
    assert ["'C' not in enum Kind" in reasons[0], "array containing null" in reasons[1]] == [True, True]
    sink = engine.flow.catalog.by_name("s")
    assert sink is not None
    schema = SinkSpec.from_json(sink.body["sink"]).schema
    assert schema is not None
    types = described(schema)
    header = b"\0" + id_.to_bytes(4, "big") + b"\2\2"
    values = [value or b"" for _, value in messages]
    assert [value[:7] for value in values] == [header, header]
    found = message_factory.GetMessageClass(types.message).FromString(values[0][7:])
    assert json_format.MessageToDict(found, preserving_proto_field_name=True) == {
        "id": 1, "ok": True, "name": "é", "raw": "AP8=", "r": 1.5, "d": 1e300, "big": "-9007199254740993",
        "rec": {"x": 1, "s": "s"},
        "list": [1, 0], "recs": [{"x": 2}], "at": "1969-12-31T23:59:59.500Z", "ms": "2026-01-02 03:04:05.600000+00:00", "day": 1,
        "us": "01:02:03.000004", "n": "-1.250", "gap": "P1Y2M2DT0H0M1.5S", "doc": '{"a": 1}', "kind": "B", "m": {"k": 7},
    }  # fmt: skip
    settle(engine, "DELETE FROM a WHERE id = 1")
    assert delivered(engine, "s")[0] == [(b"1", None)]


@pytest.mark.parametrize(
    ("query", "end", "sqlstate", "said"),
    [
        ("SELECT 1 AS more, id FROM k", "FORMAT PLAIN ENCODE AVRO ({r})", "42804", "encode 'more' error: field not in avro"),
        ("SELECT name FROM k", "FORMAT PLAIN ENCODE AVRO ({r})", "42804", "encode 'id' error: field not present but required"),
        ("SELECT id::bigint AS id FROM k", "FORMAT PLAIN ENCODE AVRO ({r})", "42804", "cannot encode bigint column as int field"),
        ("SELECT id FROM k", "FORMAT DEBEZIUM ENCODE AVRO ({r})", "0A000", "FORMAT DEBEZIUM ENCODE AVRO"),
        ("SELECT id FROM k", "FORMAT PLAIN ENCODE AVRO", "42601", "missing either a schema location or a schema registry"),
        ("SELECT id FROM k", "FORMAT PLAIN ENCODE AVRO ({r}, schema.registry.name.strategy = 'typo')", "42601", "unrecognized"),
        ("SELECT id FROM k", "FORMAT PLAIN ENCODE AVRO ({r}, schema.registry.name.strategy = 'record_name_strategy')", "42601",
         "empty field message"),
        ("SELECT id FROM k", "FORMAT PLAIN ENCODE PROTOBUF ({r})", "42601", "missing field message"),
        ("SELECT id FROM k", "FORMAT PLAIN ENCODE PROTOBUF ({r}, message = 'p.All')", "42601", "of type AVRO, not PROTOBUF"),
        ("SELECT id FROM k", "FORMAT PLAIN ENCODE AVRO ({r}, colour = 'red')", "0A000", "colour"),
    ],
)  # fmt: skip
def test_refusals(
    engine: FlowUnderTest, stand_in: RegistryStandIn, query: str, end: str, sqlstate: str, said: str
) -> None:
    stand_in.register(
        "t-value",
        {
            "type": "record",
            "name": "V",
            "fields": [{"name": "id", "type": "int"}, optional("name", "string")],
        },
    )
    engine.ddl("CREATE TABLE k (id int, name varchar) APPEND ONLY")
    key = ", primary_key = 'id'" if "DEBEZIUM" in end else ""
    written = end.format(r=f"schema.registry = '{stand_in.url}'")
    error = refused(engine, f"CREATE SINK x AS {query} WITH ({KAFKA}{key}) {written}")
    assert (error.sqlstate, said in error.message) == (sqlstate, True), error.message
