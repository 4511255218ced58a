"""Ad-hoc queries: RisingWave's syntax made PostgreSQL's. Called by the front door for each query text.

Cheap when there is nothing to do: only text that may hold RisingWave-only syntax is parsed.
"""

from __future__ import annotations

import re

from sqlglot import exp

from tailrace.sql.aggregate_calls import aggregate_calls
from tailrace.sql.asof import expand_asof
from tailrace.sql.dialect import parse_statement
from tailrace.sql.windows import expand_windows

_SPECIAL = re.compile(
    r"\b(tumble|hop|gap_fill)\s*\(|\bfor\s+system_time\b|\basof\b|\bproctime\s*\(", re.IGNORECASE
)


def to_postgres(sql: str) -> str:
    """Return `sql` unchanged, or rewritten where it uses TUMBLE, HOP or ASOF; raises UnsupportedFeature for what cannot run so.

    >>> to_postgres("SELECT 1")
    'SELECT 1'
    """
    sql = aggregate_calls(sql)
    if not _SPECIAL.search(sql):
        return sql
    tree = parse_statement(sql)
    for function in tree.find_all(exp.Anonymous):
        if function.name.lower() == "proctime":
            function.replace(exp.Anonymous(this="now"))
    return expand_windows(expand_asof(tree)).sql(dialect="postgres")
