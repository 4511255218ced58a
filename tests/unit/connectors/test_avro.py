"""ENCODE AVRO on raw bytes: columns out of schemas, values out of messages, schemas that change, bytes that are none."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from io import BytesIO
from typing import Any

import fastavro
import pytest

from engine.connectors.decode import Decoded, Decoder
from engine.connectors.external import columns_of, load
from engine.connectors.formats import Format, check_format
from engine.connectors.intervals import Interval
from engine.connectors.registry import RegistryUnreachableError
from engine.connectors.source import SourceColumn, SourceSpec, source_spec
from engine.ddl.external_columns import named_type
from tailrace.errors import TailraceError
from tailrace.sql.types import MapType, StructType, expand_types
from tests.support.registry import RegistryStandIn, avro, framed, registry
from tests.unit.connectors.messages import OPTIONS, Recorded

NOON = dt.datetime(2026, 1, 2, 12, 0, 0, 123000, tzinfo=dt.UTC)
WALL = NOON.replace(tzinfo=None)


@pytest.fixture(name="stand_in")
def _stand_in() -> Iterator[RegistryStandIn]:
    with registry() as running:
        yield running


def record(*fields: tuple[Any, ...], name: str = "Root") -> dict[str, Any]:
    """A record's schema; a field is a name, a type and perhaps a default."""
    listed = [{"name": f[0], "type": f[1], **({"default": f[2]} if len(f) > 2 else {})} for f in fields]
    return {"type": "record", "name": name, "namespace": "ns", "fields": listed}


def types_of(stand_in: RegistryStandIn, schema: Any, **options: str) -> dict[str, str]:
    stand_in.register("t-value", schema)
    format_ = Format("plain", "avro", {"schema.registry": stand_in.url, **options})
    return dict(columns_of(format_, load(format_, "t")).columns)


def reader(
    stand_in: RegistryStandIn,
    name: str = "plain",
    more: Mapping[str, str] | None = None,
    key: tuple[str, ...] = (),
) -> tuple[Decoder, SourceSpec]:
    """A decoder of all columns that the newest schema of t-value gives."""
    format_ = Format(name, "avro", {"schema.registry": stand_in.url, **(more or {})})
    schema = load(format_, "t")
    columns = columns_of(format_, schema).columns
    composed = [t for _, type_ in columns for t in expand_types(f"SELECT NULL::{type_}").types]
    composites = {
        t.name: [(n, named_type(k)) for n, k in t.fields] for t in composed if isinstance(t, StructType)
    }
    maps = {t.name: (named_type(t.key), named_type(t.value)) for t in composed if isinstance(t, MapType)}
    spec = source_spec(
        "s", [SourceColumn(n, named_type(t), "field") for n, t in columns], OPTIONS, format_,
        composites=composites, maps=maps, schema=schema, key=key,
    )  # fmt: skip
    return Decoder(spec), spec


def decoded(stand_in: RegistryStandIn, *payloads: bytes | None) -> Decoded:
    return reader(stand_in)[0].decode([Recorded(p, n) for n, p in enumerate(payloads)])


