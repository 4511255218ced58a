"""GROUP BY name where several relations have a column of that name, and the select list says which is meant.

RisingWave takes a name that is ambiguous among the columns for that of an output column; PostgreSQL refuses it. Works on the
text, at the places where the parser found the names; called by `to_postgres`. No I/O.
"""

from __future__ import annotations

import re

from sqlglot import exp

from tailrace.errors import TailraceError
from tailrace.sql.dialect import parse_statement
from tailrace.sql.names import folded

_GATE = re.compile(r"\bgroup\s+by\b", re.IGNORECASE)
_JOINED = re.compile(r"\bjoin\b|,", re.IGNORECASE)
_QUALIFIED = re.compile(r'\.\s*(?:"([^"]+)"|(\w+))')


def qualified_groups(sql: str) -> str:
    """`sql` with names in GROUP BY qualified as the select list has them; the same object where there is nothing to do.

    >>> qualified_groups("SELECT t.name, u.b FROM t JOIN u ON true GROUP BY name, b")
    'SELECT t.name, u.b FROM t JOIN u ON true GROUP BY t.name, u.b'
    >>> qualified_groups("SELECT t.name AS n, u.name FROM t, u GROUP BY n, t.name")
    'SELECT t.name AS n, u.name FROM t, u GROUP BY n, t.name'
    """
    group = _GATE.search(sql)
    if group is None or not _JOINED.search(sql):
        return sql
    qualified = {match[1] or match[2].lower() for match in _QUALIFIED.finditer(sql)}
    if not qualified & {word.lower() for word in re.findall(r"\w+", sql[group.end() :])}:
        return sql
    try:
        tree = parse_statement(sql)
    except TailraceError:
        return sql  # PostgreSQL tells what is wrong
    edits = [edit for select in tree.find_all(exp.Select) for edit in _edits(sql, select)]
    for start, end, text in sorted(edits, reverse=True):
        sql = f"{sql[:start]}{text}{sql[end:]}"
    return sql


def _edits(sql: str, select: exp.Select) -> list[tuple[int, int, str]]:
    group = select.args.get("group")
    if group is None or not select.args.get("joins"):
        return []
    columns: dict[str, list[exp.Expr]] = {}
    for item in select.expressions:
        named = item.args.get("alias") if isinstance(item, exp.Alias) else item.this
        if isinstance(named, exp.Identifier):
            columns.setdefault(folded(named), []).append(item.unalias())
    edits = []
    for written in group.expressions:
        if (
            not isinstance(written, exp.Column)
            or written.table
            or not isinstance(written.this, exp.Identifier)
        ):
            continue
        name = folded(written.this)
        meant = columns.get(name, [])
        if (
            len(meant) == 1
            and isinstance(meant[0], exp.Column)
            and meant[0].table
            and folded(meant[0].this) == name
        ):
            places = [part.meta for part in (*meant[0].parts, written.this)]
            if all("start" in place for place in places):
                text = sql[places[0]["start"] : places[-2]["end"] + 1]
                edits.append((places[-1]["start"], places[-1]["end"] + 1, text))
    return edits
