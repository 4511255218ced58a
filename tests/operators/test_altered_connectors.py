"""ALTER ... CONNECTOR WITH and DROP CONNECTOR: what runs goes on where it stands, with other options or without a connector."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from engine.ddl.create_source import spec_of
from tailrace.errors import TailraceError
from tests.operators.topics import WITH, no_topic, produce
from tests.support.flow import FlowUnderTest
from tests.unit.connectors.messages import Recorded

PLAIN = f"{WITH} FORMAT PLAIN ENCODE JSON"


@pytest.fixture(autouse=True)
def _no_broker() -> Iterator[None]:
    with no_topic():
        yield


def _row(value: int, key: str = "k") -> Recorded:
    return Recorded(json.dumps({"v": value}).encode(), given_key=key.encode())


def _properties(engine: FlowUnderTest, name: str) -> dict[str, str]:
    source = next(o for o in engine.flow.catalog.of_kind("source") if o.name == name)
    return dict(spec_of(source).properties)


@pytest.mark.parametrize("kind", ["SOURCE", "TABLE"])
def test_other_options_leave_the_reader_where_it_stands(engine: FlowUnderTest, kind: str) -> None:
    name = "u_connector" if kind == "SOURCE" else "u"
    engine.ddl(f"CREATE {kind} {name} (v int) {PLAIN}")
    engine.view("total", f"SELECT count(*) AS n, sum(v) AS total FROM {name}")
    produce(engine, "u", [_row(1), _row(2)])
    engine.ddl(
        f"ALTER {kind} {name} CONNECTOR WITH ('properties.client.id' = 'me', properties.fetch.wait.max.ms = 20)"
    )
    produce(engine, "u", [_row(3)])
    assert engine.rows("SELECT * FROM total") == [(3, 6)]
    assert _properties(engine, "u_connector") == {
        "client.id": "me",
        "fetch.wait.max.ms": "20",
    }
    relation = "rw_sources" if kind == "SOURCE" else "rw_tables"
    ((definition,),) = engine.rows(f"SELECT definition FROM rw_catalog.{relation} WHERE name = '{name}'")
    assert "properties.client.id = 'me', properties.fetch.wait.max.ms = '20')" in definition


@pytest.mark.parametrize(
    ("options", "sqlstate", "says"),
    [
        ("topic = 'other'", "0A000", "ALTER ... CONNECTOR WITH (topic = ...) is not supported"),
        ("properties.fetch.max.byte = 1", "0A000", "option properties.fetch.max.byte is not supported"),
        ("properties.security.protocol = 'NONE'", "22023", "correct the properties.* option"),
    ],
)
def test_options_that_cannot_be_change_nothing(
    engine: FlowUnderTest, options: str, sqlstate: str, says: str
) -> None:
    engine.ddl(f"CREATE TABLE u (v int) {PLAIN}")
    with pytest.raises(TailraceError) as caught:
        engine.ddl(f"ALTER TABLE u CONNECTOR WITH ({options})")
    assert caught.value.sqlstate == sqlstate
    assert says in f"{caught.value.message} {caught.value.hint}"
    assert _properties(engine, "u_connector") == {}


def test_a_table_without_its_connector_keeps_its_rows(engine: FlowUnderTest) -> None:
    engine.ddl(f"CREATE TABLE u (v int) INCLUDE KEY AS k {PLAIN}")
    engine.view("total", "SELECT count(*) AS n, sum(v) AS total FROM u")
    produce(engine, "u", [_row(1), _row(2)])
    engine.ddl("ALTER TABLE u DROP CONNECTOR")
    engine.settle("INSERT INTO u VALUES (5, 'x')")
    assert engine.rows("SELECT * FROM total") == [(3, 8)]
    engine.check()
    ((definition,),) = engine.rows("SELECT definition FROM rw_catalog.rw_tables WHERE name = 'u'")
    assert definition == 'CREATE TABLE u (v int, "k" bytea)'
    assert not list(engine.flow.catalog.of_kind("source", "sink"))
    engine.ddl("ALTER TABLE u ADD COLUMN w int", "DROP TABLE u CASCADE")


def test_a_connections_options_reach_what_was_made_with_it(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE CONNECTION c WITH (type = 'kafka', properties.bootstrap.server = 'nowhere')",
        "CREATE SCHEMA elsewhere",
        "CREATE SOURCE s (v int) WITH (connector = 'kafka', topic = 't', connection = c) FORMAT PLAIN ENCODE JSON",
        "ALTER CONNECTION c SET SCHEMA elsewhere",
        "ALTER CONNECTION elsewhere.c CONNECTOR WITH (properties.client.id = 'me')",
    )
    assert _properties(engine, "s") == {"client.id": "me"}
    ((definition,),) = engine.rows("SELECT definition FROM rw_catalog.rw_sources")
    assert 'connection = "elsewhere"."c"' in definition


def test_a_rate_among_the_options_throttles(engine: FlowUnderTest) -> None:
    limited = WITH.removesuffix(")") + ", source_rate_limit = 200)"
    engine.ddl(f"CREATE TABLE u (v int) {limited} FORMAT PLAIN ENCODE JSON")
    (limits,) = [o.body.get("rate_limits") for o in engine.flow.catalog.of_kind("source")]
    assert limits == {"SOURCE": 200}
    engine.ddl(
        "ALTER TABLE u CONNECTOR WITH (properties.client.id = 'me')",
        "ALTER TABLE u SET SOURCE_RATE_LIMIT TO DEFAULT",
    )
    (limits,) = [o.body.get("rate_limits") for o in engine.flow.catalog.of_kind("source")]
    assert not limits
