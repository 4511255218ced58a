"""Case files: YAML, by default one a view, called like it. Each case says what the view reads and what it must show.

    - name: what is being shown
      now: '2026-01-01T00:00:00Z'       # optional: what now() is in the view; without it, the clock
      given: {relation: [row, ...]}     # what is there before the view; relations left out are empty
      then: {relation: [row, ...]}      # optional: rows that come after the view was created
      expect: [row, ...]                # in any order; a column left out is not compared
      error: part of the message        # instead of expect: the view is refused

`view: name` in a case names another view than the file does. A string `now - 20s` (s, m, h, d) is a time relative to `now`, or to
the start of the test; `b'...'` is bytes, with Python's escapes. Reads files; everything else is values.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tailrace.errors import TailraceError

Row = dict[str, Any]
_RELATIVE = re.compile(r"now(?: ([+-]) (\d+)([smhd]))?")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_KEYS = {"name", "view", "now", "given", "then", "expect", "error"}


@dataclass(frozen=True, slots=True)
class Case:
    """One example of one view; exactly one of `expect` and `error` is not None."""

    path: Path
    view: str
    name: str
    given: dict[str, list[Row]]
    then: dict[str, list[Row]]
    expect: list[Row] | None
    error: str | None = None
    now: datetime | None = None

    def __str__(self) -> str:
        return f"{self.view}: {self.name}"


def load_cases(paths: Iterable[Path], start: datetime | None = None) -> tuple[Case, ...]:
    """All cases of files, and of the `*.yaml` below folders. Raises TailraceError, naming the file, for a malformed one."""
    began = start or datetime.now(UTC)
    return tuple(case for path in _files(paths) for case in _cases(path, began))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted({*path.rglob("*.yaml"), *path.rglob("*.yml")})
        elif path.exists():
            yield path
        else:
            raise TailraceError(
                f"{path} is not there", hint="name a case file or a folder of them (docs/tooling.md)"
            )


def _cases(path: Path, start: datetime) -> Iterator[Case]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except yaml.YAMLError as error:
        raise TailraceError(f"{path} is no YAML: {error}", sqlstate="42601") from error
    if not isinstance(document, list) or not all(isinstance(item, dict) for item in document):
        raise TailraceError(f"{path}: expected a list of cases", hint="begin each with `- name: ...`")
    for number, item in enumerate(document, 1):
        where = f"{path}, case {number} ({item.get('name', 'without a name')})"
        if unknown := item.keys() - _KEYS:
            raise TailraceError(
                f"{where}: no key {', '.join(sorted(unknown))}", hint=f"there are {', '.join(sorted(_KEYS))}"
            )
        if "name" not in item or ("expect" in item) == ("error" in item):
            raise TailraceError(f"{where}: wanted a name, and either expect or error")
        now = _now(item["now"]) if "now" in item else None
        at = now or start
        given, then = (
            {k: _rows(v, at) for k, v in (item.get(part) or {}).items()} for part in ("given", "then")
        )
        expect = _rows(item["expect"], at) if "expect" in item else None
        view = item.get("view", path.stem)
        yield Case(path, view, str(item["name"]), given, then, expect, item.get("error"), now)


def _now(value: Any) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _rows(rows: list[Row] | None, now: datetime) -> list[Row]:
    return [{name: _value(value, now) for name, value in row.items()} for row in rows or []]


def _value(value: Any, now: datetime) -> Any:
    if not isinstance(value, str):
        return value
    if value.startswith(("b'", 'b"')):
        return ast.literal_eval(value)
    match = _RELATIVE.fullmatch(value)
    if match is None:
        return value
    seconds = int(match[2] or 0) * _UNIT_S[match[3] or "s"]
    return now + timedelta(seconds=-seconds if match[1] == "-" else seconds)
