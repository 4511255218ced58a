"""PostgreSQL's wire protocol, version 3.0, as values: what the relay reads (`decode_`) and what it says
itself (`encode_`).

Pure: bytes in, values out. Assumes UTF-8 throughout (the only client encoding RisingWave knows). Message
names and field letters are those of the PostgreSQL manual, "Message Formats" and "Error and Notice Message
Fields". Used by every other module of the front door; nothing here knows about sockets or sessions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.wire.phrases import refused
from tailrace.errors import TailraceError

PROTOCOL_3_0 = 196608
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102

MAX_STARTUP_BYTES = 10_000
"""PostgreSQL's own limit for a start-up packet."""
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Longest message that a client may send (a statement's text, or the parameters of one execution)."""

TEXT_OID = 25
VARCHAR_OID = 1043
INT8_OID = 20
_TYPE_LENGTHS = {INT8_OID: 8, 16: 1, 23: 4}

AUTHENTICATION_OK = b"R\x00\x00\x00\x08\x00\x00\x00\x00"
PARSE_COMPLETE = b"1\x00\x00\x00\x04"
BIND_COMPLETE = b"2\x00\x00\x00\x04"
CLOSE_COMPLETE = b"3\x00\x00\x00\x04"
NO_DATA = b"n\x00\x00\x00\x04"
NO_PARAMETERS = b"t\x00\x00\x00\x06\x00\x00"
EMPTY_QUERY_RESPONSE = b"I\x00\x00\x00\x04"
SYNC = b"S\x00\x00\x00\x04"

_INT32 = struct.Struct("!i")
_INT16 = struct.Struct("!h")


@dataclass(frozen=True, slots=True)
class Startup:
    """The first packet of a connection that asks for nothing special: parameters by name."""

    minor_version: int
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Cancel:
    """CancelRequest: what BackendKeyData of another connection said."""

    process_id: int
    secret: bytes


@dataclass(frozen=True, slots=True)
class Encryption:
    """SSLRequest (`tls`) or GSSENCRequest."""

    tls: bool


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a row description; everything the relay says itself is text, varchar or bigint."""

    name: str
    type_oid: int = VARCHAR_OID


def protocol_violation(message: str) -> TailraceError:
    """The client does not speak the protocol: the connection cannot go on."""
    return TailraceError(
        message, sqlstate="08P01", hint="check that the client speaks PostgreSQL's protocol 3.0"
    )


def encode(kind: bytes, body: bytes = b"") -> bytes:
    """One message: type byte, length (which counts itself), body."""
    return kind + _INT32.pack(len(body) + 4) + body


def encode_startup(parameters: dict[str, str]) -> bytes:
    """StartupMessage for protocol 3.0."""
    body = _INT32.pack(PROTOCOL_3_0)
    for name, value in parameters.items():
        body += name.encode() + b"\x00" + value.encode() + b"\x00"
    body += b"\x00"
    return _INT32.pack(len(body) + 4) + body


def encode_cancel(cancel: Cancel) -> bytes:
    """CancelRequest."""
    body = _INT32.pack(CANCEL_REQUEST) + _INT32.pack(cancel.process_id) + cancel.secret
    return _INT32.pack(len(body) + 4) + body


def decode_startup(packet: bytes) -> Startup | Cancel | Encryption:
    """Read the first packet, its length word already taken off. Raises TailraceError (08P01, 0A000) if it is malformed.

    >>> decode_startup(b"\\x00\\x03\\x00\\x00user\\x00root\\x00\\x00")
    Startup(minor_version=0, parameters={'user': 'root'})
    """
    if len(packet) < 4:
        raise protocol_violation(f"start-up packet of {len(packet)} bytes, wanted at least 4")
    code = _INT32.unpack_from(packet)[0]
    if code in {SSL_REQUEST, GSSENC_REQUEST}:
        return Encryption(tls=code == SSL_REQUEST)
    if code == CANCEL_REQUEST:
        if not 12 <= len(packet) <= 264:
            raise protocol_violation(f"cancel request of {len(packet)} bytes, wanted 12 to 264")
        return Cancel(_INT32.unpack_from(packet, 4)[0], packet[8:])
    if code >> 16 != 3:
        raise TailraceError(
            f"protocol version {code >> 16}.{code & 0xFFFF} is not supported, wanted 3.0",
            sqlstate="0A000",
            hint="connect with a client that speaks PostgreSQL's protocol 3.0",
        )
    try:
        texts = packet[4:].decode().split("\x00")
    except UnicodeDecodeError as error:
        raise protocol_violation(f"start-up parameters are not UTF-8: {error}") from None
    if len(texts) < 2 or texts[-1] or texts[-2] or len(texts) % 2:
        raise protocol_violation("start-up parameters do not end where they should")
    return Startup(code & 0xFFFF, dict(zip(texts[:-2:2], texts[1:-2:2], strict=True)))


def encode_negotiate_version(unknown_options: Sequence[str]) -> bytes:
    """NegotiateProtocolVersion: the newest minor version is 0, and these `_pq_.` options are not known."""
    body = _INT32.pack(PROTOCOL_3_0) + _INT32.pack(len(unknown_options))
    return encode(b"v", body + b"".join(name.encode() + b"\x00" for name in unknown_options))


def encode_parameter_status(name: str, value: str) -> bytes:
    return encode(b"S", name.encode() + b"\x00" + value.encode() + b"\x00")


def decode_parameter_status(body: bytes) -> tuple[str, str]:
    name, value, _ = body.split(b"\x00", 2)
    return name.decode(), value.decode()


def encode_ready(status: int) -> bytes:
    """ReadyForQuery; `status` is the byte I (idle), T (in a transaction) or E (in a failed one)."""
    return b"Z\x00\x00\x00\x05" + bytes((status,))


def encode_query(sql: str | bytes) -> bytes:
    return encode(b"Q", (sql if isinstance(sql, bytes) else sql.encode()) + b"\x00")


def encode_parse(name: bytes, sql: bytes, rest: bytes) -> bytes:
    """Parse; `rest` holds the parameter types as they came (count and OIDs)."""
    return encode(b"P", name + b"\x00" + sql + b"\x00" + rest)


def encode_copy_fail(reason: str) -> bytes:
    """CopyFail: PostgreSQL gives the COPY up and says why (SQLSTATE 57014)."""
    return encode(b"f", reason.encode() + b"\x00")


def encode_command_complete(tag: str) -> bytes:
    return encode(b"C", tag.encode() + b"\x00")


def encode_row_description(columns: Sequence[Column], formats: Sequence[int] = ()) -> bytes:
    """RowDescription; `formats` as in Bind: none for text, one for all columns, or one for each."""
    body = _INT16.pack(len(columns))
    for index, column in enumerate(columns):
        length = _TYPE_LENGTHS.get(column.type_oid, -1)
        body += column.name.encode() + b"\x00"
        body += struct.pack("!ihihih", 0, 0, column.type_oid, length, -1, column_format(formats, index))
    return encode(b"T", body)


def encode_data_row(
    row: Sequence[str | None], columns: Sequence[Column], formats: Sequence[int] = ()
) -> bytes:
    """DataRow of values given as text; bigint is sent in binary where Bind asked so (text types look alike in both)."""
    parts = [_INT16.pack(len(row))]
    for index, value in enumerate(row):
        if value is None:
            parts.append(b"\xff\xff\xff\xff")
            continue
        if column_format(formats, index) == 1 and columns[index].type_oid == INT8_OID:
            data = struct.pack("!q", int(value))
        else:
            data = value.encode()
        parts += (_INT32.pack(len(data)), data)
    return encode(b"D", b"".join(parts))


def column_format(formats: Sequence[int], index: int) -> int:
    """0 (text) or 1 (binary) for the column at `index`, by Bind's rules."""
    if not formats:
        return 0
    return formats[0] if len(formats) == 1 else formats[index] if index < len(formats) else 0


def decode_data_row(body: bytes) -> list[str | None]:
    """Values of a DataRow in text format."""
    count = _INT16.unpack_from(body)[0]
    row: list[str | None] = []
    position = 2
    for _ in range(count):
        length = _INT32.unpack_from(body, position)[0]
        position += 4
        if length < 0:
            row.append(None)
            continue
        row.append(body[position : position + length].decode())
        position += length
    return row


def decode_column_names(body: bytes) -> list[str]:
    """The names in a RowDescription."""
    position, names = 2, []
    for _ in range(_INT16.unpack_from(body)[0]):
        end = body.index(0, position)
        names.append(body[position:end].decode())
        position = end + 19  # the table's oid, the attribute's number, type, length, modifier and format
    return names


def encode_error(error: TailraceError, severity: str = "ERROR") -> bytes:
    """ErrorResponse; severity FATAL means that the connection ends with it."""
    fields = _encode_fields(severity, error.sqlstate, error.message, error.detail, error.hint)
    return encode(b"E", refused(fields))


def encode_notice(message: str, severity: str = "NOTICE", sqlstate: str = "00000") -> bytes:
    return encode(b"N", _encode_fields(severity, sqlstate, message, None, None))


def _encode_fields(severity: str, sqlstate: str, message: str, detail: str | None, hint: str | None) -> bytes:
    fields: Iterable[tuple[str, str | None]] = (
        ("S", severity),
        ("V", severity),
        ("C", sqlstate),
        ("M", message),
        ("D", detail),
        ("H", hint),
    )
    return b"".join(f"{k}{v}".encode() + b"\x00" for k, v in fields if v is not None) + b"\x00"


def decode_fields(body: bytes) -> dict[str, str]:
    """Fields of an ErrorResponse or NoticeResponse by their letter."""
    texts = (part.decode(errors="replace") for part in body.split(b"\x00") if part)
    return {text[0]: text[1:] for text in texts}


def without_fields(body: bytes, letters: bytes) -> bytes:
    """Error fields without those of the given letters, such as P: position in the statement.

    >>> without_fields(b"SERROR\\x00P7\\x00\\x00", b"P")
    b'SERROR\\x00\\x00'
    """
    return (
        b"".join(part + b"\x00" for part in body.split(b"\x00") if part and part[:1] not in letters) + b"\x00"
    )


def naming(body: bytes, storage: str, relation: str) -> bytes:
    """Error fields that speak of `relation` in schema public where PostgreSQL spoke of its table `storage` in schema engine.

    >>> naming(b"Mnull value in column \\"a\\" of relation \\"table_7\\"\\x00WCOPY table_7, line 1\\x00\\x00", "table_7", "t")
    b'Mnull value in column "a" of relation "t"\\x00WCOPY t, line 1\\x00\\x00'
    """
    old, new = storage.encode(), relation.encode()
    fields = body.split(b"\x00")
    for index, part in enumerate(fields):
        if part == b"t" + old:
            fields[index] = b"t" + new
        elif part == b"sengine":
            fields[index] = b"spublic"
        elif part[:1] == b"W":
            fields[index] = part.replace(b"COPY " + old + b",", b"COPY " + new + b",")
        elif part[:1] == b"M":
            for written in (old, b"engine." + old):
                part = part.replace(b'"' + written + b'"', b'"' + new + b'"')
            fields[index] = part
    return b"\x00".join(fields)


def take_cstring(body: bytes, position: int = 0) -> tuple[bytes, int]:
    """The zero-terminated string at `position`, and where the next field starts. Raises TailraceError if it has no end."""
    end = body.find(b"\x00", position)
    if end < 0:
        raise protocol_violation("a string in a message has no terminating zero byte")
    return body[position:end], end + 1


def decode_bind_formats(body: bytes, position: int) -> tuple[int, tuple[int, ...]]:
    """Number of parameters and the result formats of a Bind, from the end of its two names on."""
    try:
        (count,) = _INT16.unpack_from(body, position)
        position += 2 + 2 * count
        (parameters,) = _INT16.unpack_from(body, position)
        position += 2
        for _ in range(parameters):
            (length,) = _INT32.unpack_from(body, position)
            position += 4 + max(length, 0)
        (count,) = _INT16.unpack_from(body, position)
        return parameters, struct.unpack_from(f"!{count}h", body, position + 2)
    except struct.error:
        raise protocol_violation("a Bind message ends early") from None
