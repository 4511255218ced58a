"""Statistics for the planner while state grows: ANALYZE of the tables that have grown fourfold since the last one.

State starts empty in a session whose plans are kept; on an empty table all indexes look alike, and a join of 2,000 rows that
probed by the wrong one took 1.1 s. ANALYZE makes PostgreSQL plan again by itself. Run by the listener's thread on its own
connection, so that no barrier waits for it; autovacuum, which does the same, looks only every 15 s.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

GROWTH = 4
_GROWN = """
SELECT c.relname FROM pg_stat_user_tables AS s JOIN pg_class AS c ON c.oid = s.relid
WHERE s.schemaname = 'engine' AND s.n_live_tup > %s * greatest(c.reltuples, 25) ORDER BY s.n_live_tup
"""


def analyze_grown(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    """Analyze what has grown; returns how many tables. The connection is in autocommit mode."""
    grown = connection.execute(_GROWN, (GROWTH,)).fetchall()
    for (name,) in grown:
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("engine", name)))
    return len(grown)
