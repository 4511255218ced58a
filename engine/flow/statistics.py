"""Upkeep that barriers need sooner than autovacuum comes by: statistics while state grows, and short logs of changes.

Statistics: ANALYZE of the tables that have grown fourfold since the last one.

State starts empty in a session whose plans are kept; on an empty table all indexes look alike, and a join of 2,000 rows that
probed by the wrong one took 1.1 s. ANALYZE makes PostgreSQL plan again by itself.

Logs: a barrier reads the whole of `engine.changes_<id>` for what clients have changed, and takes it out. What it leaves is empty
pages, which each later barrier reads as well: behind 200,000 inserted rows 1,500 of them, a quarter of a barrier's work.
VACUUM hands them back.

Run by the listener's thread on its own connection, so that no barrier waits for it; autovacuum, which does the same, looks
only every 15 s. A look costs some microseconds a table; with thousands of them it comes the more rarely.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

GROWTH = 4
_GROWN = """
SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'engine'::regnamespace AND c.relkind = 'r'
AND pg_stat_get_live_tuples(c.oid) > %s * greatest(c.reltuples, 25) ORDER BY pg_stat_get_live_tuples(c.oid)
"""


def analyze_grown(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    """Analyze what has grown; returns how many tables. The connection is in autocommit mode.

    Tables that a statement holds just then wait for the next call; those that it has dropped are no matter.
    """
    grown = connection.execute(_GROWN, (GROWTH,)).fetchall()
    for (name,) in grown:
        with suppress(psycopg.errors.UndefinedTable):
            connection.execute(sql.SQL("ANALYZE (SKIP_LOCKED) {}").format(sql.Identifier("engine", name)))
    return len(grown)


LOG_PAGES = 32
"""A log of changes may be so long for good."""
_PATIENCE_MS = 200
"""VACUUM waits for who writes into the log just now before it gives pages back; that is tried again soon."""
_LONG = """
SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'engine'::regnamespace AND c.relkind = 'r'
AND starts_with(c.relname, 'changes_') AND pg_stat_get_dead_tuples(c.oid) > 0 AND pg_relation_size(c.oid) > %s * 8192
"""


def shorten_logs(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    """Give back the empty pages of the tables' logs of changes; returns how many logs were long. In autocommit mode."""
    found = connection.execute(_LONG, (LOG_PAGES,)).fetchall()
    for (name,) in found:
        table = sql.Identifier("engine", name)
        connection.execute("SELECT set_config('statement_timeout', %s, false)", (f"{_PATIENCE_MS}ms",))
        try:
            connection.execute(sql.SQL("VACUUM (SKIP_LOCKED, PROCESS_TOAST false) {}").format(table))
        except (psycopg.errors.QueryCanceled, psycopg.errors.UndefinedTable):
            pass  # what it has found empty is used again all the same; or the table has just been dropped
        finally:
            connection.execute("SELECT set_config('statement_timeout', '0', false)")
    return len(found)


_REST = 20
"""A look that found nothing is followed by a rest of so many times its length."""


@dataclass(slots=True)
class Upkeep:
    """Both of it, as often as it is worth. `clock` gives seconds that only rise."""

    clock: Callable[[], float] = time.monotonic
    _not_before: float = 0.0

    def look(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Do what there is to do, unless the last look was too long a short time ago."""
        began = self.clock()
        if began < self._not_before:
            return
        found = analyze_grown(connection) + shorten_logs(connection)
        if not found:
            self._not_before = self.clock() + _REST * (self.clock() - began)
