"""Bytes in, rows out: what each type takes from JSON, and that hostile messages harm neither themselves nor
others.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest

from engine.connectors.decode import Decoder
from engine.connectors.intervals import Interval
from tests.unit.connectors.messages import Recorded, source

UTC = dt.UTC
INF = float("inf")
ISO = dt.datetime(2026, 11, 23, 23, 16, 17, 123000, tzinfo=UTC)

FITS = [
    ("smallint", "-32768", -32768),
    ("smallint", '"7"', 7),
    ("integer", "2147483647", 2147483647),
    ("integer", '"+5"', 5),
    ("bigint", "-9223372036854775808", -(2**63)),
    ("bigint", '"9223372036854775807"', 2**63 - 1),
    ("real", "1.5", 1.5),
    ("real", '"-inf"', -INF),
    ("double precision", "21", 21.0),
    ("double precision", '"1e5"', 1e5),
    ("double precision", '"Infinity"', INF),
    ("double precision", "18446744073709551615", 18446744073709551615.0),
    ("numeric", "21.37", Decimal("21.37")),
    ("numeric", "12345678901234567", Decimal(12345678901234567)),
    ("numeric", '"0.1234567890123456789012345678"', Decimal("0.1234567890123456789012345678")),
    ("numeric", '"1e-40"', Decimal("0E-28")),
    ("numeric", '"-Infinity"', Decimal("-Infinity")),
    ("boolean", "true", True),
    ("varchar", '"é😀"', "é😀"),
    ("varchar", "21.0", "21.0"),
    ("varchar", "12", "12"),
    ("varchar", "false", "false"),
    ("text", '""', ""),
    ("bytea", '"abc"', b"abc"),
    ("bytea", r'"\\xDEad beef"', b"\xde\xad\xbe\xef"),
    ("bytea", r'"a\\\\b\\101"', b"a\\bA"),
    ("timestamptz", '"2026-11-23T23:16:17.123Z"', ISO),
    ("timestamptz", '"2026-11-23 23:16:17.123z"', ISO),
    ("timestamptz", '"2026-11-24T00:16:17.123+01:00"', ISO),
    ("timestamptz", '"2026-11-23T23:16:17.123000999Z"', ISO),
    ("timestamptz", "1795475777", ISO.replace(microsecond=0)),
    ("timestamptz", "1795475777123", ISO),
    ("timestamptz", "1795475777123000", ISO),
    ("timestamptz", "1795475777123000000", ISO),
    ("timestamp", '"2026-11-23 23:16:17.123"', ISO.replace(tzinfo=None)),
    ("timestamp", '"2026-11-23"', dt.datetime(2026, 11, 23)),  # noqa: DTZ001
    ("timestamp", "1795475777123", ISO.replace(tzinfo=None)),
    ("date", '"2026-11-23"', dt.date(2026, 11, 23)),
    ("date", "20000", dt.date(2024, 10, 4)),
    ("time", '"23:16:17.5Z"', dt.time(23, 16, 17, 500000)),
    ("time", '"04:05"', dt.time(4, 5)),
    ("time", "1000000", dt.time(0, 0, 1)),
    ("interval", '"1 year 2 mons 3 days -04:05:06.5"', Interval(14, 3, -14_706_500_000)),
    ("interval", '"P1Y2M3DT4H5M6S"', Interval(14, 3, 14_706_000_000)),
    ("interval", '"1.5 hours 3min"', Interval(0, 0, 5_580_000_000)),
    ("integer[]", "[1, null]", [1, None]),
    ("integer[]", "[[1, 2], [3, null]]", [[1, 2], [3, None]]),
    ("varchar[]", '[[["a"]], [["b"]]]', [[["a"]], [["b"]]]),
]

UNFIT = [
    ("smallint", "32768"),
    ("integer[]", "[1, true]"),
    ("integer[]", "[[1], [2, 3]]"),
    ("integer[]", "[[1], 2]"),
    ("integer[]", "[[1], null]"),
    ("integer[]", "[[], []]"),
    ("integer", "2147483648"),
    ("integer", "1.0"),
    ("integer", "true"),
    ("integer", '" 1"'),
    ("integer", '"1_000"'),
    ("integer", '"\u0661"'),
    ("integer", '"' + "9" * 5000 + '"'),
    ("bigint", "9223372036854775808"),
    ("bigint", "[]"),
    ("real", "1e39"),
    ("double precision", '"1,5"'),
    ("double precision", '"0x10"'),
    ("double precision", "true"),
    ("numeric", '"1e29"'),
    ("numeric", '"1e999999999"'),
    ("numeric", "1e300"),
    ("numeric", "{}"),
    ("boolean", "1"),
    ("boolean", '"true"'),
    ("varchar", '"a\\u0000b"'),
    ("varchar", "{}"),
    ("varchar", "[1]"),
    ("bytea", r'"\\x123"'),
    ("bytea", r'"\\400"'),
    ("bytea", "1"),
    ("jsonb", '{"a":["\\u0000"]}'),
    ("jsonb", '{"\\u0000":1}'),
    ("jsonb", "[" * 300 + "]" * 300),
    ("timestamptz", '"2026-11-23T23:16:17"'),
    ("timestamptz", '"2026-11-23"'),
    ("timestamptz", '"20261123T231617Z"'),
    ("timestamptz", '"2026-W48-1T23:16Z"'),
    ("timestamptz", '"2026-02-30T00:00:00Z"'),
    ("timestamptz", '"0001-01-01T00:00:00+14:00"'),
    ("timestamptz", '"9999-12-31T23:59:59-14:00"'),
    ("timestamptz", '"now"'),
    ("timestamptz", "-1"),
    ("timestamptz", "1.5"),
    ("timestamptz", "true"),
    ("timestamp", '"infinity"'),
    ("date", '"2026-11-23T00:00:00Z"'),
    ("date", "99999999999"),
    ("date", '"2026-W48-1"'),
    ("time", '"25:00"'),
    ("time", "86400000000"),
    ("interval", "5"),
    ("interval", '""'),
    ("interval", '"P"'),
    ("interval", '"3 days of rain"'),
    ("interval", '"1.5 months"'),
    ("interval", '"999999999999 years"'),
    ("time", '"10:00+01:00"'),
]


@pytest.mark.parametrize(("type_", "text", "expected"), FITS)
def test_takes(type_: str, text: str, expected: object) -> None:
    decoded = Decoder(source("JSON", ("v", type_, "field"))).decode([Recorded(f'{{"v":{text}}}'.encode())])
    assert decoded.rows == [(expected,)]
    assert type(decoded.rows[0][0]) is type(expected)
    assert decoded.nulled == 0


def test_numeric_takes_not_a_number() -> None:
    decoded = Decoder(source("JSON", ("v", "numeric", "field"))).decode([Recorded(b'{"v":"NaN"}')])
    assert decoded.rows[0][0].is_nan()


@pytest.mark.parametrize(("type_", "text"), UNFIT)
def test_what_does_not_fit_is_null_and_counted(type_: str, text: str) -> None:
    decoded = Decoder(source("JSON", ("v", type_, "field"))).decode([Recorded(f'{{"v":{text}}}'.encode())])
    assert decoded.rows == [(None,)]
    assert (decoded.nulled, decoded.skipped) == (1, 0)


@pytest.mark.parametrize("type_", sorted({each[0] for each in FITS} | {"jsonb"}))
def test_null_and_missing_fields_are_null_and_no_fault(type_: str) -> None:
    decoder = Decoder(source("JSON", ("v", type_, "field")))
    decoded = decoder.decode([Recorded(b'{"v":null}'), Recorded(b"{}", 1)])
    assert decoded.rows == [(None,), (None,)]
    assert decoded.nulled == 0


def test_jsonb_is_written_for_binary_copy() -> None:
    decoded = Decoder(source("JSON", ("v", "jsonb", "field"), ("all", "jsonb", "payload"))).decode(
        [Recorded(b'{"v":{"a":[1,2.5,"\\\\u0000"]},"w":18446744073709551615}')]
    )
    value, payload = decoded.rows[0]
    assert json.loads(value.obj) == {"a": [1, 2.5, "\\u0000"]}
    assert json.loads(payload.obj)["w"] == 18446744073709551615


def test_names_match_exactly_first_then_without_case() -> None:
    decoder = Decoder(source("JSON", ("deviceid", "varchar", "field")))
    values = [
        b'{"deviceId":"a"}',
        b'{"DEVICEID":"b","deviceid":"c"}',
        b'{"devic\xc4\xb1d":"d"}',
        b'{"device":"e"}',
    ]
    decoded = decoder.decode([Recorded(each, n) for n, each in enumerate(values)])
    assert decoded.rows == [("a",), ("c",), (None,), (None,)]


NOT_OBJECTS = [
    b"\xff\xfe",
    b"{",
    b"[]",
    b"1",
    b"null",
    b'"x"',
    b'{"a":1}{"a":2}',
    b"NaN",
    b'{"v":"\\ud800"}',
]


@pytest.mark.parametrize("nothing", [None, b""])
def test_a_message_without_a_value_is_a_row_without_fields(nothing: bytes | None) -> None:
    decoder = Decoder(
        source("JSON", ("v", "integer", "field"), ("k", "bytea", "key"), ("p", "jsonb", "payload"))
    )
    decoded = decoder.decode([Recorded(nothing, 0, given_key=b"k"), Recorded(b'{"v":1}', 1)])
    assert [row[:2] for row in decoded.rows] == [(None, b"k"), (1, None)]
    assert (decoded.rows[0][2], decoded.skipped, decoded.nulled) == (None, 0, 0)


@pytest.mark.parametrize("poison", NOT_OBJECTS)
def test_a_message_that_is_no_object_is_skipped_alone(poison: bytes) -> None:
    decoder = Decoder(source("JSON", ("v", "integer", "field"), ("o", "bigint", "offset")))
    good = [Recorded(b'{"v":%d}' % n, n) for n in range(3)]
    decoded = decoder.decode([good[0], Recorded(poison, 1), good[2]])
    assert decoded.rows == [(0, 0), (2, 2)]
    assert (decoded.skipped, decoded.offsets, decoded.after) == (1, [0, 2], {0: 3})


def test_messages_cannot_mend_one_another() -> None:
    """Joined by a comma these two would be one valid array of two objects."""
    decoder = Decoder(source("JSON", ("v", "integer", "field")))
    assert decoder.decode([Recorded(b'{"v":1},{"v":[2'), Recorded(b"3]}", 1)]).skipped == 2


def test_bytes_are_passed_on_untouched() -> None:
    columns = [("data", "bytea", "field"), ("k", "bytea", "key"), ("t", "timestamptz", "timestamp")]
    decoder = Decoder(source("BYTES", *columns, ("p", "varchar", "partition"), ("o", "varchar", "offset")))
    decoded = decoder.decode([Recorded(b"\0\xff", 7, 3, b"\0k"), Recorded(None, 8, 3), Recorded(b"", 1, 4)])
    assert decoded.rows == [
        (b"\0\xff", b"\0k", ISO, "3", "7"),
        (None, None, ISO, "3", "8"),
        (b"", None, ISO, "4", "1"),
    ]
    assert decoded.after == {3: 9, 4: 2}


def test_broker_timestamps_out_of_range_are_null() -> None:
    decoder = Decoder(source("BYTES", ("data", "bytea", "field"), ("t", "timestamptz", "timestamp")))
    given = [-1, 0, 253_402_300_799_999, 253_402_300_800_000, 2**62]
    decoded = decoder.decode([Recorded(b"", n, millisecond=each) for n, each in enumerate(given)])
    epoch, last = (
        dt.datetime(1970, 1, 1, tzinfo=UTC),
        dt.datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
    )
    assert [row[1] for row in decoded.rows] == [None, epoch, last, None, None]


def test_keys_as_text_and_offsets_as_integers_keep_within_their_types() -> None:
    columns = [("data", "bytea", "field"), ("k", "varchar", "key"), ("o", "integer", "offset")]
    decoder = Decoder(source("BYTES", *columns))
    decoded = decoder.decode(
        [Recorded(b"", 2**31 - 1, 0, b"dev"), Recorded(b"", 2**31, 0, b"\xff"), Recorded(b"", 5, 1, b"a\0")]
    )
    assert [row[1:] for row in decoded.rows] == [("dev", 2**31 - 1), (None, None), (None, 5)]
    assert decoded.nulled == 3
