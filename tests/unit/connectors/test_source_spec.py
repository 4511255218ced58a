"""CREATE SOURCE's options: RisingWave's names, nothing ignored, every refusal says what is supported."""

from __future__ import annotations

import pytest

from engine.connectors.formats import Format
from engine.connectors.source import SourceColumn, source_spec
from tailrace.errors import TailraceError
from tests.unit.connectors.messages import OPTIONS

BYTES = Format(encode="bytes")
RAW = [SourceColumn("data", "bytea", "field"), SourceColumn("p", "varchar", "partition")]


def test_gathers_topic_broker_and_properties() -> None:
    options = {
        "CONNECTOR": "kafka",
        "topic": "telemetry.readings",
        "properties.bootstrap.server": "a:1,b:2",
        "scan.startup.mode": "latest",
        "properties.security.protocol": "SASL_SSL",
        "properties.fetch.wait.max.ms": "50",
        "group.id.prefix": "watch",
    }
    spec = source_spec("raw", RAW, options, BYTES)
    assert (spec.topic, spec.bootstrap, spec.startup, spec.encode) == (
        "telemetry.readings",
        "a:1,b:2",
        "latest",
        "bytes",
    )
    assert spec.properties == {
        "security.protocol": "SASL_SSL",
        "fetch.wait.max.ms": "50",
        "group.id": "watch",
    }
    assert spec.types() == ["bytea", "varchar"]


def test_starts_at_the_earliest_offset_by_default() -> None:
    assert source_spec("raw", RAW, OPTIONS, BYTES).startup == "earliest"


@pytest.mark.parametrize(
    ("change", "sqlstate", "says"),
    [
        ({"connector": ""}, "0A000", "use connector = 'kafka'"),
        ({"connector": "kinesis"}, "0A000", "connector 'kinesis' is not supported"),
        ({"topic": " "}, "22023", "option topic is missing"),
        ({"properties.bootstrap.server": ""}, "22023", "option properties.bootstrap.server is missing"),
        ({"scan.startup.mode": "yesterday"}, "22023", "use 'earliest' or 'latest'"),
        (
            {"scan.startup.timestamp.millis": "soon"},
            "22023",
            "scan.startup.timestamp.millis cannot be 'soon'",
        ),
        ({"scan.startup.mod": "latest"}, "0A000", "did you mean scan.startup.mode"),
        ({"properties.fetch.max.byte": "1"}, "0A000", "did you mean properties.fetch.max.bytes"),
        ({"properties.enable.auto.commit": "true"}, "0A000", "not in a group"),
        ({"zzz": "1"}, "0A000", "supported: connector, topic"),
        ({"fetch.max.bytes": "1"}, "0A000", "did you mean properties.fetch.max.bytes"),
    ],
)
def test_refuses_options_by_name(change: dict[str, str], sqlstate: str, says: str) -> None:
    with pytest.raises(TailraceError) as refused:
        source_spec("raw", RAW, {**OPTIONS, **change}, BYTES)
    assert refused.value.sqlstate == sqlstate
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("columns", "encode", "says"),
    [
        ([], "bytes", "exactly one column of type bytea"),
        ([("a", "bytea", "field"), ("b", "bytea", "field")], "bytes", "exactly one column of type bytea"),
        ([("a", "varchar", "field")], "bytes", "exactly one column of type bytea"),
        ([("a", "point", "field")], "json", "type point of source column a is not supported"),
        ([("a", "int[]", "field")], "json", "supported: bigint, boolean"),
        ([("a", "bytea", "field"), ("h", "jsonb", "header")], "bytes", "type jsonb for INCLUDE header"),
        ([("a", "bytea", "field"), ("h", "jsonb", "weight")], "bytes", "INCLUDE weight is not supported"),
        ([("a", "bytea", "field"), ("x", "jsonb", "payload")], "bytes", "the bytea column holds it already"),
        ([("a", "bytea", "field"), ("o", "date", "offset")], "bytes", "type date for INCLUDE offset"),
    ],
)
def test_refuses_columns_that_cannot_be_filled(
    columns: list[tuple[str, str, str]], encode: str, says: str
) -> None:
    with pytest.raises(TailraceError) as refused:
        source_spec("raw", [SourceColumn(*each) for each in columns], OPTIONS, Format(encode=encode))
    assert says in str(refused.value)
