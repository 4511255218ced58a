"""WHERE: plain conditions become filters, those with now() temporal filters, those with a subquery dynamic filters."""

from __future__ import annotations

from sqlglot import exp

from engine.compile.clauses.subquery import narrow
from engine.compile.expressions import check_scalars, soften
from engine.compile.scope import (
    COMPARISONS,
    FLIPPED,
    Planner,
    Queries,
    Scope,
    bind,
    computed,
    filtered,
    has_subquery,
)
from engine.operators.project import Filter
from engine.operators.temporal_filter import TemporalFilter
from tailrace.errors import UnsupportedFeature


def rank(condition: exp.Expr) -> int:
    """In which order conditions are applied: what stores nothing first, what moves with time last."""
    if has_subquery(condition):
        return 1
    return 2 if condition.find(exp.CurrentTimestamp) else 0


def where(planner: Planner, scope: Scope, condition: exp.Expr, ctes: Queries) -> None:
    """Narrow the scope down to the rows for which `condition`, one of the ANDed ones, is true."""
    if has_subquery(condition):
        narrow(planner, scope, condition, ctes)
        return
    bound = bind(scope, condition)
    if bound.find(exp.CurrentTimestamp):
        _temporal_filter(planner, scope, bound)
        return
    filtered(planner, scope, condition)


def _temporal_filter(planner: Planner, scope: Scope, condition: exp.Expr) -> None:
    if isinstance(condition, exp.EQ):  # not below and not above
        for kind in (exp.GTE, exp.LTE):
            _temporal_filter(
                planner, scope, kind(this=condition.this.copy(), expression=condition.expression.copy())
            )
        return
    op = COMPARISONS.get(type(condition))
    form = "column > now() - INTERVAL '...' (or >=, <, <=), ANDed with other conditions"
    if isinstance(condition, exp.Between):
        for side, kind in (("low", exp.GTE), ("high", exp.LTE)):
            _one_side(
                planner, scope, kind(this=condition.this.copy(), expression=condition.args[side].copy())
            )
        return
    if op is None:
        raise UnsupportedFeature("this use of now() in a view", hint=f"write {form}")
    left, right = condition.this, condition.expression
    if left.find(exp.CurrentTimestamp):
        left, right, op = right, left, FLIPPED[op]
    if left.find(exp.CurrentTimestamp) or right.find(exp.Column):
        raise UnsupportedFeature("this use of now() in a view", hint=f"write {form}")
    if not _rises(right):
        raise UnsupportedFeature("this use of now() in a view", hint=f"write {form}")
    check_scalars(planner.environment, [left])
    scope.operator, columns = computed(planner, scope.operator, [left])
    scope.operator = TemporalFilter(scope.operator, columns[0], op, right.unnest())


def _rises(node: exp.Expr) -> bool:
    """Does it grow with now(): now() itself, shifted, truncated or cast to a date or a time?"""
    node = node.unnest()
    if isinstance(node, exp.TimestampTrunc | exp.DateTrunc | exp.Cast):
        return _rises(node.this)
    return isinstance(node, exp.CurrentTimestamp | exp.Sub | exp.Add)


def _one_side(planner: Planner, scope: Scope, condition: exp.Expr) -> None:
    if condition.find(exp.CurrentTimestamp):
        _temporal_filter(planner, scope, condition)
    else:
        base, soft = soften(planner.environment, scope.operator, [condition])
        scope.operator = Filter(base, soft[0])