LOGICAL: list[tuple[Any, str, Any, Any]] = [
    ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, "NUMERIC", Decimal("-1.25"), Decimal("-1.25")),
    ({"type": "fixed", "name": "F", "size": 4, "logicalType": "decimal", "precision": 5, "scale": 1}, "NUMERIC",
     Decimal("3.5"), Decimal("3.5")),
    ({"type": "int", "logicalType": "date"}, "DATE", dt.date(2020, 2, 29), dt.date(2020, 2, 29)),
    ({"type": "int", "logicalType": "time-millis"}, "TIME", dt.time(1, 2, 3, 4000), dt.time(1, 2, 3, 4000)),
    ({"type": "long", "logicalType": "time-micros"}, "TIME", dt.time(1, 2, 3, 4), dt.time(1, 2, 3, 4)),
    ({"type": "long", "logicalType": "timestamp-millis"}, "TIMESTAMP WITH TIME ZONE", NOON, NOON),
    ({"type": "long", "logicalType": "timestamp-micros"}, "TIMESTAMP WITH TIME ZONE", NOON, NOON),
    ({"type": "long", "logicalType": "local-timestamp-millis"}, "TIMESTAMP", WALL, WALL),
    ({"type": "long", "logicalType": "local-timestamp-micros"}, "TIMESTAMP", WALL, WALL),
    ({"type": "string", "logicalType": "uuid"}, "CHARACTER VARYING", "67e55044-10b1-426f-9247-bb680e5fe0c8",
     "67e55044-10b1-426f-9247-bb680e5fe0c8"),
    ({"type": "fixed", "name": "F", "size": 12, "logicalType": "duration"}, "INTERVAL",
     (14).to_bytes(4, "little") + (3).to_bytes(4, "little") + (1500).to_bytes(4, "little"), Interval(14, 3, 1_500_000)),
    ("boolean", "BOOLEAN", True, True),
    ("int", "INT", -5, -5),
    ("long", "BIGINT", 2**62, 2**62),
    ("float", "REAL", 1.5, 1.5),
    ("double", "DOUBLE", 1e300, 1e300),
    ("bytes", "BYTEA", b"\0\xff", b"\0\xff"),
    ("string", "CHARACTER VARYING", "é", "é"),
    ({"type": "string", "avro.java.string": "String"}, "CHARACTER VARYING", "x", "x"),
    ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "CHARACTER VARYING", "B", "B"),
    ({"type": "long", "logicalType": "unheard-of"}, "BIGINT", 7, 7),
    ({"type": "bytes", "logicalType": "decimal", "precision": 1, "scale": 2}, "BYTEA", b"\x01", b"\x01"),
    (["null", "int"], "INT", None, None),
    (["string", "null"], "CHARACTER VARYING", "y", "y"),
    ({"type": "array", "items": ["null", "int"]}, "INT[]", [1, None], [1, None]),
    ({"type": "map", "values": "long"}, "MAP(CHARACTER VARYING, BIGINT)", {"b": 2, "a": 1}, "{a:1,b:2}"),
    (record(("a", "int"), ("B", "string"), name="In"), 'STRUCT<a INT, "B" CHARACTER VARYING>', {"a": 1, "B": "z"}, (1, "z")),
    (record(name="In"), "STRUCT< >", {}, ()),
    (["int", "string", "null"], 'STRUCT<"int" INT, "string" CHARACTER VARYING>', "s", (None, "s")),
    (["int", "long"], 'STRUCT<"int" INT, long BIGINT>', 5, (5, None)),
    (["null", "boolean", "double"], 'STRUCT<"boolean" BOOLEAN, "double" DOUBLE>', None, None),
]  # fmt: skip


@pytest.mark.parametrize(("avro_type", "type_", "written", "expected"), LOGICAL)
def test_types_and_values(
    stand_in: RegistryStandIn, avro_type: Any, type_: str, written: Any, expected: Any
) -> None:
    schema = record(("v", avro_type))
    shown = types_of(stand_in, schema)["v"]
    assert shown.replace('"', "") == type_.replace('"', "")
    raw = (
        json.dumps(schema)
        .replace('"duration"', '"none"')
        .replace('"decimal", "precision": 1,', '"none", "precision": 1,')
    )
    found = decoded(stand_in, avro(1, json.loads(raw), {"v": written}))
    assert (found.rows, found.nulled, found.rejects) == ([(expected,)], 0, [])


def test_values_beyond_what_python_and_postgresql_hold_are_null_alone(stand_in: RegistryStandIn) -> None:
    day, moment = {"type": "int", "logicalType": "date"}, {"type": "long", "logicalType": "timestamp-millis"}
    huge = {"type": "bytes", "logicalType": "decimal", "precision": 60, "scale": 0}
    clock, uuid = {"type": "int", "logicalType": "time-millis"}, {"type": "string", "logicalType": "uuid"}
    bare = record(("d", "int"), ("m", "long"), ("n", "bytes"), ("t", "int"), ("u", "string"), ("s", "string"))
    stand_in.register(
        "t-value", record(("d", day), ("m", moment), ("n", huge), ("t", clock), ("u", uuid), ("s", "string"))
    )
    values = {"d": 2**31 - 1, "m": 2**62, "n": b"\x7f" * 20, "t": -1, "u": "no uuid", "s": "a\0b"}
    found = decoded(stand_in, avro(1, bare, values))
    assert (found.rows, found.nulled) == ([(None,) * 6], 6)


