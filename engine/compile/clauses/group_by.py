"""GROUP BY, aggregate calls and HAVING."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlglot import exp

from engine.compile.expressions import check_scalars, describe_over, identifier, soften
from engine.compile.scope import Planner, Scope, bind, computed
from engine.operators.accumulators import AggregateCall
from engine.operators.aggregate import Aggregate
from engine.operators.base import Column, Operator
from engine.operators.project import Filter
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature

_AGGREGATES: dict[type[exp.Expr], str] = {
    exp.Count: "count",
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
    exp.Stddev: "stddev_samp",
    exp.StddevSamp: "stddev_samp",
    exp.StddevPop: "stddev_pop",
    exp.Variance: "var_samp",
    exp.VariancePop: "var_pop",
}


def group_by(
    planner: Planner, scope: Scope, tree: exp.Select, selects: list[exp.Expr], having: exp.Expr | None
) -> None:
    """Aggregate the scope where the query does; `selects` then read the aggregate's columns."""
    group = tree.args.get("group")
    if group is not None and any(
        group.args.get(k) for k in ("grouping_sets", "cube", "rollup", "totals", "all")
    ):
        raise UnsupportedFeature("GROUPING SETS, CUBE and ROLLUP in a view")
    keys = [bind(scope, g) for g in (group.expressions if group else [])]
    outputs = [*selects, *([having] if having is not None else [])]
    calls: list[tuple[exp.Expr, str, exp.Expr | None, exp.Expr | None]] = []
    for node in aggregates(outputs):
        calls.append(_call(scope, node))
    arguments = [a for _, _, a, f in calls for a in (a, f) if a is not None]
    operator, columns = computed(planner, scope.operator, [*keys, *arguments])
    group_columns = tuple(columns[: len(keys)])
    if len(set(group_columns)) != len(group_columns):
        keys = [k for i, k in enumerate(keys) if columns[i] not in columns[:i]]
    group_columns = tuple(dict.fromkeys(group_columns))
    rest = iter(columns[len(columns) - len(arguments) :])
    bound: list[tuple[exp.Expr, AggregateCall]] = []
    wanted = []
    for node, function, argument, condition in calls:
        a = next(rest) if argument is not None else None
        f = next(rest) if condition is not None else None
        wanted.append((node, function, a, f))
    types = _aggregate_types(planner, operator, wanted)
    made: dict[tuple[str, str | None, str | None], AggregateCall] = {}
    for (node, function, a, f), type_ in zip(wanted, types, strict=True):
        signature = (function, a, f)
        if signature not in made:
            made[signature] = AggregateCall(function, a, f, Column(f"_a{planner.fresh()}", type_))
        bound.append((node, made[signature]))
    aggregate = Aggregate(operator, group_columns, tuple(made.values()))
    by_node = {id(n): c.output.name for n, c in bound}
    key_of = dict(zip([k.sql() for k in keys], group_columns, strict=True))
    for index, expression in enumerate(outputs):
        outputs[index] = _over_groups(scope, expression, by_node, key_of)
    selects[:] = outputs[: len(selects)]
    scope.operator = aggregate
    scope.names = {}
    if having is not None:
        check_scalars(planner.environment, [outputs[-1]])
        base, soft = soften(planner.environment, aggregate, [outputs[-1]])
        scope.operator = replace(aggregate, having=soft[0]) if base is aggregate else Filter(base, soft[0])


def _over_groups(
    scope: Scope, expression: exp.Expr, by_node: dict[int, str], key_of: dict[str, str]
) -> exp.Expr:
    """Rewrite a select item over the aggregate's output: group expressions and calls become its columns."""

    def walk(node: exp.Expr) -> exp.Expr:
        if id(node) in by_node:
            return identifier(by_node[id(node)])
        if not isinstance(node, exp.Alias):
            bound = _bind_quietly(scope, node)
            if bound is not None and bound in key_of:
                return identifier(key_of[bound])
        if isinstance(node, exp.Column) and node.table:
            raise InvalidStatement(
                f'column "{node.table}.{node.name}" must appear in the GROUP BY clause or be used in an aggregate function',
                sqlstate="42803",
            )
        for child in list(node.iter_expressions()):
            new = walk(child)
            if new is not child:
                child.replace(new)
        return node

    return walk(expression)


def _bind_quietly(scope: Scope, node: exp.Expr) -> str | None:
    try:
        return bind(scope, node).sql()
    except TailraceError:
        return None


def _call(scope: Scope, node: exp.Expr) -> tuple[exp.Expr, str, exp.Expr | None, exp.Expr | None]:
    """An aggregate call as (node, function, argument, filter), the latter two over the operator's columns."""
    call, condition = (node.this, node.expression.this) if isinstance(node, exp.Filter) else (node, None)
    name = _AGGREGATES.get(type(call))
    if name is None:
        called = call.sql(dialect="postgres").split("(")[0].lower()
        raise UnsupportedFeature(f"aggregate function {called}() in a view")
    argument = call.this
    if isinstance(argument, exp.Distinct):
        raise UnsupportedFeature(
            f"{name}(DISTINCT ...) in a view", hint=f"{name}() over SELECT DISTINCT in a subquery"
        )
    if isinstance(argument, exp.Order) or call.args.get("expressions"):
        raise UnsupportedFeature(f"{name}() with several arguments or ORDER BY in a view")
    if isinstance(argument, exp.Star) or argument is None:
        argument = None
    filtered = bind(scope, condition) if condition is not None else None
    return node, name, bind(scope, argument) if argument is not None else None, filtered


def _aggregate_types(
    planner: Planner, operator: Operator, calls: Sequence[tuple[exp.Expr, str, str | None, str | None]]
) -> list[str]:
    expressions = [
        exp.Anonymous(this=function, expressions=[identifier(a) if a is not None else exp.Star()])
        for _, function, a, _ in calls
    ]
    return describe_over(planner.environment, operator, expressions)


def aggregates(expressions: Iterable[exp.Expr]) -> Iterable[exp.Expr]:
    """The outermost aggregate calls (with their FILTER); of a window function those inside it."""
    for expression in expressions:
        stack = [expression]
        while stack:
            node = stack.pop()
            if isinstance(node, exp.Window):
                call = node.this
                while isinstance(call, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
                    stack.extend([call.expression] if isinstance(call, exp.Filter) else [])
                    call = call.this
                stack.extend(
                    [*call.iter_expressions(), *(c for c in node.iter_expressions() if c is not node.this)]
                )
                continue
            if isinstance(node, exp.Filter | exp.AggFunc):
                yield node
                continue
            stack.extend(node.iter_expressions())
