"""Values whose text differs between PostgreSQL and RisingWave, put right in rows on their way to the client.

By the column's type: the offset of a timestamptz has minutes (`+00:00`), fractions of seconds have 3 or 6 digits, floating
point numbers turn to exponents later. Arrays and rows of such values too. Binary values are told by their form and left alone;
so are values that no statement described. Pure; used by `engine.wire.replies`, for rows of the types below only.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

_INT16 = struct.Struct("!h")
_INT32 = struct.Struct("!i")
_FIELD = struct.Struct("!ihih")
"""Of a RowDescription's column behind its name, table and attribute: type, its length, its modifier, format."""
_FIRST_OWN_OID = 16384
"""Types from here on were made in the database: structs, and arrays of them."""

Fix = Callable[[bytes], bytes]
"""A value's text as RisingWave writes it, given PostgreSQL's."""

_CLOCK_WITHIN = re.compile(
    rb'(?<=[({,":])(\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d|\d\d:\d\d:\d\d)(\.\d+)?([+-]\d\d(?![\d:]))?(?=[+-]\d\d:|[)},"\\]| BC[)},"\\])'
)
_EXPONENT = re.compile(rb"(?<![\w.+-])(-?)(\d)(?:\.(\d+))?e([+-]\d+)(?![\w.])")


def fix_clock(text: bytes) -> bytes:
    """A time, timestamp or timestamptz.

    >>> fix_clock(b"2022-10-01 12:00:00.5-08")
    b'2022-10-01 12:00:00.500-08:00'
    """
    size = len(text)
    if size <= 8:
        return text
    if text.endswith(b" BC"):
        return fix_clock(text[:-3]) + b" BC"
    offset = b""
    if size > 19 and text[-3] in b"+-":
        text, offset = text[:-3], text[-3:] + b":00"
    elif size > 22 and text[-6] in b"+-":
        text, offset = text[:-6], text[-6:]
    elif size > 25 and text[-9] in b"+-":  # local mean time, of which RisingWave leaves the seconds out
        text, offset = text[:-9], text[-9:-3]
    point = text.find(b".")
    if point > 0:
        fraction = len(text) - point - 1
        text = text.ljust(point + (4 if fraction <= 3 else 7), b"0") if fraction != 6 else text
    return text + offset if offset else text


def fix_clocks_within(text: bytes) -> bytes:
    """An array or row that may hold such values.

    >>> fix_clocks_within(b'{"2022-10-01 12:00:00+00",NULL}')
    b'{"2022-10-01 12:00:00+00:00",NULL}'
    >>> fix_clocks_within(b'{at:2022-10-01 12:00:00.5+00}')
    b'{at:2022-10-01 12:00:00.500+00:00}'
    """
    return text if text[:1] not in b"{(" else _CLOCK_WITHIN.sub(_clock, text)


def _clock(match: re.Match[bytes]) -> bytes:
    clock, fraction, offset = match.groups()
    if fraction:
        clock += fraction.ljust(4 if len(fraction) <= 4 else 7, b"0")
    return clock + offset + b":00" if offset else clock


def fix_double(text: bytes) -> bytes:
    """A double precision, or an array of them: plain up to 16 digits before the point and 4 zeros behind it.

    >>> fix_double(b"1e-05"), fix_double(b"1e+15"), fix_double(b"1e+16")
    (b'0.00001', b'1000000000000000', b'1e+16')
    """
    return _EXPONENT.sub(lambda m: _plain(m, 16), text) if b"e" in text else text


def fix_real(text: bytes) -> bytes:
    """A real, or an array of them: likewise, up to 13 digits."""
    return _EXPONENT.sub(lambda m: _plain(m, 13), text) if b"e" in text else text


def _plain(match: re.Match[bytes], most: int) -> bytes:
    sign, first, rest, power = match.groups()
    digits, exponent = first + (rest or b""), int(power)
    if exponent >= most or exponent < -5:
        return match[0]
    if exponent < 0:
        return sign + b"0." + b"0" * (-exponent - 1) + digits
    whole = digits.ljust(exponent + 1, b"0")
    return sign + whole[: exponent + 1] + (b"." + whole[exponent + 1 :] if whole[exponent + 1 :] else b"")


_FIXES: dict[int, Fix] = {
    **dict.fromkeys((1083, 1114, 1184), fix_clock),  # time, timestamp, timestamptz
    **dict.fromkeys((1183, 1115, 1185, 2249, 2287), fix_clocks_within),  # arrays of them, record, record[]
    **dict.fromkeys((701, 1022), fix_double),
    **dict.fromkeys((700, 1021), fix_real),
}


def fixes_of(description: bytes) -> dict[int, Fix]:
    """What to put right in the rows that a RowDescription (its body) announces, by the column's index; often nothing."""
    count = _INT16.unpack_from(description)[0]
    position = 2
    fixes: dict[int, Fix] = {}
    for index in range(count):
        position = (
            description.index(0, position) + 7
        )  # behind the name, the table's oid and the attribute's number
        oid, _length, _modifier, binary = _FIELD.unpack_from(description, position)
        position += 12
        fix = _FIXES.get(oid) or (fix_clocks_within if oid >= _FIRST_OWN_OID else None)
        if fix is not None and not binary:
            fixes[index] = fix
    return fixes


def fixed_row(row: bytes, fixes: dict[int, Fix]) -> bytes:
    """The body of a DataRow with its values put right; the same object when nothing changes."""
    last = max(fixes)
    position = 2
    start = 0
    parts: list[bytes] = []
    for index in range(last + 1):
        length = _INT32.unpack_from(row, position)[0]
        value_at = position + 4
        position = value_at if length < 0 else value_at + length
        fix = fixes.get(index)
        if fix is None or length < 0:
            continue
        value = row[value_at:position]
        fixed = fix(value)
        if fixed != value:
            parts += (row[start : value_at - 4], _INT32.pack(len(fixed)), fixed)
            start = position
    return b"".join((*parts, row[start:])) if parts else row
