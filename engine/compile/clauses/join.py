"""JOIN: equal columns, what else must hold, and which of the join operators it is."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from engine.compile.clauses.asof import asof_join
from engine.compile.expressions import check_scalars
from engine.compile.scope import Planner, Scope, bind, computed, conjuncts, tables_of
from engine.operators.base import Operator
from engine.operators.join import Join
from engine.operators.left_join import LeftJoin
from engine.operators.project import rename
from engine.operators.temporal_join import TemporalJoin
from tailrace.errors import UnsupportedFeature


def join(planner: Planner, left: Scope, right: Scope, tree: exp.Join, conditions: list[exp.Expr]) -> Scope:
    """`left` joined with `right` as `tree` says; WHERE conditions that serve are taken out of `conditions`."""
    taken = {c.name for c in left.operator.columns}
    mapping: dict[str, str] = {}
    for column in right.operator.columns:
        name = column.name
        while name in taken:
            name = f"{column.name}_{planner.fresh()}"
        taken.add(name)
        mapping[column.name] = name
    operator = rename(right.operator, mapping)
    names = {**left.names, **{a: {k: mapping[v] for k, v in m.items()} for a, m in right.names.items()}}
    scope = Scope(left.operator, names)
    on = conjuncts(tree.args.get("on"))
    outer = (tree.side or "").upper() == "LEFT"
    asof = (tree.method or "").upper() == "ASOF"
    if tree.method and not asof:
        raise UnsupportedFeature(f"{tree.method.upper()} JOIN in a view")
    if not outer and not asof:  # a comma or CROSS JOIN has its condition in WHERE
        here = set(names)
        usable = [c for c in conditions if _is_equality(c) and tables_of(c) <= here]
        for condition in usable:
            conditions.remove(condition)
        on = on + usable
    pairs, rest, left_op, right_op = _pairs(planner, scope, left.operator, operator, on)
    if asof:
        scope.operator = asof_join(planner, scope, (left_op, right_op), pairs, rest, outer=outer)
        return scope
    version = tree.this.args.get("version")
    if not pairs and version is None:
        raise UnsupportedFeature("a join without an equality in a view", hint="join ON l.column = r.column")
    residual = _side_condition(planner, scope, left_op, right_op, rest)
    if version is not None:
        scope.operator = TemporalJoin(left_op, right_op, pairs, residual, outer)
    elif outer:
        scope.operator = LeftJoin(left_op, right_op, pairs, residual)
    else:
        scope.operator = Join(left_op, right_op, pairs, residual)
    return scope


def _pairs(
    planner: Planner, scope: Scope, left: Operator, right: Operator, on: Sequence[exp.Expr]
) -> tuple[tuple[tuple[str, str], ...], list[exp.Expr], Operator, Operator]:
    """Split join conditions into equal columns and the rest; computed sides become columns first."""
    left_names, right_names = {c.name for c in left.columns}, {c.name for c in right.columns}
    equalities: list[tuple[exp.Expr, exp.Expr]] = []
    rest: list[exp.Expr] = []
    for condition in on:
        if isinstance(condition, exp.EQ):
            a, b = bind(scope, condition.this), bind(scope, condition.expression)
            reads_a = {c.name for c in a.find_all(exp.Column)}
            reads_b = {c.name for c in b.find_all(exp.Column)}
            if reads_a and reads_b and reads_a <= right_names and reads_b <= left_names:
                a, b, reads_a, reads_b = b, a, reads_b, reads_a
            # one side twice is not two keys: the planner would compare the other sides among each other
            fresh = all(a != c and b != d for c, d in equalities)
            if reads_a and reads_b and reads_a <= left_names and reads_b <= right_names and fresh:
                equalities.append((a, b))
                continue
        rest.append(condition)
    left, left_columns = computed(planner, left, [a for a, _ in equalities])
    right, right_columns = computed(planner, right, [b for _, b in equalities])
    return tuple(zip(left_columns, right_columns, strict=True)), rest, left, right


def _side_condition(
    planner: Planner, scope: Scope, left: Operator, right: Operator, conditions: Sequence[exp.Expr]
) -> exp.Expr | None:
    if not conditions:
        return None
    bound = [bind(scope, c) for c in conditions]
    check_scalars(planner.environment, bound)
    lefts = {c.name for c in left.columns}

    def qualified(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            side = "l" if node.name in lefts else "r"
            return exp.column(exp.to_identifier(node.name, quoted=True), table=side)
        return node

    for expression in bound:
        if any(isinstance(n, exp.Cast) and not isinstance(n.this, exp.Literal) for n in expression.walk()):
            raise UnsupportedFeature(
                "a cast in a join condition that is not an equality", hint="cast in a subquery"
            )
    return exp.and_(*(b.transform(qualified) for b in bound))


def _is_equality(condition: exp.Expr) -> bool:
    return isinstance(condition, exp.EQ) and len(tables_of(condition)) > 1
