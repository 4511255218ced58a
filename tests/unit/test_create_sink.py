"""The frame of CREATE SINK: what is read, and what a malformed statement is told."""

from __future__ import annotations

import pytest

from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature
from tailrace.sql.sinks import CreateSink, is_create_sink, parse_create_sink


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CREATE SINK s INTO t FROM mv", CreateSink("s", source="mv", into="t")),
        (
            'create sink if not exists public."S" into "T" (a, "B") as select a, "format" from x;',
            CreateSink("S", True, None, 'select a, "format" from x', "T", ("a", "B"), schema="public"),
        ),
        (
            "CREATE SINK s AS WITH c AS (SELECT 'WITH (' AS w FROM t) SELECT w FROM c\n"
            "WITH (connector = 'kafka', properties.bootstrap.server = 'h:1', rows = -5, flag = TRUE)\n"
            "FORMAT UPSERT ENCODE JSON (timestamptz.handling.mode = 'utc_string') KEY ENCODE TEXT",
            CreateSink(
                "s",
                query="WITH c AS (SELECT 'WITH (' AS w FROM t) SELECT w FROM c",
                options={
                    "connector": "kafka",
                    "properties.bootstrap.server": "h:1",
                    "rows": "-5",
                    "flag": "TRUE",
                },
                format="UPSERT",
                encode="JSON",
                encode_options={"timestamptz.handling.mode": "utc_string"},
                key_encode="TEXT",
            ),
        ),
        (
            "-- why\nCREATE /* so */ SINK s FROM mv WITH (\n  a = 'it''s'\n) FORMAT plain ENCODE parquet",
            CreateSink("s", source="mv", options={"a": "it's"}, format="PLAIN", encode="PARQUET"),
        ),
    ],
)
def test_what_is_read(text: str, expected: CreateSink) -> None:
    assert parse_create_sink(text) == expected


@pytest.mark.parametrize("text", ["CREATE SINK s FROM t", "  -- a\n/* b */ create or replace\nsink s FROM t"])
def test_it_is_known_by_its_first_words(text: str) -> None:
    assert is_create_sink(text)


@pytest.mark.parametrize("text", ["CREATE TABLE sink (a int)", "DROP SINK s", "SELECT 'CREATE SINK'"])
def test_what_is_none(text: str) -> None:
    assert not is_create_sink(text)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("CREATE SINK s", InvalidStatement, "end of input: expected FROM relation or AS SELECT"),
        ("CREATE SINK INTO t FROM a", InvalidStatement, "expected FROM relation"),
        ("CREATE SINK s FROM", InvalidStatement, "expected a name"),
        ("CREATE SINK s FROM 'a'", InvalidStatement, 'line 1, column 20: expected a name, got "a"'),
        ("CREATE SINK s AS WITH (a = 1)", InvalidStatement, "expected SELECT"),
        ("CREATE SINK s FROM a WITH (b)", InvalidStatement, "expected ="),
        ("CREATE SINK s FROM a WITH (b = 1", InvalidStatement, "expected )"),
        ("CREATE SINK s FROM a WITH (b = 1, b = 2)", InvalidStatement, "option b is given twice"),
        ("CREATE SINK s FROM a FORMAT PLAIN", InvalidStatement, "expected ENCODE"),
        ("CREATE SINK s FROM a, b", InvalidStatement, 'expected the end of the statement, got ","'),
        ("CREATE OR REPLACE SINK s FROM a", UnsupportedFeature, "CREATE OR REPLACE SINK"),
        ("CREATE SINK s AS SELECT 'a FROM b", InvalidStatement, "syntax error"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, kind: type[TailraceError], said: str) -> None:
    with pytest.raises(kind) as caught:
        parse_create_sink(text)
    assert said in caught.value.message


def test_emit_on_window_close_stands_between_query_and_options() -> None:
    statement = parse_create_sink(
        "CREATE SINK s AS SELECT a FROM t EMIT ON WINDOW CLOSE WITH (connector = 'blackhole')"
    )
    assert statement.emits_on_close
    assert statement.query == "SELECT a FROM t"
    assert statement.options == {"connector": "blackhole"}
