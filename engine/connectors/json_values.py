"""From JSON values to values that PostgreSQL's binary COPY takes: one function a column type.

Each takes what orjson made of one field (never None) and returns the value, or raises one of `UNFIT`: the
caller then stores NULL and counts it. The rules are RisingWave's for FORMAT PLAIN ENCODE JSON (its
`JsonParseOptions::DEFAULT`): numbers also as strings, varchar also from numbers and booleans, boolean
strictly, timestamps from ISO strings or from numbers whose size tells the unit. What PostgreSQL cannot hold
is unfit too: a NUL character in text or jsonb, numbers out of range, years outside 1-9999. Integers beyond 64
bits arrive as double precision (orjson). Used by decode.py only.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any, Final

import orjson
from psycopg.types.json import Jsonb

from engine.connectors.intervals import Interval, read_interval
from engine.connectors.source import Composites

Convert = Callable[[Any], object]

UNFIT: Final = (ValueError, TypeError, OverflowError, ArithmeticError, RecursionError)
"""What a converter raises for a value that its type cannot hold (orjson's errors are TypeError and
ValueError).
"""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")
_SPECIAL = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_ESCAPES = re.compile(rb"\\(\\|[0-3][0-7][0-7])")
_ESCAPED = re.compile(rb"([^\\]|\\\\|\\[0-3][0-7][0-7])*", re.DOTALL)
_REAL_MAX = 3.4028234663852886e38
_NUMERIC_BOUND = Decimal(2**96)  # RisingWave's decimal: 96 bits and at most 28 places
_SMALLEST_PLACE = Decimal(1).scaleb(-28)
_PRECISE = Context(prec=60)
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _unfit(value: object, wanted: str) -> ValueError:
    return ValueError(f"{type(value).__name__} does not fit {wanted}")


def integer_within(low: int, high: int) -> Convert:
    """A whole JSON number, or a string of one, from low to high."""

    def convert(value: Any) -> int:
        if type(value) is str and _INTEGER.fullmatch(value):
            value = int(value)
        if type(value) is int and low <= value <= high:
            return value
        raise _unfit(value, f"integer {low}..{high}")

    return convert


def _double(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int or (type(value) is str and (_NUMBER.fullmatch(value) or _SPECIAL.fullmatch(value))):
        return float(value)
    raise _unfit(value, "double precision")


def _real(value: Any) -> float:
    number = _double(value)
    if -_REAL_MAX <= number <= _REAL_MAX or (type(value) is str and _SPECIAL.fullmatch(value)):
        return number
    raise _unfit(value, "real")


def _numeric(value: Any) -> Decimal:
    if type(value) is str:
        if _SPECIAL.fullmatch(value):
            return Decimal(value.lstrip("+-")) if value[-1] in "nN" else Decimal(value)
        if not _NUMBER.fullmatch(value):
            raise _unfit(value, "numeric")
        number = Decimal(value)
    elif type(value) is int:
        return Decimal(value)
    elif type(value) is float:
        number = Decimal(repr(value))
    else:
        raise _unfit(value, "numeric")
    if number.adjusted() > 28 or number.copy_abs() >= _NUMERIC_BOUND:
        raise _unfit(value, "numeric of 96 bits")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -28:
        return number.quantize(_SMALLEST_PLACE, context=_PRECISE)
    return number


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise _unfit(value, "boolean")


def _varchar(value: Any) -> str:
    if type(value) is str:
        if "\0" in value:
            raise _unfit(value, "varchar without NUL")
        return value
    if type(value) in (bool, int, float):
        return orjson.dumps(value).decode()
    raise _unfit(value, "varchar")


def _bytea(value: Any) -> bytes:
    if type(value) is not str:
        raise _unfit(value, "bytea")
    if value.startswith("\\x"):
        return bytes.fromhex(value[2:])
    raw = value.encode()
    if b"\\" not in raw:
        return raw
    if not _ESCAPED.fullmatch(raw):
        raise _unfit(value, "bytea's escape format")
    return _ESCAPES.sub(lambda m: b"\\" if m[1] == b"\\" else bytes((int(m[1], 8),)), raw)


def json_document(value: Any) -> Jsonb:
    """Any JSON value as jsonb: written out once here, so that COPY only passes bytes on."""
    text = orjson.dumps(value)
    if b"\\u0000" in text and _holds_nul(value):
        raise _unfit(value, "jsonb without NUL")
    return Jsonb(text, dumps=as_it_is)


def as_it_is(text: bytes) -> bytes:
    """For Jsonb: the document is written out already."""
    return text


def _holds_nul(value: Any) -> bool:
    if type(value) is str:
        return "\0" in value
    if type(value) is dict:
        return any("\0" in key or _holds_nul(each) for key, each in value.items())
    return type(value) is list and any(_holds_nul(each) for each in value)


def moment_of_text(text: str) -> dt.datetime:
    """An ISO 8601 date and time in extended form; Python's own parser takes more (basic form, week dates)
    than is meant.
    """
    if len(text) < 16 or text[4] != "-" or text[7] != "-" or text[10] not in "Tt _" or text[13] != ":":
        raise _unfit(text, "YYYY-MM-DD HH:MM:SS")
    return dt.datetime.fromisoformat(text[:-1] + "Z" if text[-1] == "z" else text)


def moment_of_number(number: int) -> dt.datetime:
    """Unix time in s below 1e11, ms below 1e14, us below 1e17, ns above; negative is unfit. As RisingWave
    guesses it.
    """
    if number < 0:
        raise _unfit(number, "Unix time")
    if number < 100_000_000_000:
        return _EPOCH + dt.timedelta(seconds=number)
    if number < 100_000_000_000_000:
        return _EPOCH + dt.timedelta(milliseconds=number)
    if number < 100_000_000_000_000_000:
        return _EPOCH + dt.timedelta(microseconds=number)
    return _EPOCH + dt.timedelta(microseconds=number // 1000)


def _timestamptz(value: Any) -> dt.datetime:
    if type(value) is str:
        moment = moment_of_text(value)
        if moment.tzinfo is dt.UTC:
            return moment
        if moment.tzinfo is None:
            raise _unfit(value, "timestamptz: no offset and no Z")
        return moment.astimezone(dt.UTC)
    if type(value) is int:
        return moment_of_number(value)
    raise _unfit(value, "timestamptz")


def _timestamp(value: Any) -> dt.datetime:
    """As `_timestamptz`, but the wall clock as written: an offset is dropped, a date alone is its
    midnight.
    """
    if type(value) is str:
        return (
            dt.datetime.combine(_date(value), dt.time())
            if len(value) == 10
            else moment_of_text(value).replace(tzinfo=None)
        )
    if type(value) is int:
        return moment_of_number(value).replace(tzinfo=None)
    raise _unfit(value, "timestamp")


def _date(value: Any) -> dt.date:
    if type(value) is str and len(value) == 10 and value[4] == value[7] == "-":
        return dt.date.fromisoformat(value)
    if type(value) is int:
        return dt.date.fromordinal(_EPOCH_DAY + value)
    raise _unfit(value, "date YYYY-MM-DD or days since 1970")


def _time(value: Any) -> dt.time:
    if type(value) is str and value[2:3] == ":":
        parsed = dt.time.fromisoformat(value.rstrip("Z"))
        if parsed.tzinfo is None:
            return parsed
    if type(value) is int and 0 <= value < 86_400_000_000:
        return (_EPOCH + dt.timedelta(microseconds=value)).time()
    raise _unfit(value, "time HH:MM:SS or microseconds of the day")


def _interval(value: Any) -> Interval:
    if type(value) is str:
        found = read_interval(value)
        if abs(found.months) < 2**31 and abs(found.days) < 2**31 and abs(found.us) < 2**63:
            return found
    raise _unfit(value, "interval, PostgreSQL's text or ISO 8601's")


CONVERTERS: Final[dict[str, Convert]] = {
    "smallint": integer_within(-(2**15), 2**15 - 1),
    "integer": integer_within(-(2**31), 2**31 - 1),
    "bigint": integer_within(-(2**63), 2**63 - 1),
    "real": _real,
    "double precision": _double,
    "numeric": _numeric,
    "boolean": _boolean,
    "varchar": _varchar,
    "text": _varchar,
    "bytea": _bytea,
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
    "date": _date,
    "time": _time,
    "interval": _interval,
    "jsonb": json_document,
}


def converter(type_: str, composites: Composites, rules: Mapping[str, Convert] = CONVERTERS) -> Convert:
    """The function of a type: a scalar, an array of one (`integer[]`), or a struct, of which a JSON object becomes a tuple.

    An array or a struct with something unfit within is unfit as a whole, as in RisingWave; a field that is missing is NULL.
    Arrays of arrays have the type of their arrays, and fit where those are of one length.
    """
    if type_.endswith("[]"):
        element = type_.removesuffix("[]")
        return array_of(converter(element, composites, rules), nests=element != "jsonb")
    if type_ in composites:
        return _struct([(name, converter(kind, composites, rules)) for name, kind in composites[type_]])
    return rules[type_]


def array_of(element: Convert, *, nests: bool) -> Convert:
    """The function of an array; `nests`: a list within is an array too, and no element."""

    def convert(value: Any) -> list[object]:
        if type(value) is not list:
            raise _unfit(value, "array")
        if nests and any(type(each) is list for each in value):
            parts = [convert(each) for each in value]
            if len({_shape(part) for part in parts}) > 1 or not parts[0]:
                raise _unfit(value, "array of arrays of one length")
            return list(parts)
        return [None if each is None else element(each) for each in value]

    return convert


def _shape(array: Sequence[object]) -> tuple[int, ...]:
    """How many elements an array has, and those within it."""
    inner = array[0] if array else None
    return (len(array), *_shape(inner)) if isinstance(inner, list) else (len(array),)


def _struct(fields: Sequence[tuple[str, Convert]]) -> Convert:
    def convert(value: Any) -> tuple[object, ...]:
        if type(value) is str:
            value = orjson.loads(value)  # a document in a string
        if type(value) is not dict:
            raise _unfit(value, "struct")
        found = [member(value, name) for name, _ in fields]
        return tuple(
            None if each is None else convert_field(each)
            for each, (_, convert_field) in zip(found, fields, strict=True)
        )

    return convert


def member(fields: dict[str, Any], name: str, default: Any = None) -> Any:
    """A field of a JSON object: the exact name wins, else the first that differs only in (ASCII) case, else `default`."""
    if name in fields:
        return fields[name]
    folded = name.lower()
    for key, value in fields.items():
        if len(key) == len(name) and key.isascii() and key.lower() == folded:
            return value
    return default
