"""percentile_cont, percentile_disc, approx_percentile and mode, each by an operator that follows changes, joined to the rest.

Before: `Aggregate by (g) count(*), percentile_cont(0.5) of x`, which reads all rows of a group that changes. After:
`Aggregate by (g) count(*)` LEFT JOIN `Percentile by (g)` on g. The mode is the first of the groups (g, x) by their counts. Calls
that these do not express (a fraction that is no number, DESC, an array of fractions) stay where they are. Pure: operators to
operators. Not used where a view emits on window close: there a group is read once, when it closes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import count

from sqlglot import exp

from engine.operators.accumulators import AggregateCall
from engine.operators.aggregate import Aggregate
from engine.operators.base import Column, Operator
from engine.operators.matching import Match
from engine.operators.outer_join import OuterJoin
from engine.operators.over_rows import ZERO, base_type
from engine.operators.percentile import APPROX, CONT, FUNCTIONS, Percentile, Place
from engine.operators.project import Filter, Project, sql
from engine.operators.shared import Shared
from engine.operators.top_n import SortKey, TopN

_MODE = "mode"


def ordered_sets(operator: Operator) -> Operator:
    """The operators of `operator` with its ordered-set aggregates maintained apart."""
    return _Rewriting().of(operator)


@dataclass(slots=True)
class _Rewriting:
    """One pass; what several operators read stays one operator."""

    _made: dict[int, Operator] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def of(self, operator: Operator) -> Operator:
        if id(operator) not in self._made:
            changed = self._with_inputs(operator)
            self._made[id(operator)] = self._apart(changed) if isinstance(changed, Aggregate) else changed
        return self._made[id(operator)]

    def _with_inputs(self, operator: Operator) -> Operator:
        new: dict[str, object] = {}
        for each in fields(operator):  # type: ignore[arg-type]
            value = getattr(operator, each.name)
            if isinstance(value, Operator):
                changed: object = self.of(value)
                if changed is not value:
                    new[each.name] = changed
            elif isinstance(value, tuple) and value and all(isinstance(v, Operator) for v in value):
                several = tuple(self.of(v) for v in value)
                if any(a is not b for a, b in zip(several, value, strict=True)):
                    new[each.name] = several
        return replace(operator, **new) if new else operator  # type: ignore[type-var]

    def _apart(self, aggregate: Aggregate) -> Operator:
        moved = [c for c in aggregate.calls if _can_move(aggregate, c)]
        if not moved:
            return aggregate
        rows = aggregate.input
        if not isinstance(rows, Shared):
            rows = Shared(rows, "rows of the groups")
        rest = tuple(c for c in aggregate.calls if c not in moved)
        operator: Operator = Aggregate(rows, aggregate.group, rest)
        for side in self._sides(aggregate, rows, moved):
            pairs = tuple(zip(aggregate.group, side.key, strict=False)) if aggregate.group else ()
            operator = OuterJoin(operator, side, Match(pairs, null_safe=frozenset(a for a, _ in pairs)))
        items = tuple(_column(c.name) for c in aggregate.columns)
        operator = Project(operator, items, aggregate.columns, aggregate.key)
        return operator if aggregate.having is None else Filter(operator, aggregate.having)

    def _sides(self, aggregate: Aggregate, rows: Operator, calls: Sequence[AggregateCall]) -> list[Operator]:
        """What the calls give, by group; a percentile's calls over the same rows in the same order are one."""
        by_rows: dict[tuple[str, str | None], list[AggregateCall]] = {}
        sides: list[Operator] = []
        for call in calls:
            if call.function == _MODE:
                sides.append(self._renamed(self._mode(aggregate, rows, call), aggregate.group, [call.output]))
            else:
                by_rows.setdefault((call.order[0].column, call.filter), []).append(call)
        for (value, condition), members in by_rows.items():
            places = tuple(
                Place(c.function, f"({sql(c.direct[0])})", c.output, *(sql(d) for d in c.direct[1:]))
                for c in members
            )
            made = Percentile(_passing(rows, value, condition), aggregate.group, value, places)
            sides.append(self._renamed(made, aggregate.group, [c.output for c in members]))
        return sides

    def _mode(self, aggregate: Aggregate, rows: Operator, call: AggregateCall) -> Operator:
        """The first of the values by how often they occur."""
        key, number = call.order[0], f"_often{next(self._numbers)}"
        often = AggregateCall("count", None, None, Column(number, "bigint"))
        counted = Aggregate(_passing(rows, key.column, call.filter), (*aggregate.group, key.column), (often,))
        order = (SortKey(number, descending=True, nulls_first=True), replace(key, nulls_first=key.descending))
        first = TopN(counted, aggregate.group, order, 1, None)
        columns = (*(first.column(g) for g in aggregate.group), call.output)
        items = (*(_column(g) for g in aggregate.group), _column(key.column))
        hidden = Column(key.column, first.column(key.column).type, hidden=True)
        return Project(
            first, (*items, _column(key.column)), (*columns, hidden), (*aggregate.group, hidden.name)
        )

    def _renamed(self, side: Operator, group: Sequence[str], outputs: Sequence[Column]) -> Operator:
        """With names of its own for the group's columns, and the group first in the key."""
        number = next(self._numbers)
        others = [c.name for c in side.columns if c.name not in {o.name for o in outputs}]
        named = {name: f"_side{number}_{at}" for at, name in enumerate(others)}
        columns = tuple(Column(named.get(c.name, c.name), c.type, hidden=True) for c in side.columns)
        key = (*(named[g] for g in group), *(named[k] for k in side.key if k not in group))
        return Project(side, tuple(_column(c.name) for c in side.columns), columns, key)


def _passing(rows: Operator, value: str, condition: str | None) -> Operator:
    known = exp.not_(exp.Is(this=_column(value), expression=exp.null()))
    return Filter(rows, known if condition is None else exp.and_(known, _column(condition)))


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))


def _can_move(aggregate: Aggregate, call: AggregateCall) -> bool:
    rows = aggregate.input
    if len(call.order) != 1 or call.order[0].column in aggregate.group or not rows.key:
        return False
    value = call.order[0]
    if call.function == _MODE:
        return not call.direct
    if call.function not in FUNCTIONS or value.descending or not call.direct:
        return False
    if call.function == CONT and call.output.type != "double precision":
        return False
    if call.function == APPROX and not all(_number(d) is not None for d in call.direct[1:]):
        return False
    fraction, columns = _number(call.direct[0]), (value.column, *aggregate.group, *rows.key)
    indexed = all(base_type(rows.column(c).type) in ZERO for c in columns)
    return indexed and fraction is not None and 0 <= fraction <= 1


def _number(node: exp.Expr) -> float | None:
    """The value of an expression of literals; None for any other."""
    node = node.unnest()
    if isinstance(node, exp.Literal) and not node.is_string:
        return float(node.name)
    if isinstance(node, exp.Neg):
        inner = _number(node.this)
        return None if inner is None else -inner
    if isinstance(node, exp.Add | exp.Sub):
        left, right = _number(node.this), _number(node.expression)
        if left is None or right is None:
            return None
        return left + right if isinstance(node, exp.Add) else left - right
    return None
