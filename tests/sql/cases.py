"""Case files: one YAML file a view, `<view>.yaml`, each case with what the view reads and what it must show.

    - name: what is being shown
      given: {relation: [row, ...]}     # relations left out are empty
      then: {relation: [row, ...]}      # optional: rows that come after the view was created
      expect: [row, ...]                # in any order; a column left out is not compared

A string like `now - 20s` is a time relative to the test's start, `b'...'` is bytes (Python's escapes) and
everything else stands for itself. A view's file must exercise each of its branches.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.sql.relations import RELATIONS

HERE = Path(__file__).parent
SQL = HERE.parent.parent / "sql"

Row = dict[str, Any]
_RELATIVE = re.compile(r"now ([+-]) (\d+)s")


@dataclass(frozen=True, slots=True)
class Case:
    """One example of one view."""

    view: str
    name: str
    given: dict[str, list[Row]]
    then: dict[str, list[Row]]
    expect: list[Row]

    def __str__(self) -> str:
        return f"{self.view}: {self.name}"


def definition(view: str) -> str:
    """The statement in sql/ that creates `view`."""
    (path,) = SQL.rglob(f"{view}.sql")
    return path.read_text()


def load_cases() -> Iterator[Case]:
    """All cases of all files."""
    now = datetime.now(UTC)
    for path in sorted(HERE.glob("*.yaml")):
        for case in yaml.safe_load(path.read_text()):
            given = {name: _rows(name, rows, now) for name, rows in case.get("given", {}).items()}
            then = {name: _rows(name, rows, now) for name, rows in case.get("then", {}).items()}
            yield Case(path.stem, case["name"], given, then, _rows(path.stem, case["expect"], now))


def unmatched(expected: list[Row], shown: list[Row]) -> str:
    """What differs between the rows wanted and those shown, as text; empty when they agree."""
    left = list(shown)
    missing = []
    for row in expected:
        found = next((other for other in left if _agrees(row, other)), None)
        if found is None:
            missing.append(row)
        else:
            left.remove(found)
    return "\n".join([f"missing: {row}" for row in missing] + [f"too many: {row}" for row in left])


def _agrees(wanted: Row, got: Row) -> bool:
    return all(_equal(value, got[name]) for name, value in wanted.items())


def _equal(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, float) and isinstance(got, float):
        return abs(wanted - got) <= 1e-9 * max(1.0, abs(wanted))
    return bool(wanted == got)


def _rows(relation: str, rows: list[Row], now: datetime) -> list[Row]:
    kinds = RELATIONS[relation].columns
    return [{name: _value(kinds[name], value, now) for name, value in row.items()} for row in rows]


def _value(kind: str, value: Any, now: datetime) -> Any:
    if value is None:
        return None
    if kind == "timestamptz":
        if match := _RELATIVE.fullmatch(value):
            seconds = int(match[2])
            return now + timedelta(seconds=seconds if match[1] == "+" else -seconds)
        return datetime.fromisoformat(value)
    if kind == "bytea":
        return ast.literal_eval(value) if value.startswith(("b'", 'b"')) else value.encode()
    return float(value) if kind == "double precision" else value
