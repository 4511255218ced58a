"""Tables and sources whose messages are changes: FORMAT UPSERT, DEBEZIUM and DEBEZIUM_MONGO."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.errors import TailraceError
from tests.operators.histories import quick, thorough
from tests.operators.topics import WITH, no_topic, produce, settle
from tests.support.flow import FlowUnderTest, assert_same
from tests.unit.connectors.messages import Recorded

UPSERT = f"INCLUDE KEY AS rw_key {WITH} FORMAT UPSERT ENCODE JSON"
DEBEZIUM = f"{WITH} FORMAT DEBEZIUM ENCODE JSON"


@pytest.fixture(autouse=True)
def _no_broker() -> Iterator[None]:
    with no_topic():
        yield


def upsert(key: str | None, value: object = None) -> Recorded:
    """A message; a value of None is a tombstone."""
    text = None if value is None else json.dumps(value).encode()
    return Recorded(text, given_key=None if key is None else key.encode())


def event(op: str, before: object, after: object, **more: Any) -> Recorded:
    return Recorded(json.dumps({"payload": {"op": op, "before": before, "after": after}, **more}).encode())


def _refused(engine: FlowUnderTest, statement: str) -> TailraceError:
    with pytest.raises(TailraceError) as caught:
        engine.ddl(statement)
    return caught.value


def test_the_last_message_of_a_key_is_its_row(engine: FlowUnderTest) -> None:
    engine.ddl(f'CREATE TABLE u (PRIMARY KEY (rw_key), "ID" int, name varchar) {UPSERT}')
    engine.view("early", "SELECT name, count(*) AS n FROM u GROUP BY name")
    produce(
        engine, "u",
        [
            upsert("1", {"ID": 1, "name": "a"}), upsert("2", {"ID": 2, "name": "a"}),
            upsert("1", {"ID": 1, "name": "b"}), upsert("3", {"ID": 3}), upsert("3"), upsert("9"),
        ],
    )  # fmt: skip
    assert engine.rows('SELECT "ID", name, rw_key FROM u ORDER BY 1') == [(1, "b", b"1"), (2, "a", b"2")]
    produce(engine, "u", [upsert("1"), upsert("3", {"ID": 3, "name": "c"}), upsert("2", {"id": 5})])
    assert engine.rows("SELECT * FROM u ORDER BY rw_key") == [(5, None, b"2"), (3, "c", b"3")]
    engine.view("late", "SELECT name, count(*) AS n FROM u GROUP BY name")
    engine.check()


def test_messages_that_are_no_changes_are_counted(engine: FlowUnderTest) -> None:
    engine.ddl(f"CREATE TABLE u (id int, PRIMARY KEY (rw_key)) {UPSERT}")
    bad = [
        upsert(None, {"id": 1}),
        upsert(None),
        Recorded(b"{", given_key=b"1"),
        upsert("1", [1]),
        upsert("2", "x"),
    ]
    produce(engine, "u", [*bad, upsert("1", {"id": "many"}), Recorded(b"", given_key=b"4")])
    assert engine.rows("SELECT * FROM u") == [(None, b"1")]
    progress = "SELECT source_name, next_offset, skipped_messages FROM rw_catalog.rw_kafka_source_progress"
    assert engine.rows(progress) == [("u", 7, 5)]


def test_a_source_of_changes_shows_the_rows_they_leave(engine: FlowUnderTest) -> None:
    definition = f"CREATE SOURCE s (id int, PRIMARY KEY (rw_key)) {UPSERT}"
    reply = engine.ddl(definition)
    assert (reply.tag, "may have limitations" in reply.notices[0]) == ("CREATE_SOURCE", True)
    engine.view("total", "SELECT count(*) AS n, sum(id) AS total FROM s")
    produce(
        engine, "s", [upsert("a", {"id": 1}), upsert("b", {"id": 2}), upsert("a", {"id": 5}), upsert("b")]
    )
    assert engine.rows("SELECT * FROM total") == [(1, 5)]
    engine.check()
    listed = "SELECT name, relation_type FROM rw_catalog.rw_relations WHERE relation_type <> 'system table' ORDER BY 1"
    assert engine.rows(listed) == [("s", "source"), ("total", "materialized view")]
    shown = "SELECT name, format, row_encode, append_only, columns, definition FROM rw_catalog.rw_sources"
    assert engine.rows(shown) == [("s", "UPSERT", "JSON", False, ["id", "rw_key"], definition)]
    assert engine.rows("SELECT name FROM rw_catalog.rw_tables") == []
    for statement in ("INSERT INTO s VALUES (1, 'x')", "DELETE FROM s", "UPDATE s SET id = 1"):
        with pytest.raises(Exception, match="permission denied"):
            engine.run(statement)
    for statement, said in (
        ("DROP TABLE s", "table not found: s"), ("CREATE INDEX i ON s (id)", '"s" is a source'),
        ("ALTER TABLE s RENAME TO z", "is not a table"), ("CREATE SINK k INTO s FROM total", "a source"),
        ("DROP SOURCE s", "other objects depend on it: total"),
    ):  # fmt: skip
        assert said in _refused(engine, statement).message
    engine.ddl("ALTER SOURCE s RENAME TO r")
    assert engine.rows("SELECT name FROM rw_catalog.rw_sources") == [("r",)]
    engine.ddl("DROP SOURCE r CASCADE")
    assert engine.flow.catalog.objects == {}
    left = "SELECT relname FROM pg_class WHERE relnamespace = 'engine'::regnamespace AND relname ~ '_[0-9]+$'"
    assert engine.flow.connection.execute(left).fetchall() == []


def test_debezium_events(engine: FlowUnderTest) -> None:
    engine.ddl(f"CREATE TABLE d (a int, b varchar, c numeric, PRIMARY KEY (a, b)) {DEBEZIUM}")
    engine.view("total", "SELECT b, count(*) AS n, sum(c) AS total FROM d GROUP BY b")
    one, two = {"a": 1, "b": "x", "c": "1.50"}, {"a": 2, "b": "x", "c": 2}
    produce(
        engine, "d",
        [
            event("r", None, one), event("c", None, two, schema={"type": "struct"}),
            Recorded(json.dumps({"op": "u", "before": one, "after": {**one, "c": "7"}}).encode()),
            event("d", {"a": 3, "b": "never there"}, None), event("c", None, {"a": 4, "b": None, "C": 1}),
        ],
    )  # fmt: skip
    assert engine.rows("SELECT a, b, c::text FROM d ORDER BY a") == [
        (1, "x", "7"),
        (2, "x", "2"),
        (4, None, "1"),
    ]
    gone = Recorded(None, given_key=b'{"payload": {"a": 4, "b": null}}')
    produce(engine, "d", [event("d", two, None), gone, Recorded(None, given_key=b'{"a": 9, "b": "y"}')])
    assert engine.rows("SELECT a, b, c::text FROM d") == [(1, "x", "7")]
    no_changes = [
        event("t", None, None), event("c", None, {"a": 5}), event("c", None, {"a": "6", "b": "x"}), event("d", None, None),
        Recorded(b'{"payload": {"status": "BEGIN", "id": "1:2"}}'), Recorded(None), Recorded(b'{"payload": null}'),
    ]  # fmt: skip
    produce(engine, "d", no_changes)
    assert engine.rows("SELECT a, b, c::text FROM d") == [(1, "x", "7")]
    assert engine.rows("SELECT skipped_messages FROM rw_catalog.rw_kafka_source_progress") == [(7,)]
    engine.check()


def test_documents_of_mongodb(engine: FlowUnderTest) -> None:
    with_ = f"{WITH} FORMAT DEBEZIUM_MONGO ENCODE JSON"
    engine.ddl(
        f"CREATE TABLE m (_id jsonb, payload jsonb) {with_}",
        f"CREATE TABLE v (_id varchar PRIMARY KEY, payload jsonb) {with_}",
    )
    key, document = {"$oid": "65bc"}, {"_id": {"$oid": "65bc"}, "name": "x"}
    for table, id_ in (("m", key), ("v", "65bc")):
        produce(
            engine,
            table,
            [event("c", None, json.dumps(document)), event("c", None, "{"), event("u", None, None)],
        )
        assert engine.rows(f"SELECT * FROM {table}") == [(id_, document)]
        old = Recorded(
            event("d", None, None).value(),
            given_key=json.dumps({"payload": {"id": json.dumps(key)}}).encode(),
        )
        produce(engine, table, [old])
        assert engine.rows(f"SELECT * FROM {table}") == []


@pytest.mark.parametrize(
    ("conflict", "expected"),
    [
        ("", [(1, None, 2), (2, "c", None)]),
        ("ON CONFLICT DO NOTHING", [(1, "a", 1), (2, "c", None)]),
        ("ON CONFLICT DO UPDATE IF NOT NULL", [(1, "a", 2), (2, "c", None)]),
        ("ON CONFLICT DO UPDATE FULL WITH VERSION COLUMN (v)", [(1, "a", 5), (2, "c", None)]),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_conflicts_are_decided_by_the_table(
    engine: FlowUnderTest, conflict: str, expected: list[Any], together: bool
) -> None:
    engine.ddl(f"CREATE TABLE d (id int PRIMARY KEY, w varchar, v int) {conflict} {DEBEZIUM}")
    first = 5 if "VERSION" in conflict else 1
    rows = [
        event("c", None, {"id": 1, "w": "a", "v": first}), event("u", None, {"id": 1, "v": 2}),
        event("c", None, {"id": 2, "w": "b", "v": 9}), event("d", {"id": 2}, None), event("c", None, {"id": 2, "w": "c"}),
    ]  # fmt: skip
    for batch in [rows] if together else [[row] for row in rows]:
        produce(engine, "d", batch)
    assert engine.rows("SELECT * FROM d ORDER BY id") == expected


def test_clients_write_too_and_generated_columns_are_computed(engine: FlowUnderTest) -> None:
    engine.ddl(f"CREATE TABLE u (id int, twice int AS id * 2, PRIMARY KEY (rw_key)) {UPSERT}")
    engine.view("total", "SELECT sum(twice) AS total FROM u")
    engine.settle("INSERT INTO u (id, rw_key) VALUES (5, 'a')")
    produce(engine, "u", [upsert("b", {"id": 1}), upsert("a", {"id": 2})])
    assert engine.rows("SELECT id, twice, rw_key FROM u ORDER BY id") == [(1, 2, b"b"), (2, 4, b"a")]
    engine.settle("DELETE FROM u WHERE id = 1")
    assert engine.rows("SELECT * FROM total") == [(4,)]


def test_headers_and_csv(engine: FlowUnderTest) -> None:
    engine.ddl(
        f"CREATE TABLE h (a int) INCLUDE header AS hs INCLUDE header 'x' AS x INCLUDE header 'x' varchar INCLUDE key {WITH} "
        "FORMAT PLAIN ENCODE JSON",
        f"CREATE TABLE c (a int, b varchar, at timestamp, ok boolean) INCLUDE offset AS o {WITH} "
        "FORMAT PLAIN ENCODE CSV (delimiter = ';', without_header = 'true')",
    )  # fmt: skip
    headers = (("x", b"1"), ("y", None), ("x", b"2"))
    produce(
        engine, "h", [Recorded(b'{"a": 1}', given_key=b"k", given_headers=headers), Recorded(b'{"a": 2}')]
    )
    shown = 'SELECT a, hs::text, x, "_rw_kafka_header_x_varchar", "_rw_kafka_key" FROM h ORDER BY a'
    every = '{"(x,\\"\\\\\\\\x31\\")","(y,)","(x,\\"\\\\\\\\x32\\")"}'
    assert engine.rows(shown) == [(1, every, b"1", "1", b"k"), (2, None, None, None, None)]
    lines = [b'1;"x;""y";2026-01-01 00:00:00;t', b"2;;;", b"no;z;no;maybe;more", b"", None, b'"']
    produce(engine, "c", [Recorded(line, number) for number, line in enumerate(lines)])
    found = engine.rows("SELECT a, b, at::text, ok, o FROM c ORDER BY o")
    assert found == [
        (1, 'x;"y', "2026-01-01 00:00:00", True, "0"), (2, None, None, None, "1"), (None, "z", None, None, "2"),
        (None, None, None, None, "3"),
    ]  # fmt: skip


_FORMATS = {
    name.removeprefix("debezium_"): f"{WITH} FORMAT {name.upper()} ENCODE JSON"
    for name in ("plain", "upsert", "debezium", "debezium_mongo")
}


@pytest.mark.parametrize(
    ("statement", "sqlstate", "said"),
    [
        ("CREATE TABLE x (id int) {upsert}", "42601", "INCLUDE KEY clause not set"),
        ("CREATE TABLE x (id int) INCLUDE KEY AS k {upsert}", "42601", "Primary key must be specified to k"),
        ("CREATE TABLE x (id int PRIMARY KEY) INCLUDE KEY AS k {upsert}", "42601", 'Only "k" can be used'),
        ("CREATE SOURCE x (id int) {upsert}", "42601", "INCLUDE KEY clause not set"),
        ("CREATE TABLE x (id int) {debezium}", "42601", "Primary key must be specified when creating"),
        ("CREATE TABLE x (id int PRIMARY KEY) INCLUDE key AS k {debezium}", "42601", 'forbids additional columns'),
        ("CREATE SOURCE x (id int PRIMARY KEY) {debezium}", "42601", "can't CREATE SOURCE with FORMAT DEBEZIUM"),
        ("CREATE TABLE x (a int, b int) {mongo}", "42601", "must be (_id"),
        ("CREATE TABLE x (_id varchar PRIMARY KEY, payload int) {mongo}", "42601", "must be Jsonb"),
        ("CREATE TABLE x (_id date, payload jsonb) {mongo}", "42601", "the `_id` column"),
        ("CREATE TABLE x (id int) {w} FORMAT UPSERT ENCODE CSV", "42601", "does not support format Upsert with encode Csv"),
        ("CREATE TABLE x (id int) {w} FORMAT MAXWELL ENCODE JSON", "42601", "does not support format Maxwell"),
        ("CREATE TABLE x (id int) {w} FORMAT UPSERT ENCODE AVRO (schema.registry = 'x')", "42601", "no valid url provided"),
        ("CREATE TABLE x (id int) {plain} (timestamptz.handling.mode = 'mili')", "42601", "unrecognized"),
        ("CREATE TABLE x (id int) {w} FORMAT PLAIN ENCODE CSV (delimiter = ',')", "42601", "CSV HEADER is not supported"),
        ("CREATE TABLE x (id int) {w} FORMAT PLAIN ENCODE CSV (delimiter = '|', without_header = true)", "42601", "should be"),
        ("CREATE TABLE x (id int) INCLUDE timestamp 'h' AS t {plain}", "42601", "Only header column can have"),
        ("CREATE TABLE x (id int) INCLUDE header 'h' int AS t {plain}", "42601", "invalid additional column"),
        ("CREATE TABLE x (id int) INCLUDE weight AS t {plain}", "42601", "additional column type weight"),
        ("CREATE TABLE x (id int, PRIMARY KEY (k)) APPEND ONLY INCLUDE KEY AS k {upsert}", "0A000", "Append only"),
        ("CREATE SOURCE x (t timestamp, PRIMARY KEY (k), WATERMARK FOR t AS t) INCLUDE KEY AS k {upsert}",
         "0A000", "Defining watermarks on source requires"),
        ("CREATE TABLE x (v int) WITH (connector = 'datagen') FORMAT DEBEZIUM ENCODE JSON", "42601",
         "connector datagen does not support format Debezium"),
    ],
)  # fmt: skip
def test_refusals(engine: FlowUnderTest, statement: str, sqlstate: str, said: str) -> None:
    error = _refused(engine, statement.format(w=WITH, **_FORMATS))
    assert (error.sqlstate, said in error.message) == (sqlstate, True), error.message
    assert engine.flow.catalog.objects == {}


def test_tables_are_sources_in_the_catalog_under_their_own_name(engine: FlowUnderTest) -> None:
    definition = (
        f"CREATE TABLE d (id int PRIMARY KEY, v varchar) {DEBEZIUM} (ignore_key = 'true', colour = 'red')"
    )
    assert engine.ddl(definition).notices == ["Get unknown format_encode_options for Debezium Json: colour"]
    ((table, text),) = engine.rows("SELECT id, definition FROM rw_catalog.rw_tables")
    shown = "SELECT name, associated_table_id, format, definition, format_encode_options FROM rw_catalog.rw_sources"
    options = {"ignore_key": "true", "colour": "red"}
    assert engine.rows(shown) == [("d", table, "DEBEZIUM", definition, options)]
    assert text == definition
    assert engine.rows("SELECT name FROM rw_catalog.rw_sinks") == []
    produce(engine, "d", [event("c", None, {"id": 1})])
    engine.reopen()
    produce(engine, "d", [event("c", None, {"id": 2}), event("d", {"id": 1}, None)])
    assert engine.rows("SELECT id FROM d") == [(2,)]
    engine.ddl("DROP TABLE d")
    assert engine.flow.catalog.objects == {}


def test_a_row_that_the_table_cannot_hold_is_set_aside_alone(engine: FlowUnderTest) -> None:
    engine.ddl(f"CREATE TABLE u (id int NOT NULL, PRIMARY KEY (rw_key)) {UPSERT}")
    long = random.Random(7).randbytes(6000)  # longer than an index takes
    rows = [upsert(str(n), {"id": n}) for n in range(5)]
    produce(
        engine,
        "u",
        [*rows[:3], Recorded(b'{"id": 9}', given_key=long), upsert("0"), upsert("1", {"id": 7}), *rows[3:]],
    )
    assert engine.rows("SELECT id FROM u ORDER BY id") == [(2,), (3,), (4,), (7,)]
    poison = "SELECT sqlstate, count(*) FROM rw_catalog.rw_poison_rows GROUP BY 1"
    assert engine.rows(poison) == [("54000", 1)]
    assert engine.rows("SELECT rows_waiting, failures FROM rw_catalog.rw_sink_backlog") == [(0, 0)]
    produce(engine, "u", [upsert("2", {})])
    assert ("23502", 1) in engine.rows(poison)
    engine.flow.connection.execute("DELETE FROM engine.poison_rows")


@pytest.mark.parametrize("kind", ["TABLE", "SOURCE"])
def test_a_topic_is_throttled_by_what_it_feeds(engine: FlowUnderTest, kind: str) -> None:
    engine.ddl(
        f"CREATE {kind} u (id int, PRIMARY KEY (rw_key)) {UPSERT}",
        f"ALTER {kind} u SET SOURCE_RATE_LIMIT TO 5",
    )
    source = engine.flow.catalog.by_name("u_connector")
    assert source is not None
    assert source.body["rate_limits"] == {"SOURCE": 5}
    assert _refused(engine, "DROP SOURCE u_connector CASCADE").sqlstate == "42P01"


@pytest.mark.parametrize("kind", ["TABLE", "SOURCE"])
def test_a_column_that_is_added_is_filled_from_then_on(engine: FlowUnderTest, kind: str) -> None:
    engine.ddl(f"CREATE {kind} u (id int, PRIMARY KEY (rw_key)) {UPSERT}")
    engine.view("kept", "SELECT count(*) AS n, sum(id) AS total FROM u")
    produce(engine, "u", [upsert("a", {"id": 1, "v": 7}), upsert("b", {"id": 2})])
    engine.ddl(f"ALTER {kind} u ADD COLUMN v int")
    produce(engine, "u", [upsert("b"), upsert("c", {"id": 3, "v": 8})])
    assert engine.rows("SELECT id, v FROM u ORDER BY id") == [(1, None), (3, 8)]
    engine.check()


_KEYS = st.sampled_from(["a", "b", "c"])
_VALUES = st.one_of(st.none(), st.fixed_dictionaries({"g": st.integers(0, 2), "v": st.integers(-5, 5)}))
_BATCH = st.lists(st.tuples(_KEYS, _VALUES), max_size=6)


@quick
@given(batches=st.lists(_BATCH, min_size=2, max_size=3), source=st.booleans())
def test_random_histories(engine: FlowUnderTest, batches: list[list[tuple[str, Any]]], source: bool) -> None:
    _play(engine, batches, source=source)


@pytest.mark.slow
@thorough
@given(batches=st.lists(_BATCH, min_size=1, max_size=6), source=st.booleans())
def test_many_random_histories(
    engine: FlowUnderTest, batches: list[list[tuple[str, Any]]], source: bool
) -> None:
    _play(engine, batches, source=source)


def _play(engine: FlowUnderTest, batches: list[list[tuple[str, Any]]], *, source: bool) -> None:
    kind = "SOURCE" if source else "TABLE"
    engine.ddl(
        f"CREATE {kind} u (g int, v int, PRIMARY KEY (k)) INCLUDE KEY AS k {WITH} FORMAT UPSERT ENCODE JSON",
        f"CREATE TABLE d (k varchar PRIMARY KEY, g int, v int) {DEBEZIUM}",
    )
    engine.view("u_total", "SELECT g, count(*) AS n, sum(v) AS total FROM u GROUP BY g")
    engine.view("joined", "SELECT u.v, d.v AS w FROM u JOIN d ON u.g = d.g")
    state: dict[str, Any] = {}
    for batch in batches:
        produce(engine, "u", [upsert(key, value) for key, value in batch])
        events = []
        for key, value in batch:
            old, state[key] = state.get(key), value
            row = {"k": key, **(value or {})}
            events.append(
                event("d", {"k": key}, None) if value is None else event("u" if old else "c", old, row)
            )
        produce(engine, "d", events)
        rows = [(key, value["g"], value["v"]) for key, value in state.items() if value is not None]
        assert_same(engine.rows("SELECT k, g, v FROM d"), rows, "d")
        assert_same(engine.rows("SELECT convert_from(k, 'utf8'), g, v FROM u"), rows, "u")
        engine.check()
    engine.view("late", "SELECT g, max(v) AS v FROM u GROUP BY g")
    engine.check()
    settle(engine)
    engine.clear()
