"""Reads sqllogictest-rs's format (0.29) into records. Pure, but for `load`, which follows `include`.

A record ends at an empty line. The text under `----` ends there too, but for errors and the output of commands: they may hold
single empty lines, and end at two. See the cookbook in sqllogictest-rs's README.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from pathlib import Path

from tests.slt.records import (
    Condition,
    Control,
    ExpectedError,
    ExpectedRows,
    Halt,
    Include,
    Item,
    Let,
    Place,
    Query,
    Retry,
    Sleep,
    SortMode,
    Statement,
    System,
)

DEFAULT_CONNECTION = "default"
_DELIMITER = "----"
_SQLSTATE = re.compile(r"\(([0-9A-Z]{5})\)")
_UNITS_S = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}
_CONTROLS = {
    "sortmode": {mode.value for mode in SortMode},
    "substitution": {"on", "off"},
    "resultmode": {"rowwise", "valuewise"},
}


class ParseError(Exception):
    """A file is not in the format: where, and which line."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(f"{place}: {reason}")


def load(path: Path) -> list[Item]:
    """The items of a file with those of the files that it includes in their places, in alphabetic order of their names."""
    items: list[Item] = []
    for item in parse(path.read_text(), path):
        if not isinstance(item, Include):
            items.append(item)
            continue
        found = sorted(glob.glob(str(path.parent / item.pattern), recursive=True))  # noqa: PTH207
        if not found:
            raise ParseError(item.place, f"include {item.pattern}: no such file")
        for name in found:
            items += load(Path(name).resolve())
    return items


def parse(text: str, path: Path) -> list[Item]:
    """The items of one file's text; includes are left to the caller."""
    return list(_Parser(text, path).items())


