"""The protocol spoken by hand: odd frames, other orders of messages than drivers use, clients that misbehave."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from engine.wire.protocol import (
    MAX_MESSAGE_BYTES,
    SYNC,
    Cancel,
    decode_fields,
    encode,
    encode_cancel,
    encode_query,
    encode_startup,
)
from tests.clients.relay import FakeFlow, Relay

Message = tuple[bytes, bytes]


class Wire:
    """A socket and the messages that come out of it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._stream = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> Message:
        header = self._stream.read(5)
        if not header:
            raise EOFError
        return header[:1], self._stream.read(struct.unpack("!i", header[1:])[0] - 4)

    def until_ready(self) -> list[Message]:
        messages = [self.read()]
        while messages[-1][0] != b"Z":
            messages.append(self.read())
        return messages

    def kinds(self) -> bytes:
        return b"".join(kind for kind, _ in self.until_ready())

    def log_in(self, database: str, **parameters: str) -> list[Message]:
        self.send(encode_startup({"user": "root", "database": database, **parameters}))
        return self.until_ready()

    def ended(self) -> dict[str, str]:
        """The fields of the FATAL error that ends the connection."""
        kind, body = self.read()
        assert kind == b"E"
        with pytest.raises((EOFError, ConnectionResetError)):
            self.read()
        return decode_fields(body)

    def close(self) -> None:
        self._stream.close()
        self.socket.close()


@pytest.fixture
def raw(relay: Relay) -> Iterator[Wire]:
    wire = Wire(relay.port)
    yield wire
    wire.close()


@pytest.fixture
def wire(raw: Wire, relay: Relay) -> Wire:
    raw.log_in(relay.database)
    return raw


def parse(name: str, sql: str) -> bytes:
    return encode(b"P", f"{name}\0{sql}\0".encode() + b"\0\0")


def bind(portal: str, name: str, parameters: tuple[bytes | None, ...] = ()) -> bytes:
    values = b"".join(
        b"\xff\xff\xff\xff" if value is None else struct.pack("!i", len(value)) + value
        for value in parameters
    )
    return encode(
        b"B", f"{portal}\0{name}\0".encode() + struct.pack("!hh", 0, len(parameters)) + values + b"\0\0"
    )


def describe(kind: str, name: str) -> bytes:
    return encode(b"D", f"{kind}{name}\0".encode())


def execute(portal: str) -> bytes:
    return encode(b"E", f"{portal}\0".encode() + b"\0\0\0\0")


def close(kind: str, name: str) -> bytes:
    return encode(b"C", f"{kind}{name}\0".encode())


def test_encryption_is_declined_and_bytes_may_come_one_by_one(raw: Wire, relay: Relay) -> None:
    for code in (80877103, 80877104):
        raw.send(struct.pack("!ii", 8, code))
        assert raw.socket.recv(1) == b"N"
    for byte in encode_startup({"user": "root", "database": relay.database}) + encode_query("SELECT 'ä'"):
        raw.send(bytes((byte,)))
    greeting = raw.until_ready()
    assert greeting[0] == (b"R", b"\0\0\0\0")
    assert (b"S", b"server_version\x0013.14.0\0") in greeting
    assert raw.kinds() == b"TDCZ"


def test_newer_minor_version_is_negotiated(raw: Wire, relay: Relay) -> None:
    packet = bytearray(encode_startup({"user": "root", "database": relay.database, "_pq_.new": "1"}))
    packet[7] = 2
    raw.send(bytes(packet))
    assert raw.until_ready()[0] == (b"v", struct.pack("!ii", 196608, 1) + b"_pq_.new\0")


def test_everything_in_one_packet(raw: Wire, relay: Relay) -> None:
    startup = encode_startup({"user": "root", "database": relay.database})
    raw.send(
        startup
        + encode_query("SELECT 1")
        + encode_query("SELECT * FROM nothing; SELECT 2")
        + encode_query("")
    )
    raw.until_ready()
    assert raw.kinds() == b"TDCZ"
    assert raw.kinds() == b"EZ"
    assert raw.kinds() == b"IZ"


