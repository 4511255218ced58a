"""Aggregates that PostgreSQL lacks or computes otherwise, in a query's text: avg, first_value, last_value, arg_min, arg_max.

Works on tokens, so that everything else of a text stays as it was written. The functions of schema `rw` are in
`engine/functions/aggregates.sql`; they have the names of those they stand for, so columns keep theirs. Called by `to_postgres`
and by the compiler. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from tailrace.sql.brackets import STEP, closing
from tailrace.sql.dialect import tokens_of

_NAMES = ("avg", "first_value", "last_value", "arg_min", "arg_max")
_CALLED = re.compile(rf"\b(?:{'|'.join(_NAMES)})\s*\(", re.IGNORECASE)


def aggregate_calls(sql: str) -> str:
    """`sql` with these calls as PostgreSQL runs them; the same object where there are none.

    A decimal average has RisingWave's scale, which is that of a division of decimals:
    >>> aggregate_calls("SELECT avg(a) FILTER (WHERE b) FROM t")
    'SELECT rw.avg(sum(a) FILTER (WHERE b), count(a) FILTER (WHERE b)) FROM t'

    Aggregates that are window functions only in PostgreSQL, and what takes a value by another's order:
    >>> aggregate_calls("SELECT first_value(a ORDER BY b), first_value(a) OVER (ORDER BY b) FROM t")
    'SELECT rw.first_value(a ORDER BY b), first_value(a) OVER (ORDER BY b) FROM t'
    >>> aggregate_calls("SELECT arg_max(a, b) FROM t")
    'SELECT rw.arg_max(a ORDER BY b DESC) FILTER (WHERE a IS NOT NULL AND b IS NOT NULL) FROM t'

    IGNORE NULLS:
    >>> aggregate_calls("SELECT last_value(a IGNORE NULLS) OVER w FROM t WINDOW w AS (ORDER BY b)")
    'SELECT rw.last_value_not_null(a) OVER w FROM t WINDOW w AS (ORDER BY b)'
    """
    if not _CALLED.search(sql):
        return sql
    before = len(sql)
    while True:  # from the last call to the first: what stands before one is not touched by it
        tokens = tokens_of(sql)
        if tokens is None:
            return sql
        found = [i for i, t in enumerate(tokens) if t.start < before and _is_call(tokens, i)]
        if not found:
            return sql
        before = tokens[found[-1]].start
        sql = _rewritten(sql, tokens, found[-1])


def _is_call(tokens: Sequence[Token], at: int) -> bool:
    qualified = at > 0 and tokens[at - 1].token_type is TokenType.DOT
    called = at + 1 < len(tokens) and tokens[at + 1].token_type is TokenType.L_PAREN
    quoted = tokens[at].token_type is TokenType.IDENTIFIER
    return called and not qualified and not quoted and tokens[at].text.lower() in _NAMES


def _rewritten(sql: str, tokens: Sequence[Token], at: int) -> str:
    """The text with the call at token `at` rewritten, up to its FILTER and OVER."""
    name, close = tokens[at].text.lower(), closing(tokens, at + 1)
    if close is None:
        return sql
    condition, end = "", close
    if _words(tokens, end + 1, "FILTER"):
        last = closing(tokens, end + 2)
        if last is None:
            return sql
        condition, end = sql[tokens[end + 4].start : tokens[last].start].strip(), last
    filter_end, over = end, _words(tokens, end + 1, "OVER")
    if over:
        last = closing(tokens, end + 2) if tokens[end + 2].token_type is TokenType.L_PAREN else end + 2
        if last is None:
            return sql
        end = last
    window = sql[tokens[filter_end].end + 1 : tokens[end].end + 1]
    filtered = f" FILTER (WHERE {condition})" if condition else ""
    inside = sql[tokens[at + 1].end + 1 : tokens[close].start]
    if name == "avg":
        call = f"rw.avg(sum({inside}){filtered}{window}, count({inside}){filtered}{window})"
    elif name.startswith("arg_"):
        made = _by_order(sql, tokens, at, close, condition)
        if made is None or over:
            return sql
        call = made
    elif _words(tokens, close - 2, "IGNORE", "NULLS"):
        value = sql[tokens[at + 1].end + 1 : tokens[close - 2].start].strip()
        call = f"rw.{name}_not_null({value}){filtered}{window}"
    elif over:
        return sql
    else:
        call = f"rw.{name}({inside}){filtered}"
    return f"{sql[: tokens[at].start]}{call}{sql[tokens[end].end + 1 :]}"


def _by_order(sql: str, tokens: Sequence[Token], at: int, close: int, condition: str) -> str | None:
    """arg_min(value, by ORDER BY more): the value of the first row in the order of `by`; None where it has not two arguments."""
    depth, commas, order = 0, [], close
    for i in range(at + 2, close):
        depth += STEP.get(tokens[i].token_type, 0)
        if depth == 0 and tokens[i].token_type is TokenType.COMMA and order == close:
            commas.append(i)
        if depth == 0 and tokens[i].token_type is TokenType.ORDER_BY:
            order = i
    if len(commas) != 1:
        return None
    value = sql[tokens[at + 1].end + 1 : tokens[commas[0]].start].strip()
    by = sql[tokens[commas[0]].end + 1 : tokens[order].start].strip()
    more = sql[tokens[order].end + 1 : tokens[close].start].strip() if order < close else ""
    name = tokens[at].text.lower()
    sorts = f"{by}{' DESC' if name == 'arg_max' else ''}{', ' + more if more else ''}"
    passing = " AND ".join(
        [f"{value} IS NOT NULL", f"{by} IS NOT NULL", *([f"({condition})"] if condition else [])]
    )
    return f"rw.{name}({value} ORDER BY {sorts}) FILTER (WHERE {passing})"


def _words(tokens: Sequence[Token], at: int, *words: str) -> bool:
    return [t.text.upper() for t in tokens[at : at + len(words)]] == list(words)
