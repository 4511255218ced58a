"""What a lint rule is, and what it finds. Values only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject

Place = tuple[exp.Expr | None, str]
"""Where (None: the statement as a whole) and what is wrong there, as a sentence without a full stop."""


class Severity(StrEnum):
    """ERROR: wrong or refused; WARNING: works, and will hurt; NOTE: worth a look, fails nothing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Rule:
    """`code` names it, in output and in `-- lint: ignore CODE reason`; `why` and `instead` are sentences for a user."""

    code: str
    severity: Severity
    why: str
    instead: str
    check: Callable[[SqlObject, Catalogue], Iterator[Place]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that a rule objects to; `line` counts from 1."""

    code: str
    severity: Severity
    path: str
    line: int
    relation: str
    message: str
    instead: str
