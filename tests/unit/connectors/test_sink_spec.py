"""Options of CREATE SINK: what they come to, and what is refused, by name."""

from __future__ import annotations

import pytest

from engine.connectors.sink import SinkSpec, SinkType, sink_spec
from engine.operators.base import Column
from tailrace.errors import TailraceError
from tailrace.sql.sinks import parse_create_sink

COLUMNS = (Column("id", "integer"), Column("name", "character varying"), Column("raw", "bytea"))
KAFKA = "connector = 'kafka', topic = 't', properties.bootstrap.server = 'h:1'"


def spec_of(rest: str, *, append_only: bool = False) -> SinkSpec:
    return sink_spec(parse_create_sink(f"CREATE SINK s {rest}"), COLUMNS, append_only=append_only)


def test_kafka_upsert() -> None:
    spec = spec_of(
        f"FROM a WITH ({KAFKA}, primary_key = 'id, name', snapshot = 'false', properties.linger.ms = '5') "
        "FORMAT UPSERT ENCODE JSON (jsonb.handling.mode = 'dynamic', timestamptz.handling.mode = 'utc_without_suffix')"
    )
    assert spec == SinkSpec(
        "kafka", SinkType.UPSERT, "json", ("id", "name"), snapshot=False, topic="t", bootstrap="h:1",
        properties={"linger.ms": "5"}, jsonb_mode="dynamic", timestamptz_mode="utc_without_suffix",
    )  # fmt: skip
    assert SinkSpec.from_json(spec.to_json()) == spec


def test_older_names_and_types() -> None:
    spec = spec_of(
        "FROM a WITH (connector = 'kafka', kafka.topic = 't', kafka.brokers = 'h:1', type = 'append-only') "
        "FORMAT PLAIN ENCODE JSON",
        append_only=True,
    )
    assert (spec.topic, spec.bootstrap, spec.type) == ("t", "h:1", SinkType.APPEND_ONLY)


def test_force_append_only_stands_in_either_place() -> None:
    for rest in (
        f"FROM a WITH ({KAFKA}, force_append_only = 'true') FORMAT PLAIN ENCODE JSON",
        f"FROM a WITH ({KAFKA}) FORMAT PLAIN ENCODE JSON (force_append_only = 'true')",
    ):
        assert spec_of(rest).force_append_only
        assert not spec_of(rest, append_only=True).force_append_only


def test_files() -> None:
    spec = spec_of(
        "FROM a WITH (connector = 'fs', fs.path = '/x', rollover_seconds = 3, max_row_count = '7') FORMAT PLAIN ENCODE PARQUET",
        append_only=True,
    )
    assert (spec.path, spec.rollover_s, spec.max_rows, spec.encode) == ("/x", 3, 7, "parquet")


@pytest.mark.parametrize(("append_only", "type_"), [(True, SinkType.APPEND_ONLY), (False, SinkType.UPSERT)])
def test_into_takes_its_type_from_the_query(append_only: bool, type_: SinkType) -> None:
    assert spec_of("INTO t FROM a", append_only=append_only).type is type_


@pytest.mark.parametrize("encode", ["text", "TEXT", "bytes"])
def test_key_encode(encode: str) -> None:
    key = "raw" if encode == "bytes" else "name"
    rest = f"FROM a WITH ({KAFKA}, primary_key = '{key}') FORMAT UPSERT ENCODE JSON KEY ENCODE {encode}"
    assert spec_of(rest).key_encode == encode.lower()


UPSERT = "FORMAT UPSERT ENCODE JSON"
PLAIN = "FORMAT PLAIN ENCODE JSON"