def test_maps_as_documents_and_texts(stand_in: RegistryStandIn) -> None:
    inner = record(("a", "int"), ("m", {"type": "map", "values": "string"}), name="In")
    schema = record(
        ("v", {"type": "map", "values": inner}), ("n", {"type": "map", "values": ["null", "float"]})
    )
    assert (
        types_of(stand_in, schema)["v"]
        == "MAP(CHARACTER VARYING, STRUCT<a INT, m MAP(CHARACTER VARYING, CHARACTER VARYING)>)"
    )
    value = {"v": {"k": {"a": 1, "m": {"x:y": 'q"', "z": ""}}}, "n": {"a": 0.1, "b": None, "c d": 1e10}}
    found = decoded(stand_in, avro(1, schema, value))
    assert found.rows == [('{k:(1,"{""x:y"":""q\\\\"""",z:""""}")}', "{a:0.1,b:NULL,c d:1e+10}")]
    as_json = record(("v", {"type": "map", "values": inner}))
    assert types_of(stand_in, as_json, **{"map.handling.mode": "jsonb"}) == {"v": "JSONB"}
    decoder, _ = reader(stand_in, more={"map.handling.mode": "jsonb"})
    (row,) = decoder.decode([Recorded(avro(2, as_json, {"v": value["v"]}))]).rows
    assert json.loads(row[0].obj) == value["v"]


def test_a_writer_s_schema_is_resolved_to_the_reader_s(stand_in: RegistryStandIn) -> None:
    old = record(
        ("id", "int"), ("at", {"type": "long", "logicalType": "timestamp-millis"}), ("gone", "string")
    )
    new = record(
        ("at", {"type": "long", "logicalType": "timestamp-micros"}), ("id", "long"), ("note", ["null", "string"], None),
        ("price", [{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, "null"], "\u00ff"),
        ("rate", "double", "NaN"), ("tags", {"type": "array", "items": "string"}, ["a"]),
    )  # fmt: skip
    first, second = stand_in.register("t-value", old), stand_in.register("t-value", new)
    decoder, _ = reader(stand_in)
    third = stand_in.register(
        "t-value", record(*((f["name"], f["type"]) for f in new["fields"]), ("more", "int"))
    )
    newest = json.loads(stand_in.subjects["t-value"][-1].schema)
    full = {"at": NOON, "id": 2**40, "note": "n", "price": None, "rate": 1.0, "tags": []}
    found = decoder.decode(
        [
            Recorded(avro(first, old, {"id": 1, "at": NOON, "gone": "x"})),
            Recorded(avro(second, new, full)),
            Recorded(avro(third, newest, {**full, "more": 5})),
        ]
    )
    assert found.rows[1:] == [(NOON, 2**40, "n", None, 1.0, [])] * 2
    assert found.rows[0][:4] == (NOON, 1, None, Decimal("-0.01"))
    assert math.isnan(found.rows[0][4])
    assert found.rows[0][5] == ["a"]
    decoder.decode([Recorded(avro(first, old, {"id": 1, "at": NOON, "gone": "x"}))])
    assert [p for p in stand_in.asked if p.startswith("/schemas/")] == [
        f"/schemas/ids/{first}",
        f"/schemas/ids/{third}",
    ]


def test_a_field_without_a_default_that_a_writer_left_out_is_told(stand_in: RegistryStandIn) -> None:
    first = stand_in.register("t-value", record(("a", "int")))
    stand_in.register("t-value", record(("a", "int"), ("b", "int")))
    found = decoded(stand_in, avro(first, record(("a", "int")), {"a": 1}))
    assert (found.rows, found.skipped) == ([], 1)
    assert "No default value for field b" in found.rejects[0].reason


def test_bytes_that_are_no_messages_are_told_with_their_places(stand_in: RegistryStandIn) -> None:
    schema = record(("a", "int"), ("s", "string"))
    id_ = stand_in.register("t-value", schema)
    good = avro(id_, schema, {"a": 1, "s": "xyz"})
    bad = [
        b"",
        b"\1" + good[1:],
        b"\0\0\0",
        good[:-1],
        framed(id_, b"\xff" * 40),
        framed(99, b"\2"),
        framed(id_, b"\2\4\xff\xff"),
    ]
    found = decoded(stand_in, good, *bad, None)
    assert found.rows == [(1, "xyz"), (None, None)]
    assert (found.skipped, found.after) == (7, {0: 9})
    assert [r.offset for r in found.rejects] == [1, 2, 3, 4, 5, 6, 7]
    reasons = [r.reason for r in found.rejects]
    assert "magic byte" in reasons[0]
    assert "4-byte schema ID" in reasons[2]
    assert "ends too soon" in reasons[3]
    assert "no schema 99" in reasons[5]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (record(("v", {"type": "array", "items": "null"})), "take no bytes"),
        (record(("v", {"type": "array", "items": record(name="Empty")})), "take no bytes"),
        (record(("v", ["null", "Root"])), "circular reference"),
        ("{", "failed to parse avro schema"),
    ],
)
def test_writers_schemas_that_no_message_should_be_read_by(
    stand_in: RegistryStandIn, schema: Any, said: str
) -> None:
    stand_in.register("t-value", record(("a", "int", 0)))
    decoder, _ = reader(stand_in)
    id_ = stand_in.register("other", schema)
    found = decoder.decode([Recorded(framed(id_, b"\xfe" + b"\xff" * 8 + b"\1\0"))] * 2)
    assert (found.rows, found.skipped) == ([], 2)
    assert said in found.rejects[0].reason


