"""Values as PostgreSQL shows them, for what a map holds: a map is kept as text (`engine/functions/maps.sql`). Pure.

Takes values that binary COPY would take. Follows PostgreSQL's output functions with the engine's settings (UTC, ISO dates,
hex bytea); see its manual, 8.15.6 "Array Input and Output Syntax" and 8.16.6 for the quotes.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from psycopg.types.json import Jsonb

from engine.connectors.intervals import Interval
from engine.connectors.source import SourceSpec

_IN_MAP = re.compile(r'[{}(),:"\\]|^\s|\s$')
_IN_ARRAY = re.compile(r'[{},"\\\s]')
_IN_STRUCT = re.compile(r'[(),"\\\s]')
_TEXTS: Final = ("varchar", "text")


def map_text(entries: Iterable[tuple[Any, Any]], types: tuple[str, str], spec: SourceSpec) -> str:
    """A map from keys and values, both of these types.

    >>> from engine.connectors.formats import Format
    >>> from engine.connectors.source import SourceColumn, source_spec
    >>> options = {"connector": "kafka", "topic": "t", "properties.bootstrap.server": "h:1"}
    >>> spec = source_spec("s", [SourceColumn("a", "integer", "field")], options, Format())
    >>> map_text([("a b", 1.0), ("", None)], ("varchar", "double precision"), spec)
    '{a b:1,"":NULL}'
    """
    shown = (f"{_piece(types[0], k, spec)}:{_piece(types[1], v, spec)}" for k, v in entries)
    return "{" + ",".join(shown) + "}"


def _piece(type_: str, value: Any, spec: SourceSpec) -> str:
    """A key or a value as it stands in a map."""
    text = text_of(type_, value, spec)
    if text is None:
        return "NULL"
    ambiguous = bool(_IN_MAP.search(text)) or text == "" or text.upper() == "NULL"
    quoted = ambiguous if type_ in _TEXTS else text.startswith('"')
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"' if quoted else text


def text_of(type_: str, value: Any, spec: SourceSpec) -> str | None:
    """The text of a value; None for NULL."""
    if value is None:
        return None
    if type_.endswith("[]"):
        return _array(type_.removesuffix("[]"), value, spec)
    if type_ in spec.composites:
        return _struct([kind for _, kind in spec.composites[type_]], value, spec)
    show = _SHOWN.get(type(value))
    if type_ == "real":
        return _real(value)
    return str(value) if show is None else show(value)


def _array(element: str, values: Iterable[Any], spec: SourceSpec) -> str:
    pieces = []
    for value in values:
        text = text_of(element, value, spec)
        if text is None:
            pieces.append("NULL")
        elif not element.endswith("[]") and (text == "" or text.upper() == "NULL" or _IN_ARRAY.search(text)):
            pieces.append('"' + re.sub(r'(["\\])', r"\\\1", text) + '"')
        else:
            pieces.append(text)
    return "{" + ",".join(pieces) + "}"


def _struct(kinds: Iterable[str], values: Iterable[Any], spec: SourceSpec) -> str:
    pieces = []
    for kind, value in zip(kinds, values, strict=True):
        text = text_of(kind, value, spec)
        if text is None:
            pieces.append("")
        elif text == "" or _IN_STRUCT.search(text):
            pieces.append('"' + re.sub(r'(["\\])', r"\1\1", text) + '"')
        else:
            pieces.append(text)
    return "(" + ",".join(pieces) + ")"


def _real(value: float) -> str:
    """The shortest digits that give the same four bytes."""
    if not math.isfinite(value):
        return _special(value)
    wanted = struct.pack(">f", value)
    digits = next(p for p in range(1, 10) if struct.pack(">f", float(f"{value:.{p}g}")) == wanted)
    return _decimal_form(f"{value:.{digits - 1}e}", 6)


def _double(value: float) -> str:
    return _decimal_form(f"{Decimal(repr(value)):e}", 15) if math.isfinite(value) else _special(value)


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _decimal_form(scientific: str, from_exponent: int) -> str:
    """Digits and exponent as PostgreSQL writes a float, whose exponent shows below -4 and from `from_exponent` on.

    >>> _decimal_form("1.50e+2", 15), _decimal_form("1e+15", 15), _decimal_form("1e-5", 15)
    ('150', '1e+15', '1e-05')
    """
    digits, _, exponent = scientific.lower().partition("e")
    number, power = digits.rstrip("0").rstrip(".") if "." in digits else digits, int(exponent or 0)
    if Decimal(digits) == 0:
        return "-0" if digits.startswith("-") else "0"
    if -5 < power < from_exponent:
        return format(Decimal(number).scaleb(power), "f")
    return f"{number}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _seconds(text: str) -> str:
    """Without the zeros behind the last digit of a fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _moment(value: dt.datetime) -> str:
    text = _seconds(value.replace(tzinfo=None).isoformat(" ", "microseconds"))
    return text + "+00" if value.tzinfo is not None else text


def _interval(value: Interval) -> str:
    years, months = divmod(abs(value.months), 12)
    sign = -1 if value.months < 0 else 1
    units = ((sign * years, "year"), (sign * months, "mon"), (value.days, "day"))
    parts = [f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in units if n]
    if value.us or not parts:
        seconds, us = divmod(abs(value.us), 1_000_000)
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        parts.append(("-" if value.us < 0 else "") + _seconds(f"{clock}.{us:06d}"))
    return " ".join(parts)


def _document(value: Jsonb) -> str:
    return json.dumps(json.loads(value.obj), ensure_ascii=False)


_SHOWN: Final[Mapping[type, Callable[[Any], str]]] = {
    bool: lambda v: "t" if v else "f",
    float: _double,
    bytes: lambda v: "\\x" + v.hex(),
    Decimal: lambda v: format(v, "f"),
    dt.datetime: _moment,
    dt.time: lambda v: _seconds(v.isoformat("microseconds")),
    Interval: _interval,
    Jsonb: _document,
}
