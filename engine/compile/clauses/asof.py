"""ASOF JOIN: the equalities, and the one inequality that says which match is the nearest."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from engine.compile.scope import COMPARISONS, FLIPPED, Planner, Scope, bind, computed
from engine.operators.asof_join import AsofJoin
from engine.operators.base import Operator
from tailrace.errors import InvalidStatement, UnsupportedFeature


def asof_join(
    planner: Planner,
    scope: Scope,
    sides: tuple[Operator, Operator],
    pairs: tuple[tuple[str, str], ...],
    rest: Sequence[exp.Expr],
    *,
    outer: bool,
) -> Operator:
    """The join of both `sides` on `pairs` and `rest`, the conditions that are no equalities of both."""
    left, right = sides
    lefts, rights = {c.name for c in left.columns}, {c.name for c in right.columns}
    if not pairs:
        raise InvalidStatement(
            "ASOF JOIN requires at least one equal condition", hint="ON l.key = r.key AND l.ts >= r.ts"
        )
    op = COMPARISONS.get(type(rest[0])) if len(rest) == 1 else None
    if op is None:
        raise InvalidStatement(
            "ASOF JOIN requires exactly one inequality condition", hint="ON l.key = r.key AND l.ts >= r.ts"
        )
    a, b = bind(scope, rest[0].this), bind(scope, rest[0].expression)
    if not _reads(a, lefts):
        a, b, op = b, a, FLIPPED[op]
    if not (_reads(a, lefts) and _reads(b, rights)):
        raise UnsupportedFeature(
            "an inequality of ASOF JOIN that does not compare the left side with the right one",
            hint="ON l.key = r.key AND l.ts >= r.ts",
        )
    left, x = computed(planner, left, [a])
    right, y = computed(planner, right, [b])
    return AsofJoin(left, right, pairs, (x[0], op, y[0]), outer)


def _reads(expression: exp.Expr, columns: set[str]) -> bool:
    found = {c.name for c in expression.find_all(exp.Column)}
    return bool(found) and found <= columns
