"""What became of a record: a status, and for failures the cause, put so that equal causes read equally."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from tests.slt.records import Executed, Place, Query


class Status(Enum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """By its conditions, or a command of the shell that was not allowed: it does not count."""
    NOT_RUN = "not run"
    """Behind the file's time limit, in a file that could not be read or that nothing includes: it counts as failed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A record's result in one run of one file."""

    place: Place
    kind: str
    status: Status
    cause: str = ""
    sql: str = ""
    wanted: str = ""
    got: str = ""
    follows: bool = False
    """Whether it failed only for want of what an earlier statement failed to make; `cause` is that statement's."""
    seconds: float = 0.0
    cost: str = ""
    """Of a materialized view that was made, where that was asked for: see `tests.slt.costs`."""


_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`")
_NAMED = re.compile(
    r"\b((?:CREATE|ALTER|DROP) (?:TABLE|SOURCE|VIEW|INDEX|SINK|MATERIALIZED VIEW|FUNCTION)) (?!IF\b)\S+"
)
_NUMBER = re.compile(r"(?<![A-Za-z_])\d[\d.:_-]*")
_CREATED = re.compile(
    r"""^\s*(?:--[^\n]*\n\s*)*CREATE\s+(?:OR\s+REPLACE\s+)?(?:MATERIALIZED\s+VIEW|TABLE|SOURCE|VIEW|INDEX|SINK|SUBSCRIPTION
    |FUNCTION|SCHEMA|DATABASE|USER|CONNECTION|SECRET|AGGREGATE)\s+(?:IF\s+NOT\s+EXISTS\s+)?"?([\w.]+)"?""",
    re.IGNORECASE | re.VERBOSE,
)
_MISSING = re.compile(r"does not exist|not found|doesn't exist|unknown", re.IGNORECASE)


def kind_of(record: Executed) -> str:
    return "query" if isinstance(record, Query) else type(record).__name__.lower()


def normalised(message: str) -> str:
    """An error message without its names and numbers: `relation "t3" does not exist` -> `relation "…" does not exist`."""
    text = _QUOTED.sub('"…"', " ".join(message.split()))
    return _NUMBER.sub("N", _NAMED.sub(r"\1 …", text))[:200]


@dataclass(slots=True)
class Missing:
    """Objects that earlier statements of a file failed to make, with the reason: later failures for want of them follow."""

    causes: dict[str, str] = field(default_factory=dict)

    def note(self, text: str, cause: str) -> None:
        if found := _CREATED.match(text):
            self.causes[found[1].lower().rpartition(".")[2]] = cause

    def cause_of(self, message: str) -> str | None:
        """The reason behind "… does not exist", where the name is one that was to be made."""
        if not _MISSING.search(message):
            return None
        words = {word.lower() for word in re.findall(r"\w+", message)}
        return next((cause for name, cause in self.causes.items() if name in words), None)
