"""Aggregate calls as the parser gives them, brought to one form: name, arguments, DISTINCT, ORDER BY, WITHIN GROUP, FILTER."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from tailrace.errors import InvalidStatement

_NAMES: dict[type[exp.Expr], str] = {
    exp.ApproxDistinct: "approx_count_distinct",
    exp.ArgMax: "arg_max",
    exp.ArgMin: "arg_min",
    exp.ArrayAgg: "array_agg",
    exp.Avg: "avg",
    exp.BitwiseAndAgg: "bit_and",
    exp.BitwiseOrAgg: "bit_or",
    exp.BitwiseXorAgg: "bit_xor",
    exp.Count: "count",
    exp.FirstValue: "first_value",
    exp.GroupConcat: "string_agg",
    exp.JSONBObjectAgg: "jsonb_object_agg",
    exp.LastValue: "last_value",
    exp.LogicalAnd: "bool_and",
    exp.LogicalOr: "bool_or",
    exp.Max: "max",
    exp.Min: "min",
    exp.Mode: "mode",
    exp.PercentileCont: "percentile_cont",
    exp.PercentileDisc: "percentile_disc",
    exp.Stddev: "stddev_samp",
    exp.StddevPop: "stddev_pop",
    exp.StddevSamp: "stddev_samp",
    exp.Sum: "sum",
    exp.Variance: "var_samp",
    exp.VariancePop: "var_pop",
}
_BY_NAME = {"jsonb_agg", "approx_percentile", "every"}
"""Aggregates that the parser knows by no class of their own."""


@dataclass(frozen=True, slots=True)
class Call:
    """`name([DISTINCT] arguments [ORDER BY order]) [WITHIN GROUP (ORDER BY order)] [FILTER (WHERE condition)]`.

    No arguments: count(*).
    """

    node: exp.Expr
    name: str
    arguments: tuple[exp.Expr, ...]
    distinct: bool
    order: tuple[exp.Ordered, ...]
    within_group: bool
    condition: exp.Expr | None


def read_call(node: exp.Expr) -> Call:
    """The parts of an aggregate call; the expressions are those of the tree, not copies."""
    call, condition = (node.this, node.expression.this) if isinstance(node, exp.Filter) else (node, None)
    order: list[exp.Ordered] = []
    within = isinstance(call, exp.WithinGroup)
    if within:
        order, call = list(call.expression.expressions), call.this
    name = _NAMES.get(type(call)) or (call.name.lower() if isinstance(call, exp.Anonymous) else call.key)
    arguments: list[exp.Expr] = []
    distinct = False
    for value in call.args.values():
        for argument in value if isinstance(value, list) else [value]:
            if not isinstance(argument, exp.Expr) or isinstance(argument, exp.Star):
                continue
            if isinstance(argument, exp.Order):
                order.extend(argument.expressions)
                argument = argument.this
            if isinstance(argument, exp.Distinct):
                distinct = True
                arguments.extend(argument.expressions)
            else:
                arguments.append(argument)
    if name == "approx_count_distinct":
        name, distinct = "count", True  # exact: nothing is lost by it
    if name == "every":
        name = "bool_and"
    if distinct and name == "count" and len(arguments) > 1:
        raise InvalidStatement("count(DISTINCT ...) takes one argument", hint="count(DISTINCT ROW(a, b))")
    return Call(node, name, tuple(arguments), distinct, tuple(order), within, condition)


def is_call(node: exp.Expr) -> bool:
    """Is it an aggregate call, seen from outside (with its FILTER or WITHIN GROUP)?"""
    if isinstance(node, exp.Filter | exp.WithinGroup):
        return True
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in _BY_NAME
    return isinstance(node, exp.AggFunc) and not isinstance(node, exp.Grouping)


def aggregates(expressions: Sequence[exp.Expr]) -> Iterable[exp.Expr]:
    """The outermost aggregate calls in `expressions`; of a window function those inside it."""
    stack = list(reversed(expressions))
    while stack:
        node = stack.pop()
        if isinstance(node, exp.Window):
            stack.extend(_inside(node))
        elif is_call(node):
            yield node
        else:
            stack.extend(reversed(list(node.iter_expressions())))


def _inside(window: exp.Window) -> Iterable[exp.Expr]:
    """What a window function reads: its arguments, filter, partition and order."""
    call = window.this
    while isinstance(call, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        if isinstance(call, exp.Filter):
            yield call.expression
        call = call.this
    yield from call.iter_expressions()
    yield from (part for part in window.iter_expressions() if part is not window.this)
