"""Runs the steps of revisions one by one: journalled, checked against the catalog, each with a deadline.

The sink of a real deployment (see `operations`). A failure leaves what was done in place and says which
statement it was; the next run passes over what is there and goes on from it. A statement whose reply was
lost is looked up in the catalog. Called by `environment`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from tailrace.migrate.connection import Session, deadline, is_usable
from tailrace.migrate.errors import MigrationFailedError
from tailrace.migrate.hand_over import hand_over
from tailrace.migrate.journal import Journal, Place, Present, State, decide, is_done, names_of
from tailrace.migrate.progress import OnProgress, StepProgress
from tailrace.migrate.steps import Action, Direction, Step, render

_POLL_S = 0.05
_SETTLE_S = 10.0


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """`total` counts the statements of the whole run; `timeout_s` bounds each of them, backfill included."""

    variables: Mapping[str, str]
    timeout_s: float
    total: int
    on_progress: OnProgress | None


class Runner:
    """Takes steps and executes them. `begin` and `finish` frame each revision."""

    def __init__(self, session: Session, options: RunnerOptions) -> None:
        self._session = session
        self._options = options
        self._journal = Journal(session)
        self._journal.prepare()
        self._index = 0
        self._revision = ""
        self._before: int | None = None
        self._direction = Direction.UP

    def begin(self, revision: str, direction: Direction) -> None:
        """The next steps belong to this revision."""
        self._revision, self._direction, self._position = revision, direction, 0
        self._entries = self._journal.entries(revision, direction)

    def finish(self) -> None:
        """The revision's steps have all run and its version is recorded."""
        self._journal.close(self._revision, self._direction)

    def take(self, step: Step) -> None:
        """Run one step, or pass over it when an earlier run has done it."""
        self._position += 1
        self._index += 1
        started = time.monotonic()
        entry, present = self._entries.get(self._position), self._present(step)
        later = [e for position, e in self._entries.items() if position > self._position]
        must_run = decide(step, entry, present, later)
        self._before = None if entry is None else entry.id
        if must_run:
            if step.action in (Action.RENAME, Action.SWAP) and step.name in present:
                self._before = present[step.name].id
            self._record(step, State.STARTED)
            if step.action is Action.SWAP:
                hand_over(self._session, step)
            self._execute(step)
            self._settle(step)
        self._record(step, State.DONE)
        if self._options.on_progress is not None:
            seconds = time.monotonic() - started
            self._options.on_progress(
                StepProgress(
                    index=self._index,
                    total=self._options.total,
                    revision=self._revision,
                    direction=self._direction,
                    step=step,
                    seconds=seconds,
                    skipped=not must_run,
                )
            )

    def _execute(self, step: Step) -> None:
        sql = render(step.sql, self._options.variables)
        timeout_s = self._options.timeout_s
        with deadline(self._session, timeout_s) as passed:
            try:
                self._session.execute(sql.encode())
            except psycopg.Error as error:
                reason = f"no answer within {timeout_s:g} s" if passed.is_set() else str(error).strip()
                self._fail(step, reason, error)

    def _settle(self, step: Step) -> None:
        """Wait until the catalog agrees: a relation shows only when it is filled."""
        until = time.monotonic() + _SETTLE_S
        while not self._shows(step):
            if time.monotonic() > until:
                what = {Action.CREATE: "is not", Action.DROP: "is still"}.get(
                    step.action, "is not yet renamed"
                )
                self._fail(
                    step,
                    f"{step.name} {what} in the catalog {_SETTLE_S:g} s after the statement succeeded",
                    None,
                )
            time.sleep(_POLL_S)

    def _shows(self, step: Step) -> bool:
        present = self._present(step)
        found = present.get(step.name)
        if step.action is Action.CREATE:
            return found is not None and found.kind == step.kind
        return found is None if step.action is Action.DROP else is_done(step, self._before, present)

    def _present(self, step: Step) -> dict[str, Present]:
        query = "SELECT id, relation_type FROM rw_catalog.rw_relations WHERE name = %s"
        rows = {name: self._session.execute(query, (name,)).fetchone() for name in names_of(step)}
        return {name: Present(int(row[0]), str(row[1])) for name, row in rows.items() if row is not None}

    def _record(self, step: Step, state: State, message: str = "") -> None:
        place = Place(self._revision, self._direction, self._position)
        self._journal.record(place, step, state, message, self._before)

    def _fail(self, step: Step, reason: str, cause: psycopg.Error | None) -> None:
        if is_usable(self._session):
            self._record(step, State.FAILED, reason)
        way = "upgrade" if self._direction is Direction.UP else "downgrade"
        raise MigrationFailedError(
            f"{way} of revision {self._revision} failed at statement {self._position}, {step}: {reason}",
            detail=step.sql,
            hint=f"mend the cause and run the {way} again: it goes on from this statement",
        ) from cause
