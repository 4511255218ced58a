"""Functions, operators, casts and texts that PostgreSQL lacks or gives otherwise, as a client sees them and in a view."""

from __future__ import annotations

import psycopg
import pytest

from tailrace.sql import to_postgres
from tests.support.flow import FlowUnderTest, running_flow
from tests.support.postgres import PostgresServer

CASES = {
    # decimals: up to 28 places, as 96 bits hold them
    "1 / 3.0": "0.3333333333333333333333333333",
    "200 / 3.0": "66.666666666666666666666666667",
    "6.0 / 2": "3.0",
    "6 / 2.0": "3",
    "1 / 8.0": "0.125",
    "7 / 2": "3",
    "'NaN'::numeric / 2": "NaN",
    "pow(2.0, 3.0)": "8",
    "2.0 ^ -2": "0.25",
    "pow(0.5::decimal, 2000::decimal)": "0",
    "exp(0.0)": "1",
    "round(42, 1)": "42",
    "round(1.165, 2)": "1.17",
    "asin(1.1)": "NaN",
    "cosd('Inf')": "NaN",
    "coth(1) > 1.313": "true",
    # text and bytes
    "inet_ntoa(inet_aton('192.168.1.5'))": "192.168.1.5",
    "encode(sha1('abc'::bytea), 'hex')": "a9993e364706816aba3e25717850c26c9cd0d89d",
    "encode(sha1(repeat('a', 119)::bytea), 'hex')": "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56",
    "encode(hmac('key', 'The quick brown fox jumps over the lazy dog'::bytea, 'sha1'), 'hex')": (
        "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9"
    ),
    "encode(hmac('key', 'The quick brown fox jumps over the lazy dog'::bytea, 'sha256'), 'hex')": (
        "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    ),
    "int8recv(int8send(-2))": "-2",
    # arrays
    "array_distinct(ARRAY[2, 1, NULL, 2, NULL])": "{2,1,NULL}",
    "array_length(ARRAY[]::integer[])": "0",
    "array_sum(ARRAY[1, 2, 3])": "6",
    "array_min(ARRAY['b', 'a'])": "a",
    "array_join(ARRAY[1, NULL, 2], ',', '*')": "1,*,2",
    "array_contains(ARRAY[1, 2], ARRAY[2])": "true",
    "array_overlaps(ARRAY[1, 2], ARRAY[3])": "false",
    "array_flatten(ARRAY[ARRAY[1, 2], ARRAY[3, 4]])": "{1,2,3,4}",
    "array_transform(array_transform(ARRAY[1, 2], |x| x + 1), |y| y * 10)": "{20,30}",
    "array_transform(NULL::integer[], |x| x)": None,
    "ARRAY[1, 2][2]": "2",
    # times
    "'2022-10-01 12:00:00.5-08'::timestamptz::varchar": "2022-10-01 20:00:00.500+00:00",
    "'2022-10-01 12:00:00.1234'::timestamp || ''": "2022-10-01 12:00:00.123400",
    "make_timestamp(2024, 1, 26, 14, 20, 26)::text": "2024-01-26 14:20:26",
    # JSON
    "to_jsonb(9.0)": "9.0",
    "to_jsonb(9)": "9",
    "to_jsonb(NULL::integer)": "null",
    "to_jsonb('2014-05-28 12:22:35.5'::timestamptz)": '"2014-05-28T12:22:35.5+00:00"',
    "1::double": "1",
    # placement
    "rw_vnode(256, 114, 514)": "97",
    "rw_vnode(32768, 114, 514)": "21857",
}

FAILING = {
    "pow(2::decimal, 96::decimal)": "Numeric out of range",
    "make_date(-4, 2, 29)": "invalid date: -3-2-29",
    "make_time(10, 55, 100.1)": "invalid time: 10:55:100.1",
    "make_timestamptz(1910, 12, 24, 0, 0, 0, 'Nehwon')": "'Nehwon' is not a valid timezone",
    "hmac('key', ''::bytea, 'md5')": "Unsupported SHA variant",
}


@pytest.fixture(scope="module")
def engine(postgres: PostgresServer):
    with running_flow(postgres) as running:
        running.run("SET TimeZone = 'UTC'")
        yield running


def _text(expression: str) -> str:
    return to_postgres(f"SELECT ({expression})::text")


@pytest.mark.parametrize("expression", CASES)
def test_ad_hoc(engine: FlowUnderTest, expression: str) -> None:
    assert engine.rows(_text(expression)) == [(CASES[expression],)]


@pytest.mark.parametrize("expression", FAILING)
def test_failures_say_what_is_wrong(engine: FlowUnderTest, expression: str) -> None:
    with pytest.raises(psycopg.DataError, match=FAILING[expression]):
        engine.rows(_text(expression))


def test_rows_of_functions(engine: FlowUnderTest) -> None:
    assert engine.rows("SELECT * FROM range(2, 6, 2)") == [(2,), (4,)]
    assert engine.rows(to_postgres("SELECT regexp_matches('abcabc', 'Bc', 'i')")) == [(["bc"],), (["bc"],)]
    assert engine.rows(to_postgres("SELECT aggregate:array_sum(v) FROM (VALUES (3), (4)) AS t (v)")) == [(7,)]


def test_averages_of_decimals_are_exact(engine: FlowUnderTest) -> None:
    values = "(VALUES (1, 1.0), (2, 2.0), (3, 2.0)) AS t (i, n)"
    found = engine.rows(
        to_postgres(
            f"SELECT avg(i)::text, avg(n)::text, avg(n) FILTER (WHERE i > 1) AS f, avg(i::real) FROM {values}"
        )
    )
    assert [str(v) for v in found[0]] == ["2", "1.6666666666666666666666666667", "2.0", "2.0"]
    windowed = to_postgres(f"SELECT avg(n) OVER (ORDER BY i ROWS 1 PRECEDING)::text FROM {values} ORDER BY i")
    assert engine.rows(windowed) == [("1.0",), ("1.5",), ("2.0",)]
    assert engine.rows(to_postgres("SELECT avg(i) FROM generate_series(1, 0) AS t (i)")) == [(None,)]


def test_views_give_null_where_a_function_fails(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE soft (k integer PRIMARY KEY, a numeric, b numeric, t varchar)")
    engine.view(
        "softly",
        "SELECT k, a / b AS quotient, pow(a, b) AS power, sqrt(a), to_date(t, 'YYYY-MM-DD') AS day, "
        "make_date(k, 2, 30) AS made, round(a, 1) AS rounded FROM soft",
    )
    engine.settle("INSERT INTO soft VALUES (1, 2.25, 2, '2026-01-01'), (2, 10, 0, 'no'), (3, -4, 100, 'x')")
    rows = engine.rows("SELECT k, quotient, power, sqrt, day, made, rounded::text FROM softly ORDER BY k")
    assert [str(v) for v in rows[0]] == ["1", "1.1250", "5.0625", "1.5", "2026-01-01", "None", "2.3"]
    assert [str(v) for v in rows[1][1:6]] == ["None", "1", "3.1622776601683793319988935444", "None", "None"]
    assert [str(v) for v in rows[2][1:6]] == ["-0.04", "None", "None", "None", "None"]