@pytest.mark.parametrize(
    ("data", "sqlstate"),
    [
        (struct.pack("!i", 7), "08P01"),
        (struct.pack("!i", 1_000_000), "08P01"),
        (b"GET / HTTP/1.1\r\n\r\n", "08P01"),
        (struct.pack("!ii", 8, 131072), "0A000"),
        (encode_startup({"user": "root", "database": "nowhere"}), "3D000"),
        (encode_startup({"database": "dev"}), "28000"),
    ],
)
def test_start_that_cannot_be(raw: Wire, data: bytes, sqlstate: str) -> None:
    raw.send(data)
    assert raw.ended()["C"] == sqlstate


@pytest.mark.parametrize(
    ("data", "sqlstate"),
    [
        (b"Q" + struct.pack("!i", 3), "08P01"),
        (b"Q" + struct.pack("!i", -5), "08P01"),
        (b"Q" + struct.pack("!i", MAX_MESSAGE_BYTES + 1), "54000"),
        (b"!" + struct.pack("!i", 4), "08P01"),
        (encode(b"P", b"no end"), "08P01"),
    ],
)
def test_broken_frames_end_the_connection(wire: Wire, data: bytes, sqlstate: str) -> None:
    wire.send(data)
    assert wire.ended()["C"] == sqlstate


def test_text_that_is_not_utf8(wire: Wire) -> None:
    wire.send(encode(b"Q", b"SELECT '\xff'\0"))
    messages = wire.until_ready()
    assert decode_fields(messages[0][1])["C"] == "22021"
    wire.send(encode(b"P", b"\0SELECT '\xff'\0\0\0") + SYNC)
    assert wire.kinds() == b"EZ"


def test_commands_in_the_extended_protocol_by_hand(wire: Wire, flow: FakeFlow) -> None:
    flow.on(
        "EXPLAIN", {"tag": "EXPLAIN", "columns": [{"name": "QUERY PLAN", "type_oid": 25}], "rows": [["p"]]}
    )
    explain = "EXPLAIN CREATE VIEW v AS SELECT 1;"
    wire.send(
        parse("s", explain) + describe("S", "s") + parse("q", "SELECT $1::int")
        + bind("p", "s") + bind("", "q", (b"7",)) + describe("P", "p") + execute("p") + close("P", "p")
        + bind("", "q", (None,)) + execute("") + SYNC
    )  # fmt: skip
    assert wire.kinds() == b"1tT1" + b"22TDC3" + b"2DCZ"
    wire.send(bind("", "s") + execute("") + close("S", "s") + SYNC)
    assert wire.kinds() == b"2DC3Z"
    wire.send(bind("", "s") + SYNC)
    assert wire.kinds() == b"EZ"  # closed: PostgreSQL does not know it either
    wire.send(
        parse("", "CREATE TABLE t (a int)") + describe("S", "") + bind("", "", (b"1",)) + execute("") + SYNC
    )
    assert wire.kinds() == b"1tnEZ"
    wire.send(parse("", "CREATE TABLE t (a int)") + parse("", "SELECT 1") + bind("", "") + execute("") + SYNC)
    assert wire.kinds() == b"112DCZ"
    assert [request["sql"] for request in flow.requests] == [explain[:-1]] * 2


def test_simple_query_after_unsynced_messages(wire: Wire) -> None:
    wire.send(parse("", "SELECT 1") + bind("", "") + execute("") + encode_query("SELECT 2"))
    assert wire.kinds() == b"12DC" + b"TDCZ"


def test_flush_message_brings_answers_without_sync(wire: Wire) -> None:
    wire.send(parse("", "SELECT 1") + bind("", "") + execute("") + encode(b"H"))
    assert [wire.read()[0] for _ in range(4)] == [b"1", b"2", b"D", b"C"]
    wire.send(SYNC)
    assert wire.kinds() == b"Z"