@pytest.mark.parametrize(
    ("schema", "sqlstate", "said"),
    [
        (record(("v", ["null", "Root"])), "42601", "circular reference detected in Avro schema: ns.Root -> ns.Root"),
        (record(("v", ["null", "int", {"type": "enum", "name": "E", "symbols": ["A"]}])), "0A000", "named type used in Union"),
        (record(("v", ["int", {"type": "string", "logicalType": "uuid"}])), "0A000", "logicalType used in Union type"),
        (record(("v", {"type": "fixed", "name": "F", "size": 3})), "0A000", "Avro type: fixed"),
        (record(("v", "null")), "0A000", "Avro type: null"),
        (record(("v", {"type": "long", "logicalType": "timestamp-nanos"})), "0A000", "timestamp-nanos"),
        (record(("v", "Unheard")), "42601", "unknown type ns.Unheard"),
        ('"string"', "42601", "record type required at top level"),
        ("no json", "42601", "failed to parse avro schema"),
    ],
)  # fmt: skip
def test_schemas_that_give_no_columns(
    stand_in: RegistryStandIn, schema: Any, sqlstate: str, said: str
) -> None:
    with pytest.raises(TailraceError) as caught:
        types_of(stand_in, schema)
    assert (caught.value.sqlstate, said in caught.value.message) == (sqlstate, True), caught.value.message


def test_debezium(stand_in: RegistryStandIn) -> None:
    row = record(("id", "int"), ("v", ["null", "string"], None), name="Value")
    event = record(
        ("before", ["null", row], None), ("after", ["null", "Value"], None), ("op", "string"), name="Envelope"
    )
    key = record(("id", "int"), name="Key")
    id_, key_id = stand_in.register("t-value", event), stand_in.register("t-key", key)
    format_ = Format("debezium", "avro", {"schema.registry": stand_in.url})
    schema = load(format_, "t")
    assert columns_of(format_, schema).key == ("id",)
    columns = [
        SourceColumn("id", "integer", "field"),
        SourceColumn("v", "varchar", "field"),
        SourceColumn("_rw_op", "smallint", "op"),
    ]
    decoder = Decoder(source_spec("s", columns, OPTIONS, format_, schema=schema, key=("id",)))
    one = {"id": 1, "v": "a"}
    messages = [
        Recorded(avro(id_, event, {"before": None, "after": one, "op": "c"})),
        Recorded(avro(id_, event, {"before": one, "after": {**one, "v": None}, "op": "u"})),
        Recorded(avro(id_, event, {"before": {"id": 1}, "after": None, "op": "d"})),
        Recorded(None, given_key=avro(key_id, key, {"id": 7})),
        Recorded(avro(id_, event, {"before": None, "after": None, "op": "m"})),
        Recorded(None),
        Recorded(b"{}"),
    ]
    found = decoder.decode(messages)
    assert found.rows == [(1, "a", 1), (1, None, 1), (1, None, 2), (7, None, 2)]
    assert (found.skipped, len(found.rejects)) == (3, 3)


