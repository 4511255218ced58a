"""The JSON form of each type, and the messages that changes become, by tables of values; PostgreSQL writes the values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from engine.connectors.sink import SinkSpec, SinkType
from engine.connectors.sink_json import check_types, row_expression, value_expression
from engine.connectors.sink_messages import _field, messages, select
from engine.connectors.sink_target import Change
from engine.operators.base import Column
from tailrace.errors import UnsupportedFeature
from tests.support.postgres import PostgresServer

UPSERT = SinkSpec("kafka", SinkType.UPSERT, "json", ("id",))
DEBEZIUM = SinkSpec("kafka", SinkType.DEBEZIUM, "json", ("id",))

VALUES = [
    ("boolean", "true", "true"),
    ("smallint", "-3", "-3"),
    ("bigint", "9223372036854775807", "9223372036854775807"),
    ("real", "15.87", "15.869999885559082"),
    ("double precision", "0.1", "0.1"),
    ("double precision", "1e300", "1e+300"),
    ("double precision", "'NaN'", "null"),
    ("double precision", "'-Infinity'", "null"),
    ("numeric", "12345678901234567890.50", '"12345678901234567890.50"'),
    ("character varying", "'a \"b\" é \\'", '"a \\"b\\" é \\\\"'),
    ("text", "''", '""'),
    ("bytea", "'\\x00ff10'", '"AP8Q"'),
    ("bytea", "decode(repeat('00', 60), 'hex')", '"' + "A" * 80 + '"'),
    ("date", "'0001-01-01'", "1"),
    ("date", "'1970-01-01'", "719163"),
    ("date", "'infinity'", "null"),
    ("time without time zone", "'01:02:03.987'", "3723000"),
    ("timestamp without time zone", "'1970-01-01 00:16:40.5'", "1000500"),
    ("timestamp without time zone", "'1969-12-31 23:59:59.9995'", "-1"),
    ("timestamp with time zone", "'2018-01-26 18:30:09.453+00'", '"2018-01-26T18:30:09.453000Z"'),
    ("timestamp with time zone", "'2018-01-26 18:30:09+02'", '"2018-01-26T16:30:09.000000Z"'),
    ("timestamp with time zone", "'infinity'", "null"),
    ("interval", "'1 year 1 month 2 days 1 second'", '"P1Y1M2DT0H0M1S"'),
    ("interval", "'3 days 04:05:06.75'", '"P0Y0M3DT4H5M6.75S"'),
    ("jsonb", "'{\"a\": [1, null]}'", '"{\\"a\\": [1, null]}"'),
    ("integer[]", "'{1,NULL,3}'", "[1,null,3]"),
    ("integer[]", "'{}'", "[]"),
    ("date[]", "'{1970-01-01,NULL}'", "[719163, null]"),
    ("date[]", "'{}'", "[]"),
    ("date[]", "NULL", "null"),
    ("numeric", "NULL", "null"),
    ("bytea", "NULL", "null"),
]


@pytest.fixture(scope="module")
def connection(postgres: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def _shown(connection: psycopg.Connection[Any], type_: str, literal: str, spec: SinkSpec) -> str:
    query = f"SELECT {row_expression([('v1', Column('c', type_))], spec)} FROM (SELECT ({literal})::{type_} AS v1) AS log"
    row = connection.execute(query).fetchone()
    assert row is not None
    json.loads(row[0])
    return str(row[0]).removeprefix('{"c":').removesuffix("}")


@pytest.mark.parametrize(("type_", "literal", "expected"), VALUES)
def test_values(connection: psycopg.Connection[Any], type_: str, literal: str, expected: str) -> None:
    check_types([Column("c", type_)], {})
    assert _shown(connection, type_, literal, UPSERT) == expected


@pytest.mark.parametrize(
    ("spec", "type_", "literal", "expected"),
    [
        (DEBEZIUM, "date", "'1970-01-03'", "2"),
        (
            SinkSpec("kafka", SinkType.UPSERT, timestamptz_mode="utc_without_suffix"),
            "timestamp with time zone",
            "'2018-01-26 18:30:09.453+00'",
            '"2018-01-26 18:30:09.453000"',
        ),
        (SinkSpec("kafka", SinkType.UPSERT, jsonb_mode="dynamic"), "jsonb", "'{\"a\": 1}'", '{"a": 1}'),
    ],
)
def test_modes(
    connection: psycopg.Connection[Any], spec: SinkSpec, type_: str, literal: str, expected: str
) -> None:
    assert _shown(connection, type_, literal, spec) == expected


def test_structs_are_objects(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE TYPE inner_type AS (d date, t timestamptz)")
        connection.execute('CREATE TYPE outer_type AS (n numeric, "A b" inner_type[])')
        fields = {
            "inner_type": [("d", "date"), ("t", "timestamp with time zone")],
            "outer_type": [("n", "numeric"), ("A b", "inner_type[]")],
        }
        spec = SinkSpec("kafka", SinkType.UPSERT, composites=fields)
        check_types([Column("c", "outer_type")], fields)
        value = "ROW(1.5, ARRAY[ROW('1970-01-01', NULL)::inner_type, NULL])"
        shown = '{"n":"1.5","A b":[{"d":719163,"t":null}, null]}'
        assert _shown(connection, "outer_type", value, spec) == shown
        assert _shown(connection, "outer_type[]", f"ARRAY[{value}::outer_type]", spec) == f"[{shown}]"
        assert _shown(connection, "outer_type[]", "NULL", spec) == "null"
        assert SinkSpec.from_json(json.loads(json.dumps(spec.to_json()))).composites["inner_type"][0] == [
            "d",
            "date",
        ]
    with pytest.raises(UnsupportedFeature, match="type map of column c in a sink"):
        check_types([Column("c", "rw.map_0123456789abcdef")], {})


@pytest.mark.parametrize("type_", ["uuid", "inet", "json", "point[]"])
def test_types_without_a_form_are_refused(type_: str) -> None:
    with pytest.raises(UnsupportedFeature, match="column c in a sink"):
        check_types([Column("c", type_)], {})


def test_modifiers_change_nothing() -> None:
    assert value_expression("x", "numeric(10,2)", UPSERT) == "x::text"
    check_types([Column("c", "numeric(10,2)[]"), Column("d", "character varying(3)")], {})


def test_debezium_describes_arrays_and_structs() -> None:
    spec = SinkSpec("kafka", SinkType.DEBEZIUM, composites={"rw.s": [("a", "integer"), ("b", "real[]")]})
    assert _field("c", "rw.s[]", spec.composites) == {
        "field": "c",
        "optional": True,
        "type": "array",
        "items": {
            "optional": True,
            "type": "struct",
            "fields": [
                {"field": "a", "optional": True, "type": "int32"},
                {
                    "field": "b",
                    "optional": True,
                    "type": "array",
                    "items": {"optional": True, "type": "float"},
                },
            ],
        },
    }


COLUMNS = (Column("id", "integer"), Column("v", "character varying"))
CHANGES = [
    Change(1, 1, 1000, ('{"id":1}', '{"id":1,"v":"a"}')),
    Change(2, 4, 2000, ('{"id":1}', '{"id":1,"v":"a"}')),
    Change(3, 3, 2000, ('{"id":1}', '{"id":1,"v":"b"}')),
    Change(4, 2, 3000, ('{"id":1}', '{"id":1,"v":"b"}')),
]


def test_upsert_messages() -> None:
    assert list(messages(UPSERT, COLUMNS, "s")(CHANGES)) == [
        (b'{"id":1}', b'{"id":1,"v":"a"}'),
        (b'{"id":1}', b'{"id":1,"v":"b"}'),
        (b'{"id":1}', None),
    ]


def test_plain_messages_without_a_key() -> None:
    plain = SinkSpec("kafka", SinkType.APPEND_ONLY, "json")
    assert select(plain, COLUMNS)[0] == "NULL"
    assert list(messages(plain, COLUMNS, "s")([Change(1, 1, 0, (None, "{}"))])) == [(None, b"{}")]


def test_debezium_messages() -> None:
    found = list(messages(DEBEZIUM, COLUMNS, "s")(CHANGES))
    documents = [(json.loads(key), value and json.loads(value)) for key, value in found]
    row_a, row_b = {"id": 1, "v": "a"}, {"id": 1, "v": "b"}
    assert [
        (d["payload"]["op"], d["payload"]["before"], d["payload"]["after"]) for _, d in documents if d
    ] == [
        ("c", None, row_a),
        ("u", row_a, row_b),
        ("d", row_b, None),
    ]
    assert [d is None for _, d in documents] == [False, False, False, True]
    key, event = documents[1]
    assert key["payload"] == {"id": 1}
    assert key["schema"] == {
        "type": "struct",
        "fields": [{"field": "id", "optional": True, "type": "int32"}],
        "optional": False,
        "name": "RisingWave.dev.s.Key",
    }
    assert event["payload"]["ts_ms"] == 2000
    assert event["payload"]["source"] == {"db": "dev", "table": "s", "ts_ms": 2000}
    names = [field["field"] for field in event["schema"]["fields"]]
    assert (names, event["schema"]["name"]) == (
        ["before", "after", "source", "op", "ts_ms"],
        "RisingWave.dev.s.Envelope",
    )


@pytest.mark.parametrize(("encode", "expected"), [("text", "v1::text"), ("bytes", "v1")])
def test_keys_as_text_and_bytes(encode: str, expected: str) -> None:
    spec = SinkSpec("kafka", SinkType.UPSERT, "json", ("id",), key_encode=encode)
    assert select(spec, COLUMNS)[0] == expected
