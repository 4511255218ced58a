"""Watermarks: up to which value a column is complete, and how that passes from an operator's input to its output.

A watermark W of a column says that no later barrier brings a change to a row whose value is below W. It is an SQL
expression over the sources' watermarks (`engine.source_watermarks`), so it is exact at every barrier, commits with it and,
since each step on the way is a function that never falls, never goes back. NULL: nothing is known yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from tailrace.sql.windows import interval_us

_ORDERED = ("timestamp", "timestamptz", "date")


@dataclass(frozen=True, slots=True)
class Watermark:
    """A lower bound of what a column can still bring; `moves` is False for one that is the same for ever.

    `timed` is True for one that comes from the barrier's time alone, so that it counts while a view is being filled, too.
    """

    sql: str
    moves: bool = True
    timed: bool = False


Watermarks = Mapping[str, Watermark]
"""By column name."""


def least(watermarks: Sequence[Watermark]) -> Watermark:
    """What holds for all of them together: the least, nothing as long as one knows nothing."""
    if len(watermarks) == 1:
        return watermarks[0]
    sqls = [w.sql for w in watermarks]
    known = " AND ".join(f"{s} IS NOT NULL" for s in sqls)
    text = f"CASE WHEN {known} THEN least({', '.join(sqls)}) END"
    return Watermark(text, any(w.moves for w in watermarks), all(w.timed for w in watermarks))


def moving(watermarks: Watermarks) -> Watermarks:
    """Those that move: only below such can all rows come to lie."""
    return {column: watermark for column, watermark in watermarks.items() if watermark.moves}


def carried(item: exp.Expr, watermarks: Watermarks) -> Watermark | None:
    """The watermark of a computed column; None where the expression is not known never to fall as its columns rise.

    Casts among timestamps and dates, shifts by an interval, date_bin and date_trunc keep one; so does what HOP adds.

    >>> import sqlglot
    >>> carried(sqlglot.parse_one("ts - INTERVAL '5 SECONDS'", read="postgres"), {"ts": Watermark("w")}).sql
    "w - INTERVAL '5 SECONDS'"
    """
    found = sorted(_rising(item, watermarks))
    if not found:
        return None
    # text goes in as it is: sqlglot does not write every expression back as it reads it (date_bin loses a quote)
    marks = {name: f"_watermark_{number}_" for number, name in enumerate(found)}
    lower = item.copy().transform(
        lambda node: exp.column(marks[node.name]) if isinstance(node, exp.Column) else node
    )
    text = lower.sql(dialect="postgres")
    for name, mark in marks.items():
        text = text.replace(mark, watermarks[name].sql)
    return Watermark(text, any(watermarks[name].moves for name in found))


def at_least(
    larger: exp.Expr, smaller: exp.Expr, own: Watermarks, other: Watermarks
) -> tuple[str, Watermark] | None:
    """The column of `larger` and the watermark that it has since `larger >= smaller` holds; None if none follows.

    `larger` is a column of `own`, or one shifted by an interval of a fixed length; `smaller` rises with columns of `other`.

    >>> import sqlglot
    >>> larger, smaller = sqlglot.parse_one("r.b + INTERVAL '10 SECONDS'", read="postgres"), sqlglot.parse_one("l.a")
    >>> at_least(larger, smaller, {"b": Watermark("v")}, {"a": Watermark("w")})[1].sql
    "CASE WHEN v IS NOT NULL AND w - INTERVAL '10 SECONDS' IS NOT NULL THEN least(v, w - INTERVAL '10 SECONDS') END"
    """
    larger, smaller = larger.unnest(), smaller.copy()
    while isinstance(larger, exp.Add | exp.Sub) and interval_us(larger.expression) is not None:
        back = exp.Sub if isinstance(larger, exp.Add) else exp.Add
        smaller = back(this=smaller, expression=larger.expression.copy())
        larger = larger.this.unnest()
    if not isinstance(larger, exp.Column) or larger.name not in own:
        return None
    below = carried(smaller, other)
    return None if below is None else (larger.name, least([own[larger.name], below]))


def _rising(node: exp.Expr, watermarks: Watermarks) -> set[str]:
    """The columns that `node` rises with; empty if it may fall, or reads anything that has no watermark."""
    if isinstance(node, exp.Paren):
        return _rising(node.this, watermarks)
    if isinstance(node, exp.Column):
        return {node.name} if node.name in watermarks else set()
    if isinstance(node, exp.Cast) and node.to.is_type(*_ORDERED):
        return _rising(node.this, watermarks)
    if isinstance(node, exp.Anonymous) and node.name.lower() == "date_bin":
        size, time, origin = node.expressions
        return _rising(time, watermarks) if _interval(size) and isinstance(origin, exp.Literal) else set()
    if isinstance(node, exp.TimestampTrunc | exp.DateTrunc) and node.args.get("zone") is None:
        return _rising(node.this, watermarks)
    if isinstance(node, exp.Mul) and (interval_us(node.expression) or 0) > 0:  # n * hop
        return _rising(node.this, watermarks)
    if isinstance(node, exp.Add | exp.Sub):
        left = _rising(node.this, watermarks)
        if left and _interval(node.expression):
            return left
        right = _rising(node.expression, watermarks) if isinstance(node, exp.Add) else set()
        return left | right if left and right else set()
    return set()


def _interval(node: exp.Expr) -> bool:
    """Is it an interval literal, or sums and differences of such?"""
    if isinstance(node, exp.Paren | exp.Neg):
        return _interval(node.this)
    if isinstance(node, exp.Add | exp.Sub):
        return _interval(node.this) and _interval(node.expression)
    literal = isinstance(node.this, exp.Literal)
    return literal and (
        isinstance(node, exp.Interval) or (isinstance(node, exp.Cast) and node.to.is_type("interval"))
    )
