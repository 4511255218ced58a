"""Ad-hoc queries: RisingWave's syntax made PostgreSQL's. Called by the front door for each query text.

Cheap when there is nothing to do: only text that may hold RisingWave-only syntax is parsed.
"""

from __future__ import annotations

import re

from tailrace.sql.aggregate_calls import aggregate_calls
from tailrace.sql.asof import expand_asof
from tailrace.sql.dialect import parse_statement
from tailrace.sql.full_joins import comparable_full_joins
from tailrace.sql.group_names import qualified_groups
from tailrace.sql.grouping import without_empty_groups
from tailrace.sql.sessions import expand_sessions
from tailrace.sql.spelling import renamed, respelled
from tailrace.sql.windows import expand_windows

_SPECIAL = re.compile(
    r"\b(tumble|hop|gap_fill)\s*\(|\bfor\s+system_time\b|\basof\b|\bsession\s+with\b", re.IGNORECASE
)


def to_postgres(sql: str) -> str:
    """Return `sql` unchanged, or rewritten where RisingWave's own syntax needs it.

    >>> to_postgres("SELECT 1")
    'SELECT 1'

    Raises UnsupportedFeature for what cannot run ad hoc, InvalidStatement for what is malformed.
    """
    sql = qualified_groups(without_empty_groups(comparable_full_joins(aggregate_calls(respelled(sql)))))
    if not _SPECIAL.search(sql):
        return renamed(sql)
    tree = parse_statement(sql)
    return expand_windows(expand_sessions(expand_asof(tree))).sql(dialect="postgres")
