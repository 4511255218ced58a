"""The codec on raw bytes."""

from __future__ import annotations

import struct

import pytest

from engine.wire import protocol
from engine.wire.protocol import Cancel, Column, Encryption, Startup
from tailrace.errors import TailraceError


def test_startup_packets() -> None:
    assert protocol.decode_startup(struct.pack("!i", 80877103)) == Encryption(tls=True)
    assert protocol.decode_startup(struct.pack("!i", 80877104)) == Encryption(tls=False)
    assert protocol.decode_startup(struct.pack("!iii", 80877102, 7, 9)) == Cancel(7, struct.pack("!i", 9))
    packet = protocol.encode_startup({"user": "root", "database": "dev"})
    assert protocol.decode_startup(packet[4:]) == Startup(0, {"user": "root", "database": "dev"})
    newer = struct.pack("!i", 196610) + b"user\x00r\x00\x00"
    assert protocol.decode_startup(newer) == Startup(2, {"user": "r"})


@pytest.mark.parametrize(
    ("packet", "sqlstate"),
    [
        (b"\x00", "08P01"),
        (struct.pack("!i", 131072), "0A000"),
        (struct.pack("!i", 196608) + b"user\x00root\x00", "08P01"),
        (struct.pack("!i", 196608) + b"user\x00\xff\x00\x00", "08P01"),
        (struct.pack("!i", 196608), "08P01"),
        (struct.pack("!i", 80877102), "08P01"),
    ],
)
def test_malformed_startup_packets(packet: bytes, sqlstate: str) -> None:
    with pytest.raises(TailraceError) as caught:
        protocol.decode_startup(packet)
    assert caught.value.sqlstate == sqlstate


def test_rows_with_null_empty_and_binary_values() -> None:
    columns = (Column("a"), Column("b"), Column("n", protocol.INT8_OID))
    text = protocol.encode_data_row(["", None, "12"], columns)
    assert text[:1] == b"D"
    assert protocol.decode_data_row(text[5:]) == ["", None, "12"]
    assert protocol.encode_data_row(["ä", None, "12"], columns, (1,)).endswith(struct.pack("!iq", 8, 12))
    assert protocol.encode_data_row(["x", "y", "12"], columns, (0, 0, 1)).endswith(struct.pack("!iq", 8, 12))
    assert protocol.decode_data_row(protocol.encode_data_row([], ())[5:]) == []


def test_row_description_states_formats() -> None:
    message = protocol.encode_row_description((Column("Id", protocol.INT8_OID), Column("Name")), (1,))
    assert message[5:7] == b"\x00\x02"
    assert message.count(b"\x00\x01", 7) == 2  # each column's format


def test_errors_carry_all_fields_and_lose_their_position() -> None:
    message = protocol.encode_error(TailraceError("no", sqlstate="0A000", detail="d", hint="h"), "FATAL")
    assert protocol.decode_fields(message[5:]) == {
        "S": "FATAL",
        "V": "FATAL",
        "C": "0A000",
        "M": "no",
        "D": "d",
        "H": "h",
    }
    body = b"SERROR\x00C42601\x00Mx\x00P17\x00\x00"
    assert protocol.without_fields(body, b"P") == b"SERROR\x00C42601\x00Mx\x00\x00"


def test_bind_formats() -> None:
    values = struct.pack("!hhhi", 1, 1, 2, 3) + b"abc" + struct.pack("!i", -1)
    assert protocol.decode_bind_formats(b"\x00\x00" + values + struct.pack("!hhh", 2, 0, 1), 2) == (2, (0, 1))
    with pytest.raises(TailraceError, match="ends early"):
        protocol.decode_bind_formats(b"\x00\x00\x00", 0)
    with pytest.raises(TailraceError, match="zero byte"):
        protocol.take_cstring(b"abc")
