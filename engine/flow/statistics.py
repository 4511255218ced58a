"""Upkeep that barriers need sooner than autovacuum comes by: statistics while state grows, and short logs of changes.

Statistics: ANALYZE of the tables that have grown fourfold since the last one.

State starts empty in a session whose plans are kept; on an empty table all indexes look alike, and a join of 2,000 rows that
probed by the wrong one took 1.1 s. ANALYZE makes PostgreSQL plan again by itself.

Logs: a barrier reads the whole of `engine.changes_<id>` for what clients have changed, and takes it out. What it leaves is empty
pages, which each later barrier reads as well: behind 200,000 inserted rows 1,500 of them, a quarter of a barrier's work.
VACUUM hands them back.

Run by the listener's thread on its own connection, so that no barrier waits for it; autovacuum, which does the same, looks
only every 15 s.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

GROWTH = 4
_GROWN = """
SELECT c.relname FROM pg_stat_user_tables AS s JOIN pg_class AS c ON c.oid = s.relid
WHERE s.schemaname = 'engine' AND s.n_live_tup > %s * greatest(c.reltuples, 25) ORDER BY s.n_live_tup
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
SELECT c.relname FROM pg_stat_user_tables AS s JOIN pg_class AS c ON c.oid = s.relid
WHERE s.schemaname = 'engine' AND s.relname LIKE 'changes\\_%%' AND pg_relation_size(c.oid) > %s * 8192 AND s.n_dead_tup > 0
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
