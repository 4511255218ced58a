"""Intervals in messages: PostgreSQL's and ISO 8601's text, as RisingWave reads it, to what binary COPY takes.

A month has no length, so that an interval is three numbers (Python's timedelta has no months). Used by `json_values`, and by
`engine.flow.source_input`, which teaches a cursor to write them.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

_US: Final = 1_000_000
_UNITS: Final[dict[str, tuple[int, int, int]]] = {
    "y": (12, 0, 0),
    "yr": (12, 0, 0),
    "yrs": (12, 0, 0),
    "year": (12, 0, 0),
    "years": (12, 0, 0),
    "mon": (1, 0, 0),
    "mons": (1, 0, 0),
    "month": (1, 0, 0),
    "months": (1, 0, 0),
    "d": (0, 1, 0),
    "day": (0, 1, 0),
    "days": (0, 1, 0),
    "h": (0, 0, 3600 * _US),
    "hr": (0, 0, 3600 * _US),
    "hrs": (0, 0, 3600 * _US),
    "hour": (0, 0, 3600 * _US),
    "hours": (0, 0, 3600 * _US),
    "m": (0, 0, 60 * _US),
    "min": (0, 0, 60 * _US),
    "mins": (0, 0, 60 * _US),
    "minute": (0, 0, 60 * _US),
    "minutes": (0, 0, 60 * _US),
    "s": (0, 0, _US),
    "sec": (0, 0, _US),
    "secs": (0, 0, _US),
    "second": (0, 0, _US),
    "seconds": (0, 0, _US),
}
"""Months, days and microseconds of one of each."""
_PART = re.compile(
    r"\s*(?:(?P<sign>[+-]?)(?P<h>\d{1,8}):(?P<m>\d\d)(?::(?P<s>\d\d(?:\.\d{1,9})?))?|(?P<n>[+-]?\d{1,12}(?:\.\d{1,9})?)\s*(?P<unit>[a-z]+))"
    r"(?=[\s\d+-]|$)\s*",
    re.IGNORECASE,
)
_ISO = re.compile(
    r"P(?:(?P<y>-?\d+)Y)?(?:(?P<mon>-?\d+)M)?(?:(?P<d>-?\d+)D)?"
    r"(?:T(?:(?P<h>-?\d+)H)?(?:(?P<m>-?\d+)M)?(?:(?P<s>-?\d+(?:\.\d+)?)S)?)?"
)


@dataclass(frozen=True, slots=True)
class Interval:
    """Months, days and microseconds, each with its own sign."""

    months: int = 0
    days: int = 0
    us: int = 0


def read_interval(text: str) -> Interval:
    """The interval that a text means; raises ValueError.

    >>> read_interval("1 year 2 mons 3 days -04:05:06.5")
    Interval(months=14, days=3, us=-14706500000)
    >>> read_interval("P1Y2M3DT4H5M6S")
    Interval(months=14, days=3, us=14706000000)
    """
    if iso := _ISO.fullmatch(text):
        parts = {name: Decimal(value) for name, value in iso.groupdict().items() if value is not None}
        if parts:
            months = 12 * parts.get("y", 0) + parts.get("mon", 0)
            seconds = 3600 * parts.get("h", 0) + 60 * parts.get("m", 0) + parts.get("s", 0)
            return Interval(int(months), int(parts.get("d", 0)), int(seconds * _US))
    total, end = [Decimal(0)] * 3, 0
    while found := _PART.match(text, end):
        end = found.end()
        if found["unit"]:
            unit = _UNITS.get(found["unit"].lower())
            if unit is None:
                break
            count = Decimal(found["n"])
        else:
            count, unit = Decimal(1), (0, 0, _clock(found))
        total = [had + count * more for had, more in zip(total, unit, strict=True)]
    whole = [int(value) for value in total]
    if end == 0 or end < len(text) or whole[:2] != total[:2]:
        raise ValueError(f"{len(text)} characters do not fit interval")
    return Interval(*whole)


def _clock(found: re.Match[str]) -> int:
    """Microseconds of hours:minutes:seconds."""
    seconds = 3600 * int(found["h"]) + 60 * int(found["m"]) + Decimal(found["s"] or 0)
    return int(seconds * _US) * (-1 if found["sign"] == "-" else 1)


class _Binary(Dumper):
    """PostgreSQL's binary form."""

    format = Format.BINARY
    oid = 1186

    def dump(self, obj: Interval) -> bytes:
        return struct.pack(">qii", obj.us, obj.days, obj.months)


def teach_intervals(context: AdaptContext) -> None:
    """Let a cursor write Interval where the type is interval."""
    assert context.adapters is not None  # noqa: S101 - a connection and a cursor have them
    context.adapters.register_dumper(Interval, _Binary)


__all__ = ["Interval", "read_interval", "teach_intervals"]
