"""GROUPING SETS, ROLLUP and CUBE over no rows: PostgreSQL gives a group for each empty set, RisingWave none.

A group that has rows counts some, so that HAVING leaves out the others. Views are compiled without such groups by themselves
(`engine.compile.clauses.grouping_sets`). Works on tokens; called by `to_postgres`. No I/O.
"""

from __future__ import annotations

import re

from sqlglot.tokenizer_core import Token

from tailrace.sql.brackets import STEP, is_word, until
from tailrace.sql.dialect import tokens_of

_GATE = re.compile(r"\b(?:rollup|cube)\s*\(|\bgrouping\s+sets\b|\bgroup\s+by\s*\(\s*\)", re.IGNORECASE)
_SETS = frozenset({"ROLLUP", "CUBE", "GROUPING"})
_ENDS = frozenset(
    "HAVING WINDOW ORDER LIMIT OFFSET FETCH UNION EXCEPT INTERSECT FOR EMIT ON RETURNING ;".split()
)


def without_empty_groups(sql: str) -> str:
    """`sql` with groups that have rows; the same object where it has no grouping sets.

    >>> without_empty_groups("SELECT a, count(*) FROM t GROUP BY ROLLUP (a) ORDER BY 1")
    'SELECT a, count(*) FROM t GROUP BY ROLLUP (a) HAVING count(*) > 0 ORDER BY 1'
    >>> without_empty_groups("SELECT a FROM t GROUP BY CUBE (a) HAVING a > 1 OR a < 0")
    'SELECT a FROM t GROUP BY CUBE (a) HAVING count(*) > 0 AND (a > 1 OR a < 0)'
    """
    if not _GATE.search(sql):
        return sql
    tokens = tokens_of(sql)
    if tokens is None:
        return sql
    added: list[tuple[int, str]] = []
    for at in reversed([i for i, t in enumerate(tokens) if is_word(t, frozenset({"GROUP"}))]):
        end = until(tokens, at + 1, _ENDS)
        if end > at + 1 and _has_sets(tokens, at + 1, end):
            added += _condition(tokens, end)
    for position, text in sorted(added, key=lambda each: -each[0]):
        sql = f"{sql[:position]}{text}{sql[position:]}"
    return sql


def _has_sets(tokens: list[Token], start: int, end: int) -> bool:
    depth = 0
    for index in range(start, end):
        if depth == 0 and (
            is_word(tokens[index], _SETS) or [t.text for t in tokens[index : index + 2]] == ["(", ")"]
        ):
            return True
        depth += STEP.get(tokens[index].token_type, 0)
    return False


def _condition(tokens: list[Token], end: int) -> list[tuple[int, str]]:
    """What to put where, behind a GROUP BY that ends before token `end`."""
    if end < len(tokens) and is_word(tokens[end], frozenset({"HAVING"})):
        last = until(tokens, end + 1, _ENDS - {"ON"})
        return [(tokens[last - 1].end + 1, ")"), (tokens[end + 1].start, "count(*) > 0 AND (")]
    return [(tokens[end - 1].end + 1, " HAVING count(*) > 0")]
