"""Options of CREATE SINK: what they come to, and what is refused, by name."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.connectors.http_options import headers_of
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
FILES = "connector = 'fs', fs.path = '/x', force_append_only = 'true'"


@pytest.mark.parametrize(
    ("rest", "sqlstate", "said"),
    [
        (f"FROM a WITH (topic = 't') {PLAIN}", "22023", "connector is missing"),
        (f"FROM a WITH (connector = 'mqtt') {PLAIN}", "0A000", "sink connector 'mqtt'"),
        (f"FROM a WITH (connector = 'kafka', topic = 't', primary_key = 'id') {UPSERT}", "22023", "bootstrap.server"),
        (f"FROM a WITH (connector = 'kafka', properties.bootstrap.server = 'h:1', primary_key = id) {UPSERT}", "22023", "topic"),
        (f"FROM a WITH ({KAFKA}) {UPSERT}", "22023", "not defined for upsert kafka sink"),
        (f"FROM a WITH ({KAFKA}) FORMAT DEBEZIUM ENCODE JSON", "22023", "not defined for debezium kafka sink"),
        (f"FROM a WITH ({KAFKA}, primary_key = 'nope') {UPSERT}", "42703", 'primary key column "nope"'),
        (f"FROM a WITH ({KAFKA}) {PLAIN}", "0A000", "The sink cannot be append-only"),
        (f"FROM a WITH ({KAFKA})", "42601", "a kafka sink needs FORMAT and ENCODE"),
        (f"FROM a WITH ({KAFKA}) FORMAT DEBEZIUM ENCODE AVRO", "0A000", "FORMAT DEBEZIUM ENCODE AVRO of connector kafka"),
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
        (f"FROM a WITH ({FILES}, path_partition_prefix = 'week') {PLAIN}", "22023", "path_partition_prefix cannot be 'week'"),
        (f"FROM a WITH ({FILES}, path_partition_by = 'day') {PLAIN}", "0A000", "option path_partition_by"),
        ("INTO t FROM a FORMAT PLAIN ENCODE JSON", "42601", "takes no FORMAT"),
        ("INTO t FROM a WITH (topic = 'x')", "0A000", "option topic"),
    ],
)  # fmt: skip
def test_refusals(rest: str, sqlstate: str, said: str) -> None:
    with pytest.raises(TailraceError) as caught:
        spec_of(rest)
    assert caught.value.sqlstate == sqlstate
    assert said in caught.value.message


EVENT = (Column("payload", "jsonb"), Column("url", "character varying"))
HTTP = "connector = 'http', type = 'append-only'"


def spec_over(columns: Sequence[Column], rest: str) -> SinkSpec:
    return sink_spec(parse_create_sink(f"CREATE SINK s FROM a {rest}"), columns, append_only=True)


def test_http() -> None:
    spec = spec_over(EVENT[:1], f"WITH ({HTTP}, url = 'https://h/x', header.authorization = 'Bearer t')")
    assert headers_of(spec.options) == {
        "content-type": "application/json", "user-agent": "tailrace", "authorization": "Bearer t",
    }  # fmt: skip
    assert SinkSpec.from_json(spec.to_json()) == spec
    assert spec_over(EVENT, f"WITH ({HTTP})").options["url"] == ""


@pytest.mark.parametrize("lenient", ["force_append_only", "ignore_delete"])
def test_http_of_a_query_that_changes_takes_only_what_comes(lenient: str) -> None:
    statement = parse_create_sink(f"CREATE SINK s FROM a WITH ({HTTP}, url = 'http://h', {lenient} = 'true')")
    assert sink_spec(statement, EVENT[:1], append_only=False).type is SinkType.APPEND_ONLY


@pytest.mark.parametrize(
    ("columns", "rest", "said"),
    [
        (EVENT[:1], "WITH (connector = 'http', url = 'http://h')", "option type is missing"),
        (EVENT[:1], "WITH (connector = 'http', url = 'http://h', type = 'upsert')", "only supports append-only mode"),
        (EVENT[:1], f"WITH ({HTTP})", "requires url option when schema has exactly 1 column"),
        (EVENT[:1], f"WITH ({HTTP}, url = 'h/x')", "invalid URL 'h/x'"),
        (EVENT[:1], f"WITH ({HTTP}, url = 'http://h', header.x = 'a\u00e9')", "invalid header 'x'"),
        (EVENT[:1], f"WITH ({HTTP}, url = 'http://h') FORMAT PLAIN ENCODE JSON", "not supported by FORMAT"),
        (EVENT[:1], f"WITH ({HTTP}, url = 'http://h', auto.schema.change = 'true')", "auto.schema.change"),
        (EVENT, f"WITH ({HTTP}, url = 'http://h')", "cannot coexist with url column"),
        (COLUMNS, f"WITH ({HTTP}, url = 'http://h')", "only supports payload and url columns, got id"),
        (COLUMNS[:1], f"WITH ({HTTP}, url = 'http://h')", "payload column must be varchar or jsonb, got integer"),
        ((EVENT[0], Column("url", "integer")), f"WITH ({HTTP})", "url column must be varchar"),
    ],
)  # fmt: skip
def test_what_http_refuses(columns: Sequence[Column], rest: str, said: str) -> None:
    with pytest.raises(TailraceError) as caught:
        spec_over(columns, rest)
    assert said in caught.value.message


PLACE = (
    Column("id", "integer"),
    Column("name", "character varying"),
    Column("x", "real"),
    Column("y", "real"),
)
REDIS = "connector = 'redis', redis.url = 'redis://h:6379/', primary_key = 'id,name'"
GEO = (
    "redis_value_type = 'geospatial', key_format = 'k{id}', longitude = 'x', latitude = 'y', member = 'name'"
)
TEMPLATED = "FORMAT UPSERT ENCODE TEMPLATE"
NO_MEMBER, NO_LATITUDE = GEO.replace("'name'", "'x'"), GEO.replace("'y'", "'id'")


@pytest.mark.parametrize(
    ("template", "kept"),
    [
        ("key_format = 'd:{id}', value_format = '{x}'", {"redis_value_type", "key_format", "value_format"}),
        (GEO, {"redis_value_type", "key_format", "longitude", "latitude", "member"}),
        (
            "redis_value_type = 'pubsub', channel_column = 'name', value_format = '{x}'",
            {"redis_value_type", "channel_column", "value_format"},
        ),
        (
            "redis_value_type = 'stream', stream = 'z', key_format = '{id}', value_format = '{x}'",
            {"redis_value_type", "stream", "key_format", "value_format"},
        ),
    ],
)
def test_redis_templates(template: str, kept: set[str]) -> None:
    spec = spec_over(PLACE, f"WITH ({REDIS}) {TEMPLATED} ({template})")
    assert spec.options.keys() == {"redis.url", *kept}
    assert SinkSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("WITH (connector = 'redis', redis.url = 'redis://h') FORMAT PLAIN ENCODE JSON", "primary key not defined"),
        ("WITH (connector = 'redis', primary_key = 'id') FORMAT PLAIN ENCODE JSON", "redis.url is missing"),
        ("WITH (connector = 'redis', primary_key = 'id', redis.url = 'h:1') FORMAT PLAIN ENCODE JSON", "no address of a Redis"),
        (f"WITH ({REDIS})", "a redis sink needs FORMAT and ENCODE"),
        (f"WITH ({REDIS}) FORMAT DEBEZIUM ENCODE JSON", "FORMAT DEBEZIUM ENCODE JSON of connector redis"),
        (f"WITH ({REDIS}) {TEMPLATED}", "Cannot find 'key_format'"),
        (f"WITH ({REDIS}) {TEMPLATED} (key_format = 'x', value_format = '{{x}}')", "Can't find {} in key_format"),
        (f"WITH ({REDIS}) {TEMPLATED} (key_format = '{{x}}', value_format = '{{x}}')", "no primary key column"),
        (f"WITH ({REDIS}) {TEMPLATED} ({NO_MEMBER})", "`member` must be a column of the primary"),
        (f"WITH ({REDIS}) {TEMPLATED} ({NO_LATITUDE})", "`latitude` must be a column"),
        (f"WITH ({REDIS}) {TEMPLATED} (redis_value_type = 'pubsub', value_format = '{{x}}')", "only one can be set"),
        (f"WITH ({REDIS}) {TEMPLATED} (redis_value_type = 'list')", "redis_value_type cannot be 'list'"),
        (f"WITH ({REDIS}) FORMAT UPSERT ENCODE JSON (key_format = '{{id}}')", "option key_format"),
    ],
)  # fmt: skip
def test_what_redis_refuses(rest: str, said: str) -> None:
    with pytest.raises(TailraceError) as caught:
        spec_over(PLACE, rest)
    assert said in caught.value.message


def test_jdbc_comes_to_the_same_as_postgres() -> None:
    key = "type = 'upsert', primary_key = 'id'"
    spec = spec_over(
        COLUMNS,
        f"WITH (connector = 'jdbc', {key}, jdbc.url = 'jdbc:postgresql://db:5433/app?user=a&password=b%40c&sslmode=require', "
        "table.name = 't', schema.name = 'S', user = 'me')",
    )
    same = spec_over(
        COLUMNS,
        f"WITH (connector = 'postgres', {key}, host = 'db', port = 5433, user = 'me', password = 'b@c', database = 'app', "
        "schema = 'S', table = 't', ssl_mode = 'required')",
    )
    assert spec.options == {**same.options, "timeout_s": "600"}


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("connector = 'jdbc', jdbc.url = 'jdbc:mysql://h/d', table.name = 't'", "jdbc.url of jdbc:mysql is not supported"),
        ("connector = 'jdbc', jdbc.url = 'jdbc:postgresql://h:x/d', table.name = 't'", "jdbc.url is not valid"),
        ("connector = 'jdbc', jdbc.url = 'jdbc:postgresql://h/d'", "table.name is missing"),
        ("connector = 'postgres', user = 'a', database = 'b', table = 't'", "host is missing"),
        ("connector = 'postgres', host = 'h', user = 'a', database = 'b', table = 't', port = 70000", "port cannot be '70000'"),
        ("connector = 'postgres', host = 'h', user = 'a', database = 'b', table = 't', ssl_mode = 'x'", "ssl_mode cannot be"),
        ("connector = 'postgres', host = 'h', user = 'a', database = 'b', table = 't', sslmode = 'x'", "option sslmode"),
    ],
)  # fmt: skip
def test_what_postgres_refuses(rest: str, said: str) -> None:
    with pytest.raises(TailraceError) as caught:
        spec_over(COLUMNS, f"WITH ({rest}, type = 'upsert', primary_key = 'id')")
    assert said in caught.value.message
    with pytest.raises(TailraceError, match="primary key not defined for upsert"):
        spec_over(COLUMNS, "WITH (connector = 'postgres', type = 'upsert')")
