"""Whatever a message holds, decoding gives rows of the right width that PostgreSQL's binary COPY takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.connectors.decode import Decoder
from engine.connectors.formats import Format
from engine.connectors.intervals import teach_intervals
from engine.connectors.source import FIELD_TYPES, SourceColumn, source_spec
from engine.ddl.composites import composed_of, register
from tests.unit.connectors.messages import OPTIONS, Recorded, source
from tests.unit.connectors.test_decode import FITS, NOT_OBJECTS, UNFIT

_FIELDS = [
    (f"f{n}", type_, "field") for n, type_ in enumerate([*sorted(FIELD_TYPES), "integer[]", "varchar[]"])
]
_INCLUDED = [
    ("k", "bytea", "key"),
    ("kt", "varchar", "key"),
    ("p", "smallint", "partition"),
    ("o", "integer", "offset"),
    ("ov", "varchar", "offset"),
    ("t", "timestamptz", "timestamp"),
]
TYPED = source("JSON", *_FIELDS, *_INCLUDED, ("x", "jsonb", "payload"))
_BYTES = source("BYTES", ("data", "bytea", "field"), *_INCLUDED)
_READINGS = (SourceColumn("text_", "varchar", "text"), SourceColumn("json_", "jsonb", "json"))
RAW = replace(
    _BYTES, columns=(*_BYTES.columns, *_READINGS)
)  # the flow asks for the bytes' text and JSON as well

_texts = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    st.datetimes(timezones=st.timezones() | st.none()).map(lambda moment: moment.isoformat()),
    st.from_regex(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?(e[+-]?[0-9]{1,4})?", fullmatch=True),
    st.sampled_from(
        ["nan", "NAN", "-NaN", "+inf", "infinity", "\0", "\\x00", "\\", "\\000", "24:00:00", "0000-01-01"]
    ),
)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts
)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3)
)
_objects = st.fixed_dictionaries({}, optional={name.upper(): _values for name, *_ in _FIELDS}).map(
    orjson.dumps
)
_messages = st.builds(
    Recorded,
    st.none() | st.binary() | _objects | _values.map(orjson.dumps),
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**31 - 1),
    st.none() | st.binary(),
    st.integers(-(2**63), 2**63 - 1),
)


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database) as connection:
        for name, spec in (("typed", TYPED), ("raw", RAW)):
            columns = ", ".join(f"{column.name} {column.type}" for column in spec.columns)
            connection.execute(f"CREATE TEMP TABLE {name} ({columns})")
        connection.commit()
        yield connection


def copied(connection: psycopg.Connection[Any], messages: list[Recorded]) -> None:
    """Decode into both tables; what COPY refuses fails the test."""
    for name, spec in (("typed", TYPED), ("raw", RAW)):
        decoded = Decoder(spec).decode(messages)
        assert len(decoded.rows) + decoded.skipped == len(messages)
        assert len(decoded.rows) == len(decoded.offsets) == len(decoded.partitions)
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY {name} FROM STDIN (FORMAT binary)") as copy:
                teach_intervals(cursor)
                copy.set_types(spec.types())
                for row in decoded.rows:
                    assert len(row) == len(spec.columns)
                    copy.write_row(row)
            cursor.execute(f"SELECT * FROM {name}")  # and each value can be read back
            assert len(cursor.fetchall()) == len(decoded.rows)
        connection.rollback()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(_messages, max_size=4))
def test_copy_takes_whatever_was_decoded(
    connection: psycopg.Connection[Any], messages: list[Recorded]
) -> None:
    copied(connection, messages)


def test_copy_takes_every_case_of_the_tables(connection: psycopg.Connection[Any]) -> None:
    names = {type_: name for name, type_, _ in _FIELDS}
    texts = [(type_, text) for type_, text, _ in FITS] + UNFIT
    messages = [Recorded(f'{{"{names[type_]}":{text}}}'.encode(), n) for n, (type_, text) in enumerate(texts)]
    copied(connection, messages + [Recorded(value) for value in NOT_OBJECTS])


_LONG = [
    b"0." + b"1" * 20_000,
    b"1" * 140_000,
    b"1e-20000",
    b"-0.5E+0300",
    b'"' + b"1" * 20_000 + b'"',
    b"[" * 1100,
]


@pytest.mark.parametrize("value", _LONG, ids=range(len(_LONG)))
def test_copy_takes_numbers_that_numeric_cannot_hold(
    connection: psycopg.Connection[Any], value: bytes
) -> None:
    copied(connection, [Recorded(value), Recorded(b'{"f0":%s}' % value, 1)])


def test_structs_and_arrays_are_read_from_objects_and_lists(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE SCHEMA IF NOT EXISTS rw")
    connection.execute("CREATE TYPE rw.place AS (x integer, city varchar)")
    connection.execute("CREATE TYPE rw.event AS (id bigint, at timestamptz, place rw.place, tags varchar[])")
    types = {"e": "rw.event", "n": "integer[]", "many": "rw.place[]"}
    composites = composed_of(connection, types.values()).composites
    assert composites["rw.place"] == (("x", "integer"), ("city", "varchar"))
    spec = source_spec(
        "s",
        [SourceColumn(n, t, "field") for n, t in types.items()],
        OPTIONS,
        Format(),
        composites=composites,
    )
    rows = [
        b'{"e": {"id": 1, "at": "2026-01-01T00:00:00Z", "place": {"x": "7", "City": "a, \\"b\\""}, "tags": ["t", 1]},'
        b' "n": [1, "x", null], "many": [{"x": 1}, {"city": "c"}]}',
        b'{"e": {"id": "no number", "place": 5}, "n": 5, "many": []}',
    ]
    decoded = Decoder(spec).decode([Recorded(each, n) for n, each in enumerate(rows)])
    assert decoded.nulled == 3
    register(connection, spec)
    connection.execute("CREATE TEMP TABLE t (e rw.event, n integer[], many rw.place[])")
    with connection.cursor() as cursor:
        with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
            teach_intervals(cursor)
            copy.set_types(spec.types())
            for row in decoded.rows:
                copy.write_row(row)
        shown = cursor.execute(
            "SELECT (e).id, (e).at = '2026-01-01Z', ((e).place).x, ((e).place).city, (e).tags::text, n::text, many::text FROM t"
        ).fetchall()
    assert shown == [
        (1, True, 7, 'a, "b"', "{t,1}", None, '{"(1,)","(,c)"}'),
        (None, None, None, None, None, None, "{}"),
    ]
    connection.rollback()
