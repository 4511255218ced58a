"""What PostgreSQL's errors say, in RisingWave's words where those differ: programs that look for a phrase find it.

One table for all: the SQLSTATE stays, only the message changes, and where PostgreSQL's own wording says more it stays in front.
Pure; used by `engine.wire.replies` for errors on their way to the client.
"""

from __future__ import annotations

import re

_COMPOSED = re.compile(rb'"?rw"?\."?(struct|map)_[0-9a-f]{16}\b"?')

_PHRASES: tuple[tuple[bytes, re.Pattern[bytes], bytes], ...] = tuple(
    (sqlstate, re.compile(pattern), phrase)
    for sqlstate, pattern, phrase in (
        (b"22012", rb"^division by zero$", b"Division by zero"),
        (b"22003", rb"^value out of range: (\w+)$", rb"Numeric out of range: \1"),
        (b"22003", rb"^((?:smallint|integer|bigint) out of range)$", rb"Numeric out of range: \1"),
        (
            b"22P02",
            rb"^(invalid input syntax for type (?:smallint|integer|bigint): .*)$",
            rb"\1: invalid digit found in string",
        ),
        (
            b"22023",
            rb"^(cannot cast jsonb \w+ to type) (?:smallint|integer|bigint|real|double precision|numeric)$",
            rb"\1 number",
        ),
        (
            b"22023",
            rb"^cannot call (jsonb_each\w*) on a (?:non-object|scalar)$",
            rb"cannot deconstruct a non-object by \1",
        ),
        (b"22023", rb'^(\w+\(\) does not support the) "global" (option)$', rb"\1 global \2"),
        (b"22023", rb"^(start|stop|step) size cannot be (NaN|infinity)$", rb"\1 value cannot be \2"),
        (
            b"21000",
            rb"^more than one row returned by a subquery used as an expression$",
            b"Scalar subquery produced more than one row",
        ),
        (
            b"42601",
            rb"^multiple assignments to same column (.*)$",
            rb"multiple assignments to the same column \1",
        ),
        (b"42883", rb"^(function [\w.]+\(\) does not exist)$", rb"\1: unexpected arguments number"),
        (
            b"42804",
            rb'^(column ".*" is of type (.*) but expression is of type (.*))$',
            rb'\1: cannot cast type "\3" to "\2" in Assign context',
        ),
        (
            b"42846",
            rb"^cannot cast type (.*) to (.*)$",
            rb'cannot cast type "\1" to "\2" in Explicit context',
        ),
        (b"42704", rb'^(role "(.*)" does not exist)$', rb"\1: Invalid parameter user: User \2 not found"),
        (
            b"3F000",
            rb'^(schema "(.*)" does not exist)$',
            rb"\1: Invalid parameter schema: schema not found: \2",
        ),
        (b"3D000", rb'^(database "(.*)" does not exist)$', rb"\1: database not found: \2"),
        (b"42703", rb'^(column ".*" not found in) data type struct$', rb"\1 struct type"),
        (b"22023", rb"^(unrecognized privilege type: .*)$", rb"Invalid parameter privilege: \1"),
        (b"22023", rb"^(new bit must be 0 or 1)$", rb"value is invalid, \1"),
        (
            b"55000",
            rb'^cannot (?:insert into|update|delete from) view ("(?:.*)")$',
            rb"cannot change materialized view, view or source \1: a table of that name was not found",
        ),
        (b"42P01", rb'^(relation "(.*)" does not exist)$', rb"\1: table or source not found: \2"),
    )
)

_REFUSALS: tuple[tuple[re.Pattern[bytes], bytes, bytes], ...] = tuple(
    (re.compile(pattern), message, hint)
    for pattern, message, hint in (
        (
            rb"^multidimensional arrays must have array expressions with matching dimensions$"
            rb"|^cannot accumulate (?:arrays of different dimensionality|null arrays|empty arrays)$"
            rb"|^cannot concatenate incompatible arrays$",
            b"an array of arrays that are NULL or of different lengths is not supported",
            b"let structs hold the inner arrays: ARRAY[ROW(ARRAY[1]), ROW(ARRAY[2, 3])]",
        ),
        (
            rb"^cannot subscript type map\b",
            b"a subscript of a map that is no string is not supported",
            b"map_access(map, key)",
        ),
    )
)
"""What PostgreSQL cannot do where RisingWave can: SQLSTATE 0A000 with a message and what to do instead."""

_ADVICE = {
    b"55000": (
        b"cannot change materialized view",
        b"INSERT, UPDATE and DELETE take tables: change what it is made from",
    )
}
"""By SQLSTATE and how the message begins, the hint in place of PostgreSQL's own, which is about rules and triggers of views."""


def rephrased(fields: bytes) -> bytes:
    """The fields of an ErrorResponse with its message in RisingWave's words; the same object where nothing changes.

    >>> rephrased(b"SERROR\\x00C22012\\x00Mdivision by zero\\x00\\x00")
    b'SERROR\\x00C22012\\x00MDivision by zero\\x00\\x00'
    """
    fields = refused(fields)
    parts = fields.split(b"\x00")
    sqlstate = next((part[1:] for part in parts if part[:1] == b"C"), b"")
    for index, part in enumerate(parts):
        if part[:1] == b"M":
            for known, pattern, phrase in _PHRASES:
                if known == sqlstate and pattern.match(part[1:]):
                    parts[index] = b"M" + pattern.sub(phrase, part[1:])
                    return b"\x00".join(_advised(parts, sqlstate, parts[index]))
    return fields


def named_types(text: bytes) -> bytes:
    """Structs and maps by what they are, not by the names that their types have in PostgreSQL; the same object without any.

    >>> named_types(b"cannot cast rw.struct_0123456789abcdef[] to integer")
    b'cannot cast struct[] to integer'
    """
    return _COMPOSED.sub(rb"\1", text) if b"rw." in text else text


def refused(fields: bytes) -> bytes:
    """The fields of an ErrorResponse as a refusal where PostgreSQL says what it cannot do; with types by what they are."""
    fields = named_types(fields)
    parts = fields.split(b"\x00")
    said = next((part[1:] for part in parts if part[:1] == b"M"), b"")
    found = next(((message, hint) for pattern, message, hint in _REFUSALS if pattern.match(said)), None)
    return fields if found is None else _refusal(parts, *found)


def _refusal(parts: list[bytes], message: bytes, hint: bytes) -> bytes:
    kept = [part for part in parts if part[:1] not in (b"C", b"M", b"D", b"H")]
    return b"\x00".join([*kept[:-2], b"C0A000", b"M" + message, b"H" + hint, *kept[-2:]])


def _advised(parts: list[bytes], sqlstate: bytes, message: bytes) -> list[bytes]:
    start, hint = _ADVICE.get(sqlstate, (b"", b""))
    if not hint or not message.startswith(b"M" + start):
        return parts
    kept = [part for part in parts if part[:1] not in (b"D", b"H")]
    at = kept.index(message) + 1
    return [*kept[:at], b"H" + hint, *kept[at:]]