def test_suspended_portals(wire: Wire) -> None:
    two = encode(b"E", b"\0" + struct.pack("!i", 2))
    wire.send(parse("", "SELECT generate_series(1, 3)") + bind("", "") + two + two + SYNC)
    assert wire.kinds() == b"12DDsDCZ"


def test_function_calls_are_refused_and_stray_copy_data_ignored(wire: Wire) -> None:
    wire.send(encode(b"F", b"\0\0\0\0\0\0\0\0\0\0") + SYNC)
    messages = wire.until_ready()
    assert decode_fields(messages[0][1])["C"] == "0A000"
    wire.send(encode(b"d", b"data") + encode(b"c") + encode_query("SELECT 1"))
    assert wire.kinds() == b"TDCZ"


def test_multiple_statements_cannot_be_smuggled_through_parse(wire: Wire, flow: FakeFlow) -> None:
    wire.send(parse("", "SELECT 1; DROP TABLE t") + SYNC)
    messages = wire.until_ready()
    assert decode_fields(messages[0][1])["C"] == "42601"
    assert not flow.requests


def test_cancel_requests_with_wrong_keys_do_nothing(wire: Wire, relay: Relay) -> None:
    other = Wire(relay.port)
    other.send(encode_cancel(Cancel(1, b"\0\0\0\1")))
    with pytest.raises(EOFError):
        other.read()
    other.close()
    wire.send(encode_query("SELECT 1"))
    assert wire.kinds() == b"TDCZ"


def test_client_that_sends_far_ahead_is_held_back(wire: Wire, flow: FakeFlow) -> None:
    """Pipelined work of more bytes than the relay keeps, behind a command: nothing is lost, everything in order."""
    rounds = 200
    filler = "x" * 20_000
    batch = b"".join(
        parse("", "CREATE TABLE t (a int)") + bind("", "") + execute("")
        + parse("", f"SELECT {number} /* {filler} */") + bind("", "") + execute("") + SYNC
        for number in range(rounds)
    )  # fmt: skip
    wire.socket.setblocking(True)
    wire.send(batch)
    for number in range(rounds):
        messages = wire.until_ready()
        assert b"".join(kind for kind, _ in messages) == b"12C12DCZ"
        assert messages[5][1].endswith(str(number).encode())
    assert len(flow.requests) == rounds


def test_client_that_vanishes_ends_its_postgresql_session(raw: Wire, relay: Relay) -> None:
    raw.log_in(relay.database, application_name="vanishing")
    raw.send(encode_query("SELECT 1"))
    raw.until_ready()
    raw.close()
    watcher = Wire(relay.port)
    watcher.log_in(relay.database)
    for _ in range(200):
        watcher.send(
            encode_query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vanishing'")
        )
        if watcher.until_ready()[1][1].endswith(b"0"):
            break
    else:
        pytest.fail("the session of a client that has gone is still there")
    watcher.close()


def test_client_that_does_not_read_stops_postgresql_not_fills_the_relay(relay: Relay) -> None:
    slow, watcher = Wire(relay.port), Wire(relay.port)
    slow.log_in(relay.database, application_name="slow")
    watcher.log_in(relay.database)
    rows = 60_000
    slow.send(encode_query(f"SELECT repeat('x', 1000) FROM generate_series(1, {rows})"))
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'slow' AND wait_event = 'ClientWrite'"
    )
    for _ in range(500):
        watcher.send(encode_query(waiting))
        if watcher.until_ready()[1][1].endswith(b"1"):
            break
    else:
        pytest.fail("PostgreSQL was never held back")
    assert max(connection.unsent_bytes for connection in relay.server.connections) < 2_000_000
    assert slow.kinds() == b"T" + b"D" * rows + b"CZ"
    slow.close()
    watcher.close()
