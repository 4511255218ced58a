"""FULL JOINs on conditions without an equality, for PostgreSQL, which runs none of them.

It joins by hash where one conjunct of the condition compares both sides for equality and applies the rest to each pair. So an
equality that always holds is put in front: whether the row of a side is NULL is never NULL itself. All pairs are compared, as
RisingWave does. Works on tokens; called by `to_postgres`. No I/O.
"""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from tailrace.sql.brackets import STEP, is_word, until
from tailrace.sql.dialect import TailraceSQL, tokens_of

_GATE = re.compile(r"\bfull\s+(?:outer\s+)?join\b", re.IGNORECASE)
_JOIN_WORDS = frozenset({"JOIN", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "NATURAL", "ASOF"})
_ENDS = _JOIN_WORDS | frozenset(
    "WHERE GROUP HAVING ORDER LIMIT OFFSET FETCH WINDOW UNION EXCEPT INTERSECT FOR EMIT ; ,".split()
)


def comparable_full_joins(sql: str) -> str:
    """`sql` with FULL JOINs that PostgreSQL runs; the same object where nothing has to change.

    >>> comparable_full_joins("SELECT * FROM t FULL JOIN u ON t.a < u.b ORDER BY 1")
    'SELECT * FROM t FULL JOIN u ON ((t.* IS NULL) IS NOT NULL) = ((u.* IS NULL) IS NOT NULL) AND (t.a < u.b) ORDER BY 1'
    >>> comparable_full_joins("SELECT * FROM t FULL JOIN u ON t.a = u.a AND t.b < u.b")
    'SELECT * FROM t FULL JOIN u ON t.a = u.a AND t.b < u.b'
    """
    if not _GATE.search(sql):
        return sql
    tokens = tokens_of(sql)
    if tokens is None:
        return sql
    for at in reversed([i for i, t in enumerate(tokens) if t.text.upper() == "FULL"]):
        sql = _rewritten(sql, tokens, at)
    return sql


def _rewritten(sql: str, tokens: list[Token], at: int) -> str:
    join = at + 2 if at + 1 < len(tokens) and tokens[at + 1].text.upper() == "OUTER" else at + 1
    if join >= len(tokens) or tokens[join].text.upper() != "JOIN":
        return sql
    on = until(tokens, join + 1, frozenset({"ON"}) | _ENDS)
    if on >= len(tokens) or tokens[on].text.upper() != "ON":
        return sql
    end = until(tokens, on + 1, _ENDS)
    condition = sql[tokens[on + 1].start : tokens[end - 1].end + 1]
    left, right = _name(tokens, _left(tokens, at)), _name(tokens, on)
    if left is None or right is None or _hashable(condition):
        return sql
    names = (sql[tokens[i].start : tokens[i].end + 1] for i in (left, right))
    equality = " = ".join(f"(({name}.* IS NULL) IS NOT NULL)" for name in names)
    return f"{sql[: tokens[on + 1].start]}{equality} AND ({condition}){sql[tokens[end - 1].end + 1 :]}"


def _left(tokens: list[Token], at: int) -> int:
    """The index behind the relation that stands last before the join at `at`: its own ON or USING left out."""
    depth, end = 0, at
    for index in range(at - 1, -1, -1):
        step = STEP.get(tokens[index].token_type, 0)
        depth -= step
        if depth < 0 or (depth == 0 and not step and is_word(tokens[index], _JOIN_WORDS | {"FROM", ","})):
            break
        if depth == 0 and is_word(tokens[index], frozenset({"ON", "USING"})):
            end = index
    return end


def _name(tokens: list[Token], end: int) -> int | None:
    """The token that a relation is called by, which ends before `end`; None where it has no name."""
    last = end - 1
    if last >= 0 and tokens[last].token_type is TokenType.R_PAREN:  # t (a, b)
        depth = 0
        while last >= 0:
            depth -= STEP.get(tokens[last].token_type, 0)
            if depth == 0:
                break
            last -= 1
        last -= 1
        if last < 1 or not (
            is_word(tokens[last - 1], frozenset({"AS"})) or tokens[last - 1].token_type is TokenType.R_PAREN
        ):
            return None
    named = last >= 0 and (
        tokens[last].token_type in (TokenType.IDENTIFIER, TokenType.VAR)
        or (tokens[last].text.isidentifier() and not is_word(tokens[last], _ENDS | {"FROM", "ON"}))
    )
    return last if named else None


def _hashable(condition: str) -> bool:
    """Does PostgreSQL find an equality between the two sides? One over columns of one relation each counts as such."""
    try:
        tree = TailraceSQL().parse(f"SELECT {condition}")[0]
    except SqlglotError:
        return True
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1:
        return True
    found = tree.expressions[0].unnest()
    for part in found.flatten() if isinstance(found, exp.And) else (found,):
        part = part.unnest()
        if not isinstance(part, exp.EQ):
            continue
        sides = [{c.table for c in side.find_all(exp.Column)} for side in (part.this, part.expression)]
        if all(len(side) == 1 for side in sides) and (sides[0] != sides[1] or sides[0] == {""}):
            return True
    return False
