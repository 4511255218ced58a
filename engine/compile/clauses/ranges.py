"""Joins on comparisons alone: which of the conditions an index serves, and the columns that it is on.

`l.ts >= r.ts - INTERVAL '5 minutes' AND l.ts <= r.ts` gives two ranges, l.ts >= x and l.ts <= r.ts, where x is a computed
column of the right side. The conditions stay as they are beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from engine.compile.relations import describe_over
from engine.compile.scope import COMPARISONS, Planner, computed
from engine.operators.base import Operator
from engine.operators.matching import FLIPPED, Range
from engine.operators.over_rows import ZERO, base_type

ONE_INDEX = (
    {"smallint", "integer", "bigint"},
    {"real", "double precision"},
    {"date", "timestamp without time zone", "timestamp with time zone"},
    {"text", "character varying"},
)
"""Types that one B-tree index compares with each other (PostgreSQL manual, "Operator classes and operator families")."""
_MOST = 2
"""Of the second on, an index only says which of the rows that the first one finds need not be fetched."""


def ranges_of(
    planner: Planner, left: Operator, right: Operator, conditions: Sequence[exp.Expr]
) -> tuple[Operator, Operator, tuple[Range, ...]]:
    """Both sides with the columns that are compared, and the comparisons; `conditions` are over the columns of both."""
    lefts, rights = {c.name for c in left.columns}, {c.name for c in right.columns}
    found: list[Range] = []
    for one, op, other in _comparisons(conditions):
        reads = [{c.name for c in side.find_all(exp.Column)} for side in (one, other)]
        if all(reads) and reads[0] <= rights and reads[1] <= lefts:
            one, op, other, reads = other, FLIPPED[op], one, reads[::-1]
        if not (all(reads) and reads[0] <= lefts and reads[1] <= rights) or len(found) == _MOST:
            continue
        types = (
            describe_over(planner.environment, left, [one])[0],
            describe_over(planner.environment, right, [other])[0],
        )
        if not _one_index(*types):
            continue
        left, (column,) = computed(planner, left, [one])
        right, (bound,) = computed(planner, right, [other])
        found.append(Range(column, op, bound, types[1], types[0]))
    return left, right, tuple(found)


def _comparisons(conditions: Sequence[exp.Expr]) -> Iterator[tuple[exp.Expr, str, exp.Expr]]:
    """What must hold in any case, as (side, operator, side)."""
    for condition in conditions:
        part = condition.unnest()
        if isinstance(part, exp.And):
            yield from _comparisons([part.this, part.expression])
        if isinstance(part, exp.Between) and not part.args.get("symmetric"):
            yield part.this.unnest(), ">=", part.args["low"].unnest()
            yield part.this.unnest(), "<=", part.args["high"].unnest()
        op = COMPARISONS.get(type(part))
        if op is not None:
            yield part.this.unnest(), op, part.expression.unnest()


def _one_index(one: str, other: str) -> bool:
    if base_type(one) not in ZERO or base_type(other) not in ZERO:
        return False
    return one == other or any({one, other} <= family for family in ONE_INDEX)
