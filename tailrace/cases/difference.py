"""Rows wanted against rows shown: as multisets, by the columns that are wanted. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tailrace.cases.case import Row


@dataclass(frozen=True, slots=True)
class Difference:
    """`missing`: wanted and not shown; `surplus`: shown and not wanted."""

    missing: tuple[Row, ...]
    surplus: tuple[Row, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.surplus)

    def lines(self) -> list[str]:
        """For people: each missing row with the shown one that is most like it, and how that differs."""
        left = list(self.surplus)
        found: list[str] = []
        for row in self.missing:
            close = max(left, key=lambda other: _likeness(row, other), default=None)
            if close is None or not _likeness(row, close):
                found.append(f"missing   {_text(row)}")
                continue
            left.remove(close)
            same = {k: v for k, v in row.items() if k in close and equal(v, close[k])}
            found.append(f"differs   {_text(same)}")
            found += [
                f"            {name}: expected {value!r}, got {close[name]!r}"
                if name in close
                else f"            {name}: there is no such column"
                for name, value in row.items()
                if name not in same
            ]
        return found + [f"surplus   {_text(row)}" for row in left]


def difference(wanted: list[Row], shown: list[Row]) -> Difference:
    """Match rows one to one; a wanted row takes the first shown one that agrees with it in all its columns.

    >>> difference([{"a": 1}], [{"a": 1, "b": 2}, {"a": 3, "b": 4}])
    Difference(missing=(), surplus=({'a': 3, 'b': 4},))
    """
    left = list(shown)
    missing: list[Row] = []
    for row in sorted(wanted, key=len, reverse=True):  # the most particular first
        at = next((i for i, other in enumerate(left) if _agrees(row, other)), None)
        if at is None:
            missing.append(row)
        else:
            del left[at]
    return Difference(tuple(missing), tuple(left))


def equal(wanted: Any, got: Any) -> bool:
    """Whether a value of a case file means what the driver gave: floats by a relative 1e-9, times by the moment."""
    if wanted is None or got is None:
        return wanted is got
    if isinstance(got, bool) or isinstance(wanted, bool):
        return bool(wanted == got)
    if isinstance(got, float | int | Decimal) and isinstance(wanted, float | int | str | Decimal):
        try:
            return math.isclose(float(wanted), float(got), rel_tol=1e-9, abs_tol=1e-12)
        except ValueError:
            return False
    if isinstance(got, datetime):
        return bool(_moment(wanted) == _moment(got))
    if isinstance(got, date) or (isinstance(wanted, str) and not isinstance(got, bytes | list | dict)):
        return str(wanted) == str(got)
    if isinstance(got, bytes) and isinstance(wanted, str):
        return wanted.encode() == got
    if isinstance(got, list) and isinstance(wanted, list):
        return len(got) == len(wanted) and all(equal(w, g) for w, g in zip(wanted, got, strict=True))
    return bool(wanted == got)


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    return value.timestamp() if isinstance(value, datetime) and value.tzinfo else value


def _agrees(wanted: Row, got: Row) -> bool:
    return all(name in got and equal(value, got[name]) for name, value in wanted.items())


def _likeness(wanted: Row, got: Row) -> int:
    return sum(name in got and equal(value, got[name]) for name, value in wanted.items())


def _text(row: Row) -> str:
    return " ".join(f"{name}={value!r}" for name, value in row.items()) or "(a row)"
