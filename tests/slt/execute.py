"""Runs one file on one database: every record in its turn, those behind a failed one too."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from tests.slt.compare import same_error, same_rows, shown
from tests.slt.costs import cost_of, explained
from tests.slt.outcome import Missing, Outcome, Status, kind_of, normalised
from tests.slt.records import (
    Control,
    Executed,
    ExpectedError,
    Halt,
    Include,
    Item,
    Let,
    Query,
    Retry,
    Sleep,
    SortMode,
    Statement,
    System,
)
from tests.slt.session import Answered, Failed, Session
from tests.slt.substitution import Variables

WRONG_RESULT = "wrong result"
NO_ERROR = "an error was expected"
OTHER_ERROR = "the error has another text"
UNBOUND = "a variable is not bound"


@dataclass(frozen=True, slots=True)
class Options:
    """How files are run; limits in seconds. Retries end after `patience_s`, whatever the record allows."""

    labels: frozenset[str] = frozenset({"postgres"})
    system: bool = False
    record_limit_s: float = 30.0
    file_limit_s: float = 300.0
    patience_s: float = 30.0
    explain: bool = False


@dataclass(frozen=True, slots=True)
class _Judged:
    """None for passed; else the cause, and what was wanted and got."""

    cause: str | None
    wanted: str = ""
    got: str = ""


_PASSED = _Judged(None)


@dataclass(slots=True)
class FileRun:
    """The state of a running script: its sessions, variables and controls."""

    url: str
    options: Options
    variables: Variables = field(default_factory=Variables)
    sessions: dict[str, Session] = field(default_factory=dict)
    missing: Missing = field(default_factory=Missing)
    sort: SortMode | None = None
    substitute: bool = False
    valuewise: bool = False
    hash_threshold: int = 0

    def run(self, items: Sequence[Item]) -> Iterator[Outcome]:
        """The outcome of each record; those behind the file's time limit are not run."""
        deadline = time.monotonic() + self.options.file_limit_s
        self._describe_server()
        try:
            for item in items:
                if isinstance(item, Halt):
                    return
                if isinstance(item, Statement | Query | Let | System):
                    if time.monotonic() > deadline:
                        yield Outcome(
                            item.place,
                            kind_of(item),
                            Status.NOT_RUN,
                            f"behind the file's limit of {self.options.file_limit_s:g} s",
                            _text(item),
                        )
                    else:
                        yield self._outcome(item)
                elif isinstance(item, Sleep):
                    if time.monotonic() < deadline:
                        time.sleep(item.seconds)
                elif not isinstance(item, Include):
                    self._control(item)
        finally:
            for session in self.sessions.values():
                session.close()
            self.variables.close()

    def _describe_server(self) -> None:
        """What scripts know of the server: SLT_HOST, SLT_PORT, SLT_DB, and `__DATABASE__`."""
        parts = urlsplit(self.url)
        database = unquote(parts.path.lstrip("/"))
        self.variables.environment = {
            **self.variables.environment,
            "SLT_HOST": parts.hostname or "",
            "SLT_PORT": str(parts.port or 4566),
            "SLT_DB": database,
        }
        self.variables.bound["__DATABASE__"] = database

    def _control(self, control: Control) -> None:
        match control.name:
            case "sortmode":
                self.sort = SortMode(control.value)
            case "substitution":
                self.substitute = control.value == "on"
            case "resultmode":
                self.valuewise = control.value == "valuewise"
            case "hash-threshold":
                self.hash_threshold = int(control.value)

    def _outcome(self, record: Executed) -> Outcome:
        skipped = any((c.label in self.options.labels) != c.wanted for c in record.conditions)
        if skipped or (isinstance(record, System) and not self.options.system):
            return Outcome(record.place, kind_of(record), Status.SKIPPED)
        started = time.monotonic()
        judged = self._retried(record)
        text = _text(record)
        outcome = Outcome(
            record.place,
            kind_of(record),
            Status.PASSED,
            sql=text,
            seconds=round(time.monotonic() - started, 3),
        )
        if judged.cause is None:
            return replace(outcome, cost=self._cost(record)) if self.options.explain else outcome
        earlier = self.missing.cause_of(judged.got)
        cause = earlier or judged.cause
        if isinstance(record, Statement) and record.error is None:
            self.missing.note(text, cause)
        return replace(
            outcome,
            status=Status.FAILED,
            cause=cause,
            wanted=judged.wanted,
            got=judged.got,
            follows=earlier is not None,
        )

    def _cost(self, record: Executed) -> str:
        explain = explained(record.sql) if isinstance(record, Statement) and record.error is None else None
        answer = (
            self.sessions[record.connection].run(explain)
            if explain and isinstance(record, Statement)
            else None
        )
        return cost_of(answer.rows) if isinstance(answer, Answered) else ""

    def _retried(self, record: Executed) -> _Judged:
        retry = (None if isinstance(record, Let) else record.retry) or Retry(1, 0)
        deadline = time.monotonic() + self.options.patience_s
        for attempt in range(retry.attempts):
            if attempt:
                time.sleep(retry.backoff_s)
            judged = self._judged(record)
            if judged.cause is None or time.monotonic() > deadline or self._is_final(judged):
                break
        return judged

    def _is_final(self, judged: _Judged) -> bool:
        """Is it of no use to wait: does the record need what an earlier one should have made?"""
        return judged.cause == UNBOUND or self.missing.cause_of(judged.got) is not None

    def _judged(self, record: Executed) -> _Judged:
        if isinstance(record, System):
            return self._judged_command(record)
        text = record.sql
        if self.substitute:
            try:
                text = self.variables.in_sql(text)
            except KeyError as error:
                return _Judged(UNBOUND, got=f"variable {error.args[0]} is not bound")
        session = self.sessions.setdefault(record.connection, Session(self.url, self.options.record_limit_s))
        answer = session.run(text)
        if isinstance(record, Let):
            return self._bound(record, answer)
        expected = record.error if isinstance(record, Statement) else record.expected
        if isinstance(expected, ExpectedError):
            return _judged_error(expected, answer)
        if isinstance(answer, Failed):
            return _Judged(f"error: {normalised(answer.message)}", "success", answer.text)
        if isinstance(record, Statement):
            return _judged_count(record, answer)
        assert expected is not None
        rows = shown(answer.rows, expected.sort or self.sort, self.hash_threshold, self.valuewise)
        if same_rows(rows, expected.lines):
            return _PASSED
        return _Judged(WRONG_RESULT, "\n".join(expected.lines), "\n".join(" ".join(row) for row in rows))

    def _bound(self, record: Let, answer: Answered | Failed) -> _Judged:
        if isinstance(answer, Failed):
            return _Judged(f"error: {normalised(answer.message)}", "one row", answer.text)
        if len(answer.rows) != 1 or len(answer.rows[0]) != len(record.names):
            return _Judged(
                WRONG_RESULT, f"one row of {len(record.names)} values", "\n".join(map(" ".join, answer.rows))
            )
        self.variables.bound.update(zip(record.names, answer.rows[0], strict=True))
        return _PASSED

    def _judged_command(self, record: System) -> _Judged:
        command = self.variables.in_command(record.command) if self.substitute else record.command
        if command.rstrip().endswith("&"):
            subprocess.Popen(
                ["bash", "-c", command.rstrip().removesuffix("&")], env=dict(self.variables.environment)
            )
            return _PASSED
        try:
            done = subprocess.run(
                ["bash", "-c", command],
                env=dict(self.variables.environment),
                capture_output=True,
                text=True,
                check=False,
                timeout=self.options.record_limit_s,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return _Judged(f"no answer within {self.options.record_limit_s:g} s", "exit code 0")
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            return _Judged(f"command: {normalised(last)}", "exit code 0", done.stdout + done.stderr)
        if record.stdout is not None and record.stdout.strip() != done.stdout.strip():
            return _Judged(WRONG_RESULT, record.stdout, done.stdout)
        return _PASSED


def _judged_error(expected: ExpectedError, answer: Answered | Failed) -> _Judged:
    wanted = expected.text or expected.pattern or expected.sqlstate or "any error"
    if isinstance(answer, Answered):
        return _Judged(NO_ERROR, wanted, "success")
    if answer.sqlstate is None or not same_error(answer.text, answer.sqlstate, expected):
        return _Judged(OTHER_ERROR, wanted, answer.text)
    return _PASSED


def _judged_count(record: Statement, answer: Answered) -> _Judged:
    if record.count is None or answer.rows or answer.count == record.count:
        return _PASSED
    return _Judged("wrong count", f"{record.count} rows", f"{answer.count} rows")


def _text(record: Executed) -> str:
    return record.command if isinstance(record, System) else record.sql
