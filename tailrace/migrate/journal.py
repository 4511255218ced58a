"""Which statements of an unfinished revision have run: DDL is not transactional, so a failed revision is
half applied.

One row a statement of the table tailrace_ddl_journal, overwritten in place by its key (revision, direction,
position). `decide` compares a statement's row and the catalog and says whether to run it, to pass over it,
or to stop. `Journal` keeps the rows. Used by `runner`.
"""

from __future__ import annotations

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
    SELECT position, checksum, state FROM tailrace_ddl_journal WHERE revision = %s AND direction = %s
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
    """A statement's row: its checksum then, and its state."""

    checksum: str
    state: State


def decide(step: Step, entry: Entry | None, present: str | None) -> bool:
    """Whether `step` has to run, given its journal row and the kind of relation its name stands for now
    (None: free).

    Raises MigrationConflictError when the name is taken by something this step did not make.
    """
    if step.action is Action.DROP:
        if present is not None and present != step.kind:
            raise _conflict(step, present)
        return present is not None
    if present is None:
        return True
    if entry is None or entry.checksum != step.checksum or present != step.kind:
        raise _conflict(step, present)
    return False


def _conflict(step: Step, present: str) -> MigrationConflictError:
    return MigrationConflictError(
        f"cannot {step}: a {present} of that name exists that this step did not create",
        hint=f"see SHOW CREATE {present.upper()} {step.name}; drop or rename it, then migrate again",
    )


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
        return {position: Entry(checksum, State(state)) for position, checksum, state in rows}

    def record(self, place: Place, step: Step, state: State, message: str = "") -> None:
        """Write a statement's row over the one before; `message` is the server's, when it failed.

        Only the start must be durable before the statement runs: with it, a lost end is found in the catalog.
        """
        key = (place.revision, place.direction.value, place.position)
        now = datetime.now(UTC)
        self._session.execute(_INSERT, (*key, step.name, step.checksum, state.value, message, now))
        if state is State.STARTED:
            self._session.execute("FLUSH")

    def close(self, revision: str, direction: Direction) -> None:
        """The revision is complete in this direction: what the opposite one noted is void."""
        opposite = Direction.DOWN if direction is Direction.UP else Direction.UP
        self._session.execute(_DELETE, (revision, opposite.value))
        self._session.execute("FLUSH")