def test_variable_scale_decimals(stand_in: RegistryStandIn) -> None:
    inner = {"type": "record", "name": "VariableScaleDecimal", "namespace": "io.debezium.data",
             "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}]}  # fmt: skip
    schema = record(("v", inner))
    assert types_of(stand_in, schema) == {"v": "NUMERIC"}
    found = decoded(
        stand_in, avro(1, schema, {"v": {"scale": 2, "value": (-1234).to_bytes(2, "big", signed=True)}})
    )
    assert found.rows == [(Decimal("-12.34"),)]


def test_references_to_other_subjects(stand_in: RegistryStandIn) -> None:
    stand_in.register("ns.Point", record(("x", "int"), name="Point"))
    schema = record(("p", "ns.Point"))
    id_ = stand_in.register("t-value", schema, references=("ns.Point",))
    payload = avro(id_, record(("p", record(("x", "int"), name="Point"))), {"p": {"x": 3}})
    assert decoded(stand_in, payload).rows == [((3,),)]


def test_container_files(stand_in: RegistryStandIn, tmp_path: Any) -> None:
    schema = record(("a", "int"), ("b", "int", 7))
    (tmp_path / "x.avsc").write_text(json.dumps(schema))
    options = {"schema.location": (tmp_path / "x.avsc").as_uri(), "with_deprecated_file_header": "true"}
    format_ = Format("plain", "avro", options)
    assert check_format(format_, "kafka") == []
    spec = source_spec(
        "s", [SourceColumn("b", "integer", "field")], OPTIONS, format_, schema=load(format_, "t")
    )
    out = BytesIO()
    fastavro.writer(out, record(("a", "int")), [{"a": 1}])
    found = Decoder(spec).decode([Recorded(out.getvalue()), Recorded(b"Obj")])
    assert (found.rows, found.skipped) == ([(7,)], 1)


def test_a_registry_that_is_away_stops_reading_and_loses_nothing(
    stand_in: RegistryStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.connectors.registry._PAUSES_S", (0.0,))
    stand_in.register("t-value", record(("a", "int")))
    decoder, _ = reader(stand_in)
    other = record(("a", "int"), ("b", "int"))
    id_ = stand_in.register("t-value", other)
    stand_in.away = True
    messages = [Recorded(avro(id_, other, {"a": 1, "b": 2}))]
    with pytest.raises(RegistryUnreachableError, match="no schema registry answers"):
        decoder.decode(messages)
    assert decoder.decode([Recorded(avro(1, record(("a", "int")), {"a": 5}))]).rows == [(5,)]
    stand_in.away = False
    assert decoder.decode(messages).rows == [(1,)]


def test_passwords_and_several_urls(stand_in: RegistryStandIn) -> None:
    stand_in.password = "me:secret"
    stand_in.register("ns.Root", record(("a", "int")))
    options = {
        "schema.registry": f"http://127.0.0.1:9, {stand_in.url}/", "schema.registry.name.strategy": "record_name_strategy",
        "message": "ns.Root",
    }  # fmt: skip
    with pytest.raises(TailraceError, match="Unauthorized") as caught:
        load(Format("plain", "avro", options), "t")
    assert caught.value.sqlstate == "42704"
    options |= {"schema.registry.username": "me", "schema.registry.password": "secret"}
    assert load(Format("plain", "avro", options), "t").value.id == 1


@pytest.mark.parametrize(
    ("options", "sqlstate", "said"),
    [
        ({}, "42601", "missing either a schema location or a schema registry"),
        ({"schema.registry": "http://x", "schema.location": "file:///x"}, "42601", "only need either"),
        (
            {"schema.registry": "http://x", "schema.registry.name.strategy": "no sense"},
            "42601",
            "expect strategy name in",
        ),
        (
            {"schema.registry": "http://x", "key.message": "K"},
            "42601",
            "unused FORMAT ENCODE option: key.message='K'",
        ),
        (
            {"schema.registry": "http://x", "map.handling.mode": "x"},
            "42601",
            "unrecognized map.handling.mode",
        ),
        ({"schema.location": "file:///x"}, "0A000", "avro without schema registry"),
        ({"aws.glue.schema_arn": "arn"}, "0A000", "aws.glue.schema_arn"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, str], sqlstate: str, said: str) -> None:
    with pytest.raises(TailraceError) as caught:
        check_format(Format("plain", "avro", options), "kafka")
    assert (caught.value.sqlstate, said in caught.value.message) == (sqlstate, True), caught.value.message


def test_what_a_registry_lacks_is_told(stand_in: RegistryStandIn) -> None:
    with pytest.raises(TailraceError, match="no subject t-value for us: not found") as caught:
        load(Format("plain", "avro", {"schema.registry": stand_in.url}), "t")
    assert caught.value.hint is not None
    with pytest.raises(TailraceError, match="no valid url"):
        load(Format("plain", "avro", {"schema.registry": "nowhere"}), "t")
    with pytest.raises(TailraceError, match="expect non-empty field message"):
        load(
            Format(
                "plain",
                "avro",
                {"schema.registry": stand_in.url, "schema.registry.name.strategy": "record_name_strategy"},
            ),
            "t",
        )
