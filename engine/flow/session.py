"""The flow's session in PostgreSQL: its settings, its lock, and the delta tables, which live as long as it does.

Backfill's workers have sessions with the same settings and delta tables of their own, but no lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import IsolationLevel

from engine.catalog.objects import CatalogObject
from engine.compile.program import toastable
from engine.ddl import create_source as sources
from engine.ddl.create_table import temporaries as table_temporaries
from engine.ddl.create_view import temporaries as view_temporaries
from engine.ddl.shapes import shape_temporaries
from tailrace.errors import TailraceError

Connection = psycopg.Connection[tuple[Any, ...]]
LOCK_KEY = 4566
LOOK_EVERY = 200
"""Statements between two looks at what the session holds."""
SPARE_BYTES = 128 << 20
"""What a session may gather beside twice what it needs."""
STEPPED = ("materialized view", "sink", "subscription")
"""Kinds whose programs read other relations' changes."""
SETTINGS = {
    "TimeZone": "UTC",
    "enable_hashjoin": "off",  # a state table is probed by index; see the design's planner discipline
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "enable_presorted_aggregate": "off",  # for array_agg(x ORDER BY y) it reads a whole index on y
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "work_mem": "64MB",
    "client_min_messages": "warning",
    "search_path": "public, pg_catalog",
    "idle_in_transaction_session_timeout": "0",
    "statement_timeout": "0",
}


class FencedError(TailraceError):
    """Another flow has taken over: this one must stop."""

    sqlstate = "57P01"


def connect(dsn: str) -> Connection:
    """A session with the flow's settings, in autocommit mode: transactions are begun by whoever wants one."""
    connection: Connection = psycopg.connect(dsn, autocommit=True, application_name="tailrace flow")
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    for name, value in SETTINGS.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    with suppress(psycopg.errors.InsufficientPrivilege):  # of a PostgreSQL that is not our own
        # so soon autovacuum makes way for whom it blocks; a statement waits 50 ms for a lock, the usual second never comes
        connection.execute("SET deadlock_timeout = '20ms'")
    return connection


def lock(connection: Connection) -> None:
    """Take the engine's lock on this database; raises FencedError if another flow has it."""
    if connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone() != (True,):
        raise FencedError("another flow runs on this database")


def unlock(connection: Connection) -> None:
    """Let another session of this flow take the lock."""
    connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))


def held_bytes(connection: Connection) -> int:
    """What the session's process in PostgreSQL holds of memory of its own."""
    row = connection.execute("SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts").fetchone()
    return int(row[0]) if row else 0


@dataclass(slots=True)
class Growth:
    """Tells when a session has gathered so much that a new one is due: plans and tables that are gone leave something behind.

    It looks once in so many statements, and compares with what the session held when it looked first: by then it has the plans
    of all that is there.
    """

    statements: int = 0
    at_first_bytes: int = 0

    def is_due(self, connection: Connection) -> bool:
        """Count a statement; whether the session should be renewed now."""
        self.statements += 1
        if self.statements % LOOK_EVERY:
            return False
        held = held_bytes(connection)
        self.at_first_bytes = self.at_first_bytes or held
        return held > 2 * self.at_first_bytes + SPARE_BYTES


def temporaries_of(item: CatalogObject) -> Sequence[str]:
    """The statements that make an object's delta tables."""
    if item.kind == "source":
        return sources.temporaries(item)
    if item.kind == "table":
        return [*table_temporaries(item.id, item.columns), *shape_temporaries(item)]
    if item.kind in STEPPED:
        return view_temporaries(item)
    return ()


def make_temporaries(connection: Connection, items: Iterable[CatalogObject], *, wide: bool) -> None:
    """Make the delta tables of objects, where they are not there; `wide`: for rows of any size."""
    for item in items:
        for statement in temporaries_of(item):
            connection.execute(toastable(statement) if wide else statement)


def empty_temporaries(connection: Connection) -> None:
    """Empty every delta table, as a commit would."""
    found = connection.execute(
        "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'"
    ).fetchall()
    if found:
        tables = ", ".join(f"pg_temp.{name}" for (name,) in found)
        connection.execute(f"TRUNCATE {tables}")
