"""Sources and tables whose columns a schema registry gives: ENCODE AVRO from the statement to the rows."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tailrace.errors import TailraceError
from tests.operators.topics import WITH, no_topic, produce
from tests.support.flow import FlowUnderTest
from tests.support.registry import RegistryStandIn, avro, registry
from tests.unit.connectors.messages import Recorded

FIELDS: list[dict[str, Any]] = [
    {"name": "bar", "type": "int", "default": 0},
    {"name": "foo", "type": "string"},
]
ROOT = {"type": "record", "name": "Root", "fields": FIELDS}


def with_fields(*fields: dict[str, Any]) -> dict[str, Any]:
    return {**ROOT, "fields": [*FIELDS, *fields]}


@pytest.fixture(autouse=True)
def _no_broker() -> Iterator[None]:
    with no_topic():
        yield


@pytest.fixture(name="stand_in")
def _stand_in() -> Iterator[RegistryStandIn]:
    with registry() as running:
        running.register("t-value", ROOT)
        yield running


def encode(stand_in: RegistryStandIn, format_: str = "PLAIN", more: str = "") -> str:
    return f"{WITH} FORMAT {format_} ENCODE AVRO (schema.registry = '{stand_in.url}'{more})"


def listed(engine: FlowUnderTest, name: str) -> str:
    ((text,),) = engine.rows(f"SELECT definition FROM rw_catalog.rw_relations WHERE name = '{name}'")
    return text.partition(" WITH")[0]


def refused(engine: FlowUnderTest, statement: str) -> TailraceError:
    with pytest.raises(TailraceError) as caught:
        engine.ddl(statement)
    return caught.value


def test_columns_come_from_the_schema(engine: FlowUnderTest, stand_in: RegistryStandIn) -> None:
    end = encode(stand_in)
    assert engine.ddl(f"CREATE TABLE a {end}").notices == []
    engine.ddl(
        f"CREATE TABLE b (*, twice int AS bar * 2) {end}", f"CREATE SOURCE c (*) INCLUDE offset AS o {end}"
    )
    assert "backward compatibility" in engine.ddl(f"CREATE TABLE d (g int AS bar + 1) {end}").notices[0]
    engine.ddl(
        f"CREATE TABLE e (foo varchar, g int AS 1) {end}", f"CREATE TABLE f (foo varchar PRIMARY KEY) {end}"
    )
    assert [listed(engine, name) for name in "abcdef"] == [
        "CREATE TABLE a (bar INT, foo CHARACTER VARYING)",
        "CREATE TABLE b (bar INT, foo CHARACTER VARYING, twice int AS bar * 2)",
        "CREATE SOURCE c (bar INT, foo CHARACTER VARYING) INCLUDE offset AS o",
        "CREATE TABLE d (bar INT, foo CHARACTER VARYING, g int AS bar + 1)",
        "CREATE TABLE e (foo varchar, g int AS 1)",
        "CREATE TABLE f (foo varchar PRIMARY KEY)",
    ]
    for name in "abdef":
        produce(engine, name, [Recorded(avro(1, ROOT, {"bar": n, "foo": "x"})) for n in (1, 2)])
    assert engine.rows("SELECT * FROM b ORDER BY bar") == [(1, "x", 2), (2, "x", 4)]
    assert engine.rows("SELECT * FROM f") == [("x",)]
    assert engine.rows("SELECT * FROM e") == [("x", 1), ("x", 1)]
    encodes = "SELECT name, format, row_encode FROM rw_catalog.rw_sources WHERE name = 'c'"
    assert engine.rows(encodes) == [("c", "PLAIN", "AVRO")]


def test_columns_that_the_schema_does_not_have(engine: FlowUnderTest, stand_in: RegistryStandIn) -> None:
    end = encode(stand_in)
    for columns, sqlstate, said in (
        ("(bar int, baz int)", "42703", 'Column "baz" is defined in SQL but not found in the source'),
        (
            "(bar double)",
            "42804",
            'Defined in SQL as "double precision", but found in the source as "integer"',
        ),
        ("(*, bar int)", "0A000", "only generated columns are allowed"),
        ("(*, bar int AS 1)", "42701", 'column "bar" specified more than once'),
        ("(*, *)", "42601", "At most 1 wildcard"),
    ):
        error = refused(engine, f"CREATE TABLE x {columns} {end}")
        assert (error.sqlstate, said in error.message) == (sqlstate, True), error.message
    assert engine.flow.catalog.objects == {}


def test_all_kinds_of_values_are_stored(engine: FlowUnderTest, stand_in: RegistryStandIn) -> None:
    inner = {"type": "record", "name": "In", "fields": [
        {"name": "x", "type": "int"}, {"name": "m", "type": {"type": "map", "values": "string"}}]}  # fmt: skip
    schema = with_fields(
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "in", "type": ["null", inner]},
        {"name": "list", "type": {"type": "array", "items": "In"}},
        {"name": "byName", "type": {"type": "map", "values": ["null", "In"]}},
        {"name": "either", "type": ["int", "string", "null"]},
        {"name": "numbers", "type": {"type": "map", "values": "double"}},
        {"name": "none", "type": {"type": "record", "name": "Nothing", "fields": []}},
    )
    id_ = stand_in.register("t-value", schema)
    engine.ddl(
        f"CREATE TABLE t {encode(stand_in)}",
    )
    engine.view("v", "SELECT bar, (\"in\").x AS x, (either).int AS i, map_access(numbers, 'a') AS a FROM t")
    one = {"x": 1, "m": {"k": "v w"}}
    row = {"bar": 1, "foo": "f", "price": Decimal("1.50"), "in": one, "list": [one, {"x": 2, "m": {}}],
           "byName": {"q,": one, "n": None}, "either": 7, "numbers": {"a": 0.5}, "none": {}}  # fmt: skip
    empty = {
        "bar": 2,
        "foo": "",
        "price": Decimal(0),
        "in": None,
        "list": [],
        "byName": {},
        "either": None,
        "numbers": {},
        "none": {},
    }
    produce(engine, "t", [Recorded(avro(id_, schema, r)) for r in (row, empty)])
    shown = ", ".join(f'"{c}"::text' for c in ("price", "in", "list", "byName", "either", "numbers", "none"))
    shown = f"SELECT {shown} FROM t ORDER BY bar"
    assert engine.rows(shown) == [
        ("1.50", "(1,{k:v w})".replace("{k:v w}", '"{k:v w}"'), '{"(1,\\"{k:v w}\\")","(2,{})"}',
         '{n:NULL,"q,":(1,"{k:v w}")}', "(7,)", "{a:0.5}", "()"),
        ("0.00", None, "{}", "{}", None, "{}", "()"),
    ]  # fmt: skip
    assert engine.rows('SELECT map_keys("byName"), map_access(numbers, \'a\'), (list[2]).x FROM t ORDER BY bar') == [
        (["n", "q,"], 0.5, 2), ([], None, None),
    ]  # fmt: skip
    assert engine.rows("SELECT (map_access(\"byName\", 'q,')).x FROM t ORDER BY bar") == [(1,), (None,)]
    engine.check()


def test_upserts_and_what_cannot_be_read(engine: FlowUnderTest, stand_in: RegistryStandIn) -> None:
    engine.ddl(f"CREATE TABLE u (PRIMARY KEY (k)) INCLUDE KEY AS k {encode(stand_in, 'UPSERT')}")
    assert (
        listed(engine, "u")
        == "CREATE TABLE u (bar INT, foo CHARACTER VARYING, PRIMARY KEY (k)) INCLUDE KEY AS k"
    )
    good = avro(1, ROOT, {"bar": 1, "foo": "x"})
    bad = [Recorded(good[:-1], given_key=b"b"), Recorded(good), Recorded(b"{}", given_key=b"c")]
    produce(
        engine,
        "u",
        [
            Recorded(good, given_key=b"a"),
            Recorded(good, given_key=b"z"),
            *bad,
            Recorded(None, given_key=b"z"),
        ],
    )
    assert engine.rows("SELECT * FROM u") == [(1, "x", b"a")]
    assert engine.rows("SELECT skipped_messages FROM rw_catalog.rw_kafka_source_progress") == [(3,)]
    reasons = engine.rows(
        "SELECT source_name, sqlstate, error FROM rw_catalog.rw_poison_rows ORDER BY seen_at, origin"
    )
    assert [(name, code) for name, code, _ in reasons] == [("u", "22P03")] * 3
    assert "ends too soon" in reasons[0][2]
    engine.flow.connection.execute("DELETE FROM engine.poison_rows")


def test_debezium_s_key_is_the_primary_key(engine: FlowUnderTest, stand_in: RegistryStandIn) -> None:
    row = {"type": "record", "name": "Value", "fields": FIELDS}
    event = {"type": "record", "name": "Envelope", "fields": [
        {"name": "before", "type": ["null", row], "default": None}, {"name": "after", "type": ["null", "Value"], "default": None},
        {"name": "op", "type": "string"}]}  # fmt: skip
    key = {"type": "record", "name": "Key", "fields": FIELDS[:1]}
    id_, key_id = stand_in.register("t-value", event), stand_in.register("t-key", key)
    engine.ddl(f"CREATE TABLE d {encode(stand_in, 'DEBEZIUM')}")
    assert listed(engine, "d") == "CREATE TABLE d (bar INT, foo CHARACTER VARYING, PRIMARY KEY (bar))"

    def told(op: str, before: Any, after: Any) -> Recorded:
        return Recorded(avro(id_, event, {"op": op, "before": before, "after": after}))

    one, two = {"bar": 1, "foo": "a"}, {"bar": 2, "foo": "b"}
    produce(
        engine,
        "d",
        [
            told("c", None, one),
            told("r", None, two),
            told("u", one, {"bar": 1, "foo": "z"}),
            told("c", None, {"bar": 3, "foo": ""}),
        ],
    )
    produce(engine, "d", [told("d", two, None), Recorded(None, given_key=avro(key_id, key, {"bar": 3}))])
    assert engine.rows("SELECT * FROM d") == [(1, "z")]
    assert "can't CREATE SOURCE" in refused(engine, f"CREATE SOURCE x {encode(stand_in, 'DEBEZIUM')}").message


def test_a_restart_needs_the_registry_for_new_schemas_only(
    engine: FlowUnderTest, stand_in: RegistryStandIn
) -> None:
    engine.ddl(f"CREATE TABLE t {encode(stand_in)}")
    stand_in.away = True
    engine.reopen()
    produce(engine, "t", [Recorded(avro(1, ROOT, {"bar": 1, "foo": "x"}))])
    assert engine.rows("SELECT * FROM t") == [(1, "x")]
    stand_in.away = False
    newer = with_fields({"name": "more", "type": "long"})
    id_ = stand_in.register("t-value", newer)
    produce(engine, "t", [Recorded(avro(id_, newer, {"bar": 2, "foo": "y", "more": 5}))])
    assert engine.rows("SELECT * FROM t ORDER BY bar") == [(1, "x"), (2, "y")]
    engine.ddl("ALTER TABLE t ADD COLUMN more bigint")
    produce(engine, "t", [Recorded(avro(id_, newer, {"bar": 3, "foo": "z", "more": 6}))])
    assert engine.rows("SELECT more FROM t ORDER BY bar") == [(None,), (None,), (6,)]
    assert refused(engine, "ALTER TABLE t ADD COLUMN nope int").sqlstate == "42703"


def test_a_secret_lets_in_and_is_not_shown(engine: FlowUnderTest, stand_in: RegistryStandIn) -> None:
    stand_in.password = "me:hush"
    engine.ddl("CREATE SECRET pass WITH (backend = 'meta') AS 'hush'")
    more = ", schema.registry.username = 'me', schema.registry.password = SECRET pass"
    engine.ddl(f"CREATE SOURCE s {encode(stand_in, more=more)}")
    shown = "SELECT format_encode_options ->> 'schema.registry.password' FROM rw_catalog.rw_sources"
    assert engine.rows(shown) == [("SECRET public.pass",)]
    assert "cannot drop secret" in refused(engine, "DROP SECRET pass").message
    engine.ddl("DROP SOURCE s")


def test_a_registry_that_does_not_answer(engine: FlowUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.connectors.registry._PAUSES_S", ())
    end = f"{WITH} FORMAT PLAIN ENCODE AVRO (schema.registry = 'http://127.0.0.1:9')"
    error = refused(engine, f"CREATE SOURCE s {end}")
    assert (error.sqlstate, "no schema registry answers" in error.message) == ("08001", True)
    assert engine.flow.catalog.objects == {}


def test_refresh_schema_of_a_table(engine: FlowUnderTest, stand_in: RegistryStandIn) -> None:
    engine.ddl(f"CREATE TABLE t (*, g int AS bar + 1) {encode(stand_in)}")
    engine.view("v", "SELECT foo, count(*) AS n FROM t GROUP BY foo")
    produce(engine, "t", [Recorded(avro(1, ROOT, {"bar": 1, "foo": "a"}))])
    engine.ddl("ALTER TABLE t REFRESH SCHEMA")
    nested = {"type": "record", "name": "In", "fields": [{"name": "x", "type": "int"}]}
    second = with_fields({"name": "in", "type": ["null", nested], "default": None})
    id_ = stand_in.register("t-value", second)
    engine.ddl("ALTER TABLE t REFRESH SCHEMA")
    produce(engine, "t", [Recorded(avro(id_, second, {"bar": 2, "foo": "b", "in": {"x": 5}}))])
    assert engine.rows('SELECT bar, foo, g, "in"::text FROM t ORDER BY bar') == [
        (1, "a", 2, None),
        (2, "b", 3, "(5)"),
    ]
    wider = {**nested, "fields": [*nested["fields"], {"name": "y", "type": "string", "default": ""}]}
    stand_in.register("t-value", with_fields({"name": "in", "type": ["null", wider], "default": None}))
    engine.ddl("ALTER TABLE t REFRESH SCHEMA")
    assert engine.rows('SELECT "in"::text FROM t ORDER BY bar') == [(None,), ("(5,)",)]
    last = {**ROOT, "fields": FIELDS[1:]}
    id_ = stand_in.register("t-value", last)
    assert "failed to refresh schema" in refused(engine, "ALTER TABLE t REFRESH SCHEMA").message
    engine.ddl("ALTER TABLE t DROP COLUMN g", "ALTER TABLE t REFRESH SCHEMA")
    produce(engine, "t", [Recorded(avro(id_, last, {"foo": "c"}))])
    assert engine.rows("SELECT * FROM t ORDER BY foo") == [("a",), ("b",), ("c",)]
    engine.check()


def test_refresh_schema_of_a_source(engine: FlowUnderTest, stand_in: RegistryStandIn) -> None:
    engine.ddl(f"CREATE SOURCE s INCLUDE offset AS o {encode(stand_in)}", "CREATE TABLE plain (a int)")
    stand_in.register("t-value", with_fields({"name": "more", "type": "double", "default": 0}))
    engine.ddl("ALTER SOURCE s REFRESH SCHEMA")
    assert (
        listed(engine, "s")
        == "CREATE SOURCE s (bar INT, foo CHARACTER VARYING, more DOUBLE) INCLUDE offset AS o"
    )
    engine.view("v", "SELECT more, bar FROM s")
    stand_in.register("t-value", {**ROOT, "fields": FIELDS[:1]})
    assert "will drop columns: foo, more" in refused(engine, "ALTER SOURCE s REFRESH SCHEMA").message
    assert "without schema registry" in refused(engine, "ALTER TABLE plain REFRESH SCHEMA").message


def test_a_connection_names_the_registry(engine: FlowUnderTest, stand_in: RegistryStandIn) -> None:
    stand_in.password = "me:hush"
    made = f"CREATE CONNECTION c WITH (type = 'schema_registry', schema.registry = '{stand_in.url}'"
    assert "unknown field `aws.region`" in refused(engine, f"{made}, aws.region = 'x')").message
    engine.ddl(f"{made}, schema.registry.username = 'me', schema.registry.password = 'hush')")
    engine.ddl(f"CREATE TABLE t {WITH} FORMAT PLAIN ENCODE AVRO (connection = c)")
    produce(engine, "t", [Recorded(avro(1, ROOT, {"bar": 1, "foo": "a"}))])
    assert engine.rows("SELECT * FROM t") == [(1, "a")]
    assert "cannot drop connection" in refused(engine, "DROP CONNECTION c").message
    kafka = "WITH (connector = 'kafka', topic = 't', connection = c) FORMAT PLAIN ENCODE JSON"
    assert "not compatible" in refused(engine, f"CREATE SOURCE s (v int) {kafka}").message
    engine.ddl("DROP TABLE t", "DROP CONNECTION c")
