"""WHERE column > (SELECT ...): the comparison with an uncorrelated scalar subquery of at most one row.

A join with a relation of at most one row by such a comparison (`FROM t, (SELECT max(x) AS m FROM v) AS b WHERE t.x > b.m`) is
the same filter, behind which the row is joined where the query reads more of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlglot import exp

from engine.compile.clauses.projection import project
from engine.compile.clauses.ranges import ONE_INDEX
from engine.compile.expressions import check_scalars, identifier
from engine.compile.relations import describe_over
from engine.compile.scope import (
    COMPARISONS,
    FLIPPED,
    Planner,
    Queries,
    Scope,
    bind,
    computed,
    has_subquery,
    tables_of,
)
from engine.operators.base import Operator
from engine.operators.dynamic_filter import DynamicFilter
from engine.operators.shared import Shared
from tailrace.errors import InvalidStatement, UnsupportedFeature

_FORM = "write column > (SELECT max(x) FROM v), or >=, <, <=, ANDed with other conditions"


def dynamic_filter(planner: Planner, scope: Scope, condition: exp.Expr, ctes: Queries) -> None:
    """Narrow the scope down by a condition that holds a subquery; refuses by name what is no such comparison."""
    if isinstance(condition, exp.Between):
        for side, kind in (("low", exp.GTE), ("high", exp.LTE)):
            part = kind(this=condition.this.copy(), expression=condition.args[side].copy())
            if not has_subquery(part):
                raise UnsupportedFeature("BETWEEN with one subquery in a view", hint=_FORM)
            dynamic_filter(planner, scope, part, ctes)
        return
    op = COMPARISONS.get(type(condition))
    if op is None:
        raise UnsupportedFeature(
            "subquery in this condition of a view", hint=f"join with the subquery instead, or {_FORM}"
        )
    condition = condition.copy()  # a tree of its own: nothing above it
    left, right = condition.this, condition.expression
    if has_subquery(left):
        left, right, op = right, left, FLIPPED[op]
    subqueries = [s for s in right.find_all(exp.Subquery) if not s.find_ancestor(exp.Query)]
    timed = [n for n in right.find_all(exp.CurrentTimestamp) if not n.find_ancestor(exp.Query)]
    if has_subquery(left) or len(subqueries) != 1 or tables_of(right) or timed:
        raise UnsupportedFeature("this comparison with a subquery in a view", hint=_FORM)
    _filter(planner, scope, left, _bound(planner, right, subqueries[0], ctes), op)


Comparison = tuple[exp.Expr, exp.Expr, str]
"""An expression over what is bounded, one over the row that bounds it, and how they are compared."""


def comparisons(scope: Scope, row: Scope, on: Sequence[exp.Expr]) -> dict[int, Comparison]:
    """Those of the conditions that compare `scope` with `row`, by id; none where an equality leads to the matches."""
    if any(isinstance(c.unnest(), exp.EQ | exp.NullSafeEQ) for c in on):
        return {}
    return {id(c): sides for c in on if (sides := _sides(c.unnest(), scope, row)) is not None}


def bounded(planner: Planner, scope: Scope, row: Scope, found: Iterable[Comparison], *, whole: bool) -> Scope:
    """Narrow `scope` down by comparisons with the row of `row`; returns the row as it may be joined after that.

    `whole`: the rows that pass are then read as a whole.
    """
    operator = row.operator if isinstance(row.operator, Shared) else Shared(row.operator, "bound")
    row = replace(row, operator=operator)
    for value, bound, op in found:
        side = project(planner, row, [exp.alias_(bound.copy(), "bound")])
        _filter(planner, scope, value, side, op, whole=whole)
    return row


def _sides(condition: exp.Expr, scope: Scope, row: Scope) -> Comparison | None:
    """A comparison of an expression over `scope` with one over `row`, in this order."""
    op = COMPARISONS.get(type(condition))
    if op is None:
        return None
    left, right = condition.this, condition.expression
    if tables_of(left) <= set(row.names):
        left, right, op = right, left, FLIPPED[op]
    ours, theirs = tables_of(left), tables_of(right)
    fits = ours and theirs and ours <= set(scope.names) and theirs <= set(row.names)
    return (left, right, op) if fits else None


def _filter(
    planner: Planner, scope: Scope, side: exp.Expr, bound: Operator, op: str, *, whole: bool = False
) -> None:
    value = bind(scope, side)
    check_scalars(planner.environment, [value])
    types = (describe_over(planner.environment, scope.operator, [value])[0], bound.visible[0].type)
    if types[0] != types[1] and not any(set(types) <= family for family in ONE_INDEX):
        value, bound = _aligned(planner, value, bound, types)
    scope.operator, columns = computed(planner, scope.operator, [value])
    scope.operator = DynamicFilter(scope.operator, bound, columns[0], op, whole)


def _bound(planner: Planner, side: exp.Expr, subquery: exp.Subquery, ctes: Queries) -> Operator:
    """The operator of the subquery, with what is computed around it."""
    operator, _ = planner.query(subquery.this, ctes)
    if len(operator.visible) != 1:
        raise InvalidStatement("subquery must return only one column")
    if not operator.of_one_row:
        raise UnsupportedFeature(
            "a scalar subquery that might produce more than one row",
            hint="aggregate it without GROUP BY: (SELECT max(x) FROM v)",
        )
    if side is subquery:
        return operator
    name = operator.visible[0].name
    around = side.copy().transform(lambda n: identifier(name) if isinstance(n, exp.Subquery) else n)
    return project(planner, Scope(operator, {}), [exp.alias_(around, "bound")])


def _aligned(
    planner: Planner, value: exp.Expr, bound: Operator, types: tuple[str, str]
) -> tuple[exp.Expr, Operator]:
    """Both sides cast to the type that PostgreSQL compares them by, so that an index can serve."""
    pair = f"SELECT NULL::{types[0]} AS c UNION ALL SELECT NULL::{types[1]}"
    common = planner.environment.describe(pair)[0].type
    if types[0] != common:
        value = exp.cast(value, common, dialect="postgres")
    if types[1] != common:
        cast = exp.cast(identifier(bound.visible[0].name), common, dialect="postgres")
        bound = project(planner, Scope(bound, {}), [exp.alias_(cast, "bound")])
    return value, bound
