"""Which statements of an unfinished revision have run: DDL is not transactional, so a failed revision is
half applied.

One row a statement of the table tailrace_ddl_journal, overwritten in place by its key (revision, direction,
position). `decide` compares a statement's row and the catalog and says whether to run it, to pass over it,
or to stop. After a rename or a swap the names alone do not tell what has run: the row holds the ids that the
names stood for before. `Journal` keeps the rows. Used by `runner`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from tailrace.migrate.connection import Session
from tailrace.migrate.errors import MigrationConflictError
from tailrace.migrate.steps import Action, Direction, Step

JOURNAL_TABLE = "tailrace_ddl_journal"

_CREATE = """
    CREATE TABLE tailrace_ddl_journal (
        revision varchar,
        direction varchar,
        position int,
        object varchar,
        checksum varchar,
        state varchar,
        message varchar,
        changed_at timestamptz,
        PRIMARY KEY (revision, direction, position)
    )
"""
_SELECT = """
    SELECT position, checksum, state, object, message FROM tailrace_ddl_journal WHERE revision = %s AND direction = %s
"""
_INSERT = """
    INSERT INTO tailrace_ddl_journal
        (revision, direction, position, object, checksum, state, message, changed_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_DELETE = "DELETE FROM tailrace_ddl_journal WHERE revision = %s AND direction = %s"


class State(StrEnum):
    """How far a statement got. `started` without an end means that the run was cut off."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement stands in the history; `position` counts from 1 within its revision and direction."""

    revision: str
    direction: Direction
    position: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A statement's row: its checksum then, its state, its relation, and (RENAME and SWAP) the id of that before it ran."""

    checksum: str
    state: State
    name: str = ""
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """What a name stands for now."""

    id: int
    kind: str


def decide(
    step: Step, entry: Entry | None, present: Mapping[str, Present], later: Iterable[Entry] = ()
) -> bool:
    """Whether `step` has to run, given its journal row, what its names stand for now (one that is not there is
    free), and the rows of the statements behind it.

    Raises MigrationConflictError when a name is taken by something this step did not make.
    """
    found = present.get(step.name)
    known = entry is not None and entry.checksum == step.checksum
    if known and any(behind.name in names_of(step) for behind in later):
        return False  # a statement behind it was begun, so this one has run, and what is there now is that one's work
    if step.action is Action.DROP:
        if found is not None and found.kind != step.kind:
            raise _conflict(step, found)
        return found is not None
    if step.action in (Action.RENAME, Action.SWAP):
        return not is_done(step, entry.id if entry is not None and known else None, present)
    if found is None:
        return True
    if not known or found.kind != step.kind:
        raise _conflict(step, found)
    return False


def is_done(step: Step, before: int | None, present: Mapping[str, Present]) -> bool:
    """Whether a RENAME or SWAP has taken place; `before` is the id its first name stood for (None: it was never begun).

    Raises MigrationConflictError when its names stand for something else than it needs.
    """
    first, second = present.get(step.name), present.get(step.other)
    if before is not None and second is not None and second.id == before:
        return True
    for found in (first, second):
        if found is not None and found.kind != step.kind:
            raise _conflict(step, found)
    if step.action is Action.RENAME and second is not None:
        raise _conflict(step, second)
    return False


def names_of(step: Step) -> tuple[str, ...]:
    """The names that a step is about."""
    return (step.name, step.other) if step.other else (step.name,)


def _conflict(step: Step, present: Present) -> MigrationConflictError:
    return MigrationConflictError(
        f"cannot {step}: a {present.kind} of that name exists that this step did not create",
        hint=f"see SHOW CREATE {present.kind.upper()} {step.name}; drop or rename it, then migrate again",
    )


_ID = re.compile(r"#(\d+) ?")


class Journal:
    """The table's rows, through one session. Creates the table on first use."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def prepare(self) -> None:
        """Create the table unless it is there."""
        query = "SELECT count(*) FROM rw_catalog.rw_tables WHERE name = %s"
        row = self._session.execute(query, (JOURNAL_TABLE,)).fetchone()
        if row is None or not row[0]:
            self._session.execute(_CREATE)

    def entries(self, revision: str, direction: Direction) -> dict[int, Entry]:
        """The rows of one revision by position, from 1."""
        rows = self._session.execute(_SELECT, (revision, direction.value)).fetchall()
        return {
            position: Entry(
                checksum, State(state), name, int(found[1]) if (found := _ID.match(message)) else None
            )
            for position, checksum, state, name, message in rows
        }

    def record(
        self, place: Place, step: Step, state: State, message: str = "", before: int | None = None
    ) -> None:
        """Write a statement's row over the one before; `message` is the server's, when it failed; `before` as in Entry.id.

        Only the start must be durable before the statement runs: with it, a lost end is found in the catalog.
        """
        key = (place.revision, place.direction.value, place.position)
        now = datetime.now(UTC)
        noted = message if before is None else f"#{before} {message}".rstrip()
        self._session.execute(_INSERT, (*key, step.name, step.checksum, state.value, noted, now))
        if state is State.STARTED:
            self._session.execute("FLUSH")

    def close(self, revision: str, direction: Direction) -> None:
        """The revision is complete in this direction: what the opposite one noted is void."""
        opposite = Direction.DOWN if direction is Direction.UP else Direction.UP
        self._session.execute(_DELETE, (revision, opposite.value))
        self._session.execute("FLUSH")
