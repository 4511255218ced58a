"""What a sqllogictest file consists of: one frozen value per record, with the place where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class SortMode(Enum):
    """How a query's rows are sorted before they are compared (the expected ones are taken as they stand)."""

    NOSORT = "nosort"
    ROWSORT = "rowsort"
    VALUESORT = "valuesort"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line (from 1) of a file; a record is the same record wherever its file is included."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Retry:
    """Try `attempts` times in all, `backoff_s` seconds apart."""

    attempts: int
    backoff_s: float


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """Any error (all None), one whose text matches a pattern, one of exactly this text, or one of this SQLSTATE."""

    pattern: str | None = None
    text: str | None = None
    sqlstate: str | None = None


@dataclass(frozen=True, slots=True)
class ExpectedRows:
    """The lines under `----`: values separated by blanks."""

    lines: tuple[str, ...] = ()
    sort: SortMode | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """`onlyif label` (wanted) or `skipif label` (not wanted)."""

    label: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Record:
    """What every executed record has."""

    place: Place
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Statement(Record):
    """Must succeed (count None: whatever it affects), or fail as expected."""

    sql: str
    connection: str
    count: int | None = None
    error: ExpectedError | None = None
    retry: Retry | None = None


@dataclass(frozen=True, slots=True)
class Query(Record):
    """Must give the expected rows, or fail as expected."""

    sql: str
    connection: str
    expected: ExpectedRows | ExpectedError
    retry: Retry | None = None


@dataclass(frozen=True, slots=True)
class Let(Record):
    """Binds variables to the values of a query's single row."""

    sql: str
    connection: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class System(Record):
    """A command of the shell that has to succeed, and print the expected text where one is given."""

    command: str
    stdout: str | None = None
    retry: Retry | None = None


@dataclass(frozen=True, slots=True)
class Include:
    place: Place
    pattern: str


@dataclass(frozen=True, slots=True)
class Sleep:
    seconds: float


@dataclass(frozen=True, slots=True)
class Control:
    """`sortmode`, `substitution`, `resultmode` or `hash-threshold` with its value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Halt:
    """The rest of the whole script is not run."""


Executed = Statement | Query | Let | System
Item = Statement | Query | Let | System | Include | Sleep | Control | Halt