@pytest.mark.parametrize(
    ("rest", "sqlstate", "said"),
    [
        (f"FROM a WITH (topic = 't') {PLAIN}", "22023", "connector is missing"),
        (f"FROM a WITH (connector = 'redis') {PLAIN}", "0A000", "sink connector 'redis'"),
        (f"FROM a WITH (connector = 'kafka', topic = 't', primary_key = 'id') {UPSERT}", "22023", "bootstrap.server"),
        (f"FROM a WITH (connector = 'kafka', properties.bootstrap.server = 'h:1', primary_key = id) {UPSERT}", "22023", "topic"),
        (f"FROM a WITH ({KAFKA}) {UPSERT}", "22023", "not defined for upsert kafka sink"),
        (f"FROM a WITH ({KAFKA}) FORMAT DEBEZIUM ENCODE JSON", "22023", "not defined for debezium kafka sink"),
        (f"FROM a WITH ({KAFKA}, primary_key = 'nope') {UPSERT}", "42703", 'primary key column "nope"'),
        (f"FROM a WITH ({KAFKA}) {PLAIN}", "0A000", "The sink cannot be append-only"),
        (f"FROM a WITH ({KAFKA})", "42601", "a kafka sink needs FORMAT and ENCODE"),
        (f"FROM a WITH ({KAFKA}) FORMAT PLAIN ENCODE AVRO", "0A000", "FORMAT PLAIN ENCODE AVRO of connector kafka"),
        (f"FROM a WITH ({KAFKA}) FORMAT PLAIN ENCODE PARQUET", "0A000", "FORMAT PLAIN ENCODE PARQUET of connector kafka"),
        (f"FROM a WITH ({KAFKA}, type = 'upsert') {PLAIN}", "42601", "type = 'upsert' contradicts FORMAT PLAIN"),
        (f"FROM a WITH ({KAFKA}, type = 'debezium') {PLAIN}", "22023", "type cannot be 'debezium'"),
        (f"FROM a WITH ({KAFKA}, primary_key = 'id', snapshot = 'maybe') {UPSERT}", "22023", "snapshot cannot be 'maybe'"),
        (f"AS SELECT 1 FROM a WITH ({KAFKA}, primary_key = 'id', snapshot = 'false') {UPSERT}", "0A000", "with AS SELECT"),
        (f"FROM a WITH ({KAFKA}, primary_key = 'id', nonsense = 1) {UPSERT}", "0A000", "option nonsense"),
        (f"FROM a WITH ({KAFKA}, primary_key = 'id', properties.acks = 0) {UPSERT}", "0A000", "option properties.acks"),
        (f"FROM a WITH ({KAFKA}, primary_key = 'id', properties.enable.idempotence = 'false') {UPSERT}", "0A000", "idempotence"),
        (f"FROM a WITH ({KAFKA}, primary_key = 'id') {UPSERT} (schemas.enable = 'true')", "0A000", "option schemas.enable"),
        (f"FROM a WITH ({KAFKA}, primary_key = 'id') {UPSERT} (jsonb.handling.mode = 'x')", "22023", "handling.mode cannot"),
        (f"FROM a WITH ({KAFKA}, primary_key = 'id,name') {UPSERT} KEY ENCODE TEXT", "42601", "exactly one primary key column"),
        (f"FROM a WITH ({KAFKA}, primary_key = 'name') {UPSERT} KEY ENCODE BYTES", "42601", "of type bytea"),
        (f"FROM a WITH ({KAFKA}, primary_key = 'id') {UPSERT} KEY ENCODE AVRO", "0A000", "KEY ENCODE AVRO"),
        ("FROM a WITH (connector = 'fs', fs.path = '/x', primary_key = 'id') FORMAT UPSERT ENCODE JSON", "0A000", "fs is not"),
        ("FROM a WITH (connector = 'fs', fs.path = 'x', force_append_only = true) FORMAT PLAIN ENCODE JSON", "22023", "absolute"),
        ("FROM a WITH (connector = 'fs', force_append_only = 'true') FORMAT PLAIN ENCODE JSON", "22023", "fs.path is missing"),
        ("INTO t FROM a FORMAT PLAIN ENCODE JSON", "42601", "takes no FORMAT"),
        ("INTO t FROM a WITH (topic = 'x')", "0A000", "option topic"),
    ],
)  # fmt: skip
def test_refusals(rest: str, sqlstate: str, said: str) -> None:
    with pytest.raises(TailraceError) as caught:
        spec_of(rest)
    assert caught.value.sqlstate == sqlstate
    assert said in caught.value.message