class _Parser:
    def __init__(self, text: str, path: Path) -> None:
        self.lines = [line.removesuffix("\r") for line in text.split("\n")]
        if self.lines[-1] == "":
            self.lines.pop()
        self.path = path
        self.next = 0
        self.conditions: list[Condition] = []
        self.connection = DEFAULT_CONNECTION

    def items(self) -> Iterator[Item]:
        while self.next < len(self.lines):
            line = self.lines[self.next]
            place = Place(self.path, self.next + 1)
            self.next += 1
            words = line.split()
            if not words or line.startswith("#"):
                continue
            if words[0] in {"skipif", "onlyif"} and len(words) == 2:
                self.conditions.append(Condition(words[1], words[0] == "onlyif"))
            elif words[0] == "connection" and len(words) == 2:
                self.connection = words[1]
            elif words[0] != "subtest":
                yield self._item(words, place)

    def _item(self, words: list[str], place: Place) -> Item:
        match words:
            case ["include", pattern]:
                return Include(place, pattern)
            case ["halt"]:
                return Halt()
            case ["sleep", duration]:
                return Sleep(_seconds(duration, place))
            case ["hash-threshold", number] if number.isdecimal():
                return Control("hash-threshold", number)
            case ["control", name, value] if value in _CONTROLS.get(name, ()):
                return Control(name, value)
            case ["statement", *rest]:
                return self._statement(rest, place)
            case ["query", *rest]:
                return self._query(rest, place)
            case ["system", "ok", *rest]:
                return self._system(rest, place)
            case ["let", *rest] if rest:
                names = tuple(name.strip() for name in " ".join(rest).split(",") if name.strip())
                sql, _ = self._body(place)
                return Let(place, self._taken_conditions(), sql, self._taken_connection(), names)
        raise ParseError(place, f"not a record of sqllogictest: {' '.join(words)}")

    def _statement(self, words: list[str], place: Place) -> Statement:
        count: int | None = None
        error: ExpectedError | None = None
        match words:
            case ["ok", *rest]:
                retry = _retry(rest, place)
            case ["count", number, *rest] if number.isdecimal():
                count, retry = int(number), _retry(rest, place)
            case ["error", *rest]:
                error, retry = _inline_error(rest, place)
            case _:
                raise ParseError(place, f"not a statement's expectation: {' '.join(words)}")
        sql, delimited = self._body(place)
        if delimited and error is None:
            raise ParseError(place, "a statement has no result; use `query`")
        if delimited:
            error = ExpectedError(text=self._until_two_empty_lines())
        return Statement(place, self._taken_conditions(), sql, self._taken_connection(), count, error, retry)

    def _query(self, words: list[str], place: Place) -> Query:
        expected: ExpectedRows | ExpectedError
        match words:
            case ["error", *rest]:
                expected, retry = _inline_error(rest, place)
            case [_, mode, *rest] if mode in _CONTROLS["sortmode"]:
                label = rest[:1] if rest and rest[0] != "retry" else []
                expected, retry = (
                    ExpectedRows(sort=SortMode(mode)),
                    _retry(rest[len(label) :], place),
                )
            case [_, *rest]:
                expected, retry = ExpectedRows(), _retry(rest, place)
            case _:
                expected, retry = ExpectedRows(), None
        sql, delimited = self._body(place)
        if delimited and isinstance(expected, ExpectedError):
            expected = ExpectedError(text=self._until_two_empty_lines())
        elif delimited and isinstance(expected, ExpectedRows):
            expected = ExpectedRows(tuple(self._until_empty_line()), expected.sort)
        return Query(place, self._taken_conditions(), sql, self._taken_connection(), expected, retry)

    def _system(self, words: list[str], place: Place) -> System:
        command, delimited = self._body(place)
        stdout = self._until_two_empty_lines() if delimited else None
        return System(place, self._taken_conditions(), command, stdout, _retry(words, place))

    def _body(self, place: Place) -> tuple[str, bool]:
        """The lines up to an empty one or `----`, and whether it was that one; the first is taken whatever it is."""
        if self.next >= len(self.lines):
            raise ParseError(place, "the file ends where a text should follow")
        taken = [self.lines[self.next]]
        self.next += 1
        while self.next < len(self.lines):
            line = self.lines[self.next]
            self.next += 1
            if line in {"", _DELIMITER}:
                return "\n".join(taken), line == _DELIMITER
            taken.append(line)
        return "\n".join(taken), False

    def _until_empty_line(self) -> Iterator[str]:
        while self.next < len(self.lines):
            line = self.lines[self.next]
            self.next += 1
            if line == "":
                return
            yield line

    def _until_two_empty_lines(self) -> str:
        taken: list[str] = []
        while self.next < len(self.lines):
            line = self.lines[self.next]
            self.next += 1
            if line == "" and (self.next >= len(self.lines) or self.lines[self.next] == ""):
                self.next += 1
                break
            taken.append(line)
        return "\n".join(taken).strip()

    def _taken_conditions(self) -> tuple[Condition, ...]:
        taken, self.conditions = tuple(self.conditions), []
        return taken

    def _taken_connection(self) -> str:
        taken, self.connection = self.connection, DEFAULT_CONNECTION
        return taken


def _inline_error(words: list[str], place: Place) -> tuple[ExpectedError, Retry | None]:
    """What stands behind `error`: nothing, a retry (then the text follows), a SQLSTATE in brackets, or a pattern."""
    if len(words) == 4 and words[0] == "retry" and words[2] == "backoff":
        return ExpectedError(), _retry(words, place)
    pattern = " ".join(words)
    if state := _SQLSTATE.fullmatch(pattern):
        return ExpectedError(sqlstate=state[1]), None
    return ExpectedError(pattern=pattern or None), None


def _retry(words: list[str], place: Place) -> Retry | None:
    match words:
        case []:
            return None
        case ["retry", number, "backoff", duration] if number.isdecimal() and int(number):
            return Retry(int(number), _seconds(duration, place))
    raise ParseError(place, f"not a retry: {' '.join(words)}")


def _seconds(duration: str, place: Place) -> float:
    found = re.fullmatch(r"(\d+)([a-z]+)", duration)
    if found is None or found[2] not in _UNITS_S:
        raise ParseError(place, f"not a duration: {duration}")
    return int(found[1]) * _UNITS_S[found[2]]
