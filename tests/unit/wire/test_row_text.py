"""Texts as RisingWave writes them, and only where they are of the types."""

from __future__ import annotations

import struct

import pytest

from engine.wire import protocol
from engine.wire.protocol import Column
from engine.wire.replies import PASS_ON, ReplyStream
from engine.wire.row_text import fix_clock, fix_clocks_within, fix_double, fix_real

TIMESTAMPTZ, VARCHAR = 1184, 1043


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"2022-10-01 20:00:00+00", b"2022-10-01 20:00:00+00:00"),
        (b"2022-10-01 20:00:00.25-08", b"2022-10-01 20:00:00.250-08:00"),
        (b"2022-10-01 20:00:00.1234+05:30", b"2022-10-01 20:00:00.123400+05:30"),
        (b"0005-02-29 08:15:55.33+00 BC", b"0005-02-29 08:15:55.330+00:00 BC"),
        (b"0005-02-29 08:15:55.33 BC", b"0005-02-29 08:15:55.330 BC"),
        (b"2013-07-15 08:15:23.5", b"2013-07-15 08:15:23.500"),
        (b"2013-07-15 08:15:23", b"2013-07-15 08:15:23"),
        (b"1890-01-01 00:00:00-00:01:15", b"1890-01-01 00:00:00-00:01"),
        (b"10:13:36.07", b"10:13:36.070"),
        (b"10:13:36", b"10:13:36"),
        (b"infinity", b"infinity"),
        (b"-infinity", b"-infinity"),
        (b"\x00\x02\x8f\x17\x11\x22\x33\x44", b"\x00\x02\x8f\x17\x11\x22\x33\x44"),
    ],
)
def test_clocks(text: bytes, expected: bytes) -> None:
    assert fix_clock(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"2022-10-01 20:00:00.5-08",NULL}', b'{"2022-10-01 20:00:00.500-08:00",NULL}'),
        (b'(1,"2022-10-01 20:00:00+00",10:13:36.5)', b'(1,"2022-10-01 20:00:00+00:00",10:13:36.500)'),
        (b'("at 2022-10-01 20:00:00+00")', b'("at 2022-10-01 20:00:00+00")'),
        (b"\x00\x00\x00\x01 10:13:36.5", b"\x00\x00\x00\x01 10:13:36.5"),
    ],
)
def test_within_arrays_and_rows(text: bytes, expected: bytes) -> None:
    assert fix_clocks_within(text) == expected


def test_floats() -> None:
    doubles = {
        b"1.5e+15": b"1500000000000000",
        b"1.234e-05": b"0.00001234",
        b"1e-06": b"1e-06",
        b"-2e+16": b"-2e+16",
    }
    assert {text: fix_double(text) for text in doubles} == doubles
    assert fix_real(b"{1e+06,-1.25e+07,1e+13,NaN}") == b"{1000000,-12500000,1e+13,NaN}"
    assert fix_double(b"1.2345678901234567e+15") == b"1234567890123456.7"


def test_rows_of_a_described_query_are_put_right_in_pieces_too() -> None:
    columns = (Column("a", VARCHAR), Column("b", TIMESTAMPTZ), Column("c", VARCHAR))
    stamp = "2022-10-01 20:00:00+00"
    sent = b"".join(
        protocol.encode_data_row(row, columns) for row in ([stamp, stamp, "x"], [None, None, stamp])
    )
    wanted = protocol.encode_data_row([stamp, stamp + ":00", "x"], columns) + protocol.encode_data_row(
        [None, None, stamp], columns
    )
    head, ready = protocol.encode_row_description(columns), protocol.encode_ready(ord("I"))
    for size in (1, 7, 10_000):
        stream = ReplyStream(ord("I"))
        stream.expect(PASS_ON)
        text = head + sent + ready
        out = b"".join(stream.feed(text[i : i + size])[0] for i in range(0, len(text), size))
        assert out == head + wanted + ready


def test_rows_that_nothing_described_and_binary_ones_stay() -> None:
    columns = (Column("b", TIMESTAMPTZ),)
    row = protocol.encode_data_row(["2022-10-01 20:00:00+00"], columns)
    stream = ReplyStream(ord("I"))
    assert stream.feed(row)[0] == row
    stream.feed(protocol.encode_row_description(columns, (1,)))
    binary = protocol.encode(b"D", struct.pack("!hi", 1, 8) + b"12:00:00")
    assert stream.feed(binary)[0] == binary
