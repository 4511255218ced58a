"""GROUP BY, aggregate calls and HAVING.

A call is maintained in the cheapest of four ways (see `engine.operators.accumulators`): by accumulators, by accumulators over the
distinct values, by the edge of an index, or from the rows of each group that changed.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from engine.compile.clauses.calls import Call, aggregates, read_call
from engine.compile.clauses.grouping_sets import grouping, grouping_sets, repeated
from engine.compile.expressions import check_scalars, identifier, soften
from engine.compile.relations import describe_over
from engine.compile.scope import Planner, Scope, bind, computed
from engine.operators.accumulators import ACCUMULATED, AggregateCall
from engine.operators.aggregate import Aggregate
from engine.operators.base import Column, Operator, quote
from engine.operators.project import Filter, sql
from engine.operators.top_n import SortKey
from tailrace.errors import InvalidStatement, TailraceError

_EDGES = {"first_value": False, "arg_min": False, "last_value": True, "arg_max": False}
"""Aggregates that take the value of one row, the first in their order; True: the last."""
_IN_ORDER = ("array_agg", "string_agg", "jsonb_agg", "jsonb_object_agg")
_DIRECT = {
    "percentile_cont": "double precision",
    "percentile_disc": "double precision",
    "approx_percentile": "double precision",
}
_CONSTANT = (exp.Literal, exp.Boolean)


def group_by(
    planner: Planner, scope: Scope, tree: exp.Select, selects: list[exp.Expr], having: exp.Expr | None
) -> None:
    """Aggregate the scope where the query does; `selects` then read the aggregate's columns."""
    sets = [[bind(scope, k) for k in s] for s in grouping_sets(tree.args.get("group"))]
    keys = list({k.sql(): k for s in sets for k in s}.values())
    outputs = [*selects, *([having] if having is not None else [])]
    calls = [_bound(scope, read_call(node)) for node in aggregates(outputs)]
    slots = [slot for call in calls for slot in _slots(call)]
    # once each: DISTINCT may only be ordered by its own argument
    wanted = {e.unnest().sql(): e for e in (*keys, *slots)}
    operator, found = computed(planner, scope.operator, list(wanted.values()))
    column = dict(zip(wanted, found, strict=True))
    columns = [column[e.unnest().sql()] for e in (*keys, *slots)]
    column_of = dict(zip([k.sql() for k in keys], columns, strict=False))
    by_slot = {id(s): c for s, c in zip(slots, columns[len(keys) :], strict=True)}
    named = [[column_of[k.sql()] for k in s] for s in sets]
    group, number = tuple(dict.fromkeys(column_of.values())), None
    if len(named) > 1 or (_has_sets(tree.args.get("group"))):
        operator, number, renamed = repeated(planner, operator, group, named)
        group = (number, *(renamed[c] for c in group))
        key_of = {text: renamed[c] for text, c in column_of.items()}
    else:
        key_of = column_of
    made = _calls(planner, operator, calls, by_slot)
    distinct_calls = {c.output.name: c for c in made}
    aggregate = Aggregate(operator, group, tuple(distinct_calls.values()))
    by_node = {id(c.node): m.output.name for c, m in zip(calls, made, strict=True)}
    for index, expression in enumerate(outputs):
        known = _groupings(scope, expression, number, named, column_of)
        outputs[index] = _over_groups(scope, known, by_node, key_of)
    selects[:] = outputs[: len(selects)]
    scope.operator = aggregate
    scope.names = {}
    if having is not None:
        check_scalars(planner.environment, [outputs[-1]])
        base, soft = soften(planner.environment, aggregate, [outputs[-1]])
        scope.operator = replace(aggregate, having=soft[0]) if base is aggregate else Filter(base, soft[0])


def _has_sets(group: exp.Group | None) -> bool:
    return group is not None and any(
        isinstance(e, exp.Rollup | exp.Cube | exp.GroupingSets)
        for e in [
            *group.expressions,
            *(group.args.get("rollup") or []),
            *(group.args.get("cube") or []),
            *(group.args.get("grouping_sets") or []),
        ]
    )


def _groupings(
    scope: Scope, expression: exp.Expr, number: str | None, sets: list[list[str]], column_of: dict[str, str]
) -> exp.Expr:
    """The expression with its grouping() calls replaced by what they are in each set."""

    def replaced(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Grouping):
            return node
        try:
            if number is None:
                return exp.Literal.number(0)
            return grouping([column_of[bind(scope, a).sql()] for a in node.expressions], number, sets)
        except KeyError:
            raise InvalidStatement(
                "arguments to GROUPING must be grouping expressions of the associated query level",
                sqlstate="42803",
            ) from None

    return expression.transform(replaced, copy=False)


def _bound(scope: Scope, call: Call) -> Call:
    """The call over the operator's columns."""
    return replace(
        call,
        arguments=tuple(bind(scope, a) for a in call.arguments),
        order=tuple(exp.Ordered(**{**o.args, "this": bind(scope, o.this)}) for o in call.order),
        condition=bind(scope, call.condition) if call.condition is not None else None,
    )


def _slots(call: Call) -> list[exp.Expr]:
    """The expressions of a call that must be columns of the aggregate's input."""
    direct = call.within_group or (call.name not in ACCUMULATED and call.name not in _EDGES)
    found = (
        [] if call.within_group else [a for a in call.arguments if not (direct and isinstance(a, _CONSTANT))]
    )
    found.extend(o.this for o in call.order)
    return [*found, *([call.condition] if call.condition is not None else [])]


def _calls(
    planner: Planner, operator: Operator, calls: list[Call], by_slot: dict[int, str]
) -> list[AggregateCall]:
    """The calls typed by PostgreSQL; equal ones are one."""
    texts = [_text(call, operator, by_slot) for call in calls]
    computed_ones = [exp.var(t) for t, c in zip(texts, calls, strict=True) if c.name not in _EDGES]
    typed = iter(describe_over(planner.environment, operator, computed_ones))
    types = [operator.column(_edge(c, by_slot)).type if c.name in _EDGES else next(typed) for c in calls]
    made: dict[str, AggregateCall] = {}
    found = []
    for call, text, type_ in zip(calls, texts, types, strict=True):
        if text not in made:
            made[text] = _call(call, text, Column(f"_a{planner.fresh()}", type_), by_slot)
        found.append(made[text])
    return found


def _edge(call: Call, by_slot: dict[int, str]) -> str:
    """The column of which the edge of an order gives one value: the first argument."""
    wanted = 2 if call.name.startswith("arg_") else 1
    if len(call.arguments) != wanted:
        raise InvalidStatement(
            f"{call.name}() takes {wanted} argument{'s' * (wanted > 1)}, got {len(call.arguments)}",
            sqlstate="42883",
        )
    return by_slot[id(call.arguments[0])]


def _call(call: Call, text: str, output: Column, by_slot: dict[int, str]) -> AggregateCall:
    condition = by_slot[id(call.condition)] if call.condition is not None else None
    argument = by_slot.get(id(call.arguments[0])) if call.arguments else None
    order: list[SortKey] = []
    not_null: list[str] = []
    if call.name in _EDGES:
        backwards = _EDGES[call.name]
        if call.name in ("arg_min", "arg_max"):
            by = by_slot[id(call.arguments[1])]
            order.append(SortKey(by, descending=call.name == "arg_max", nulls_first=False))
            not_null = [argument or "", by]
        for o in call.order:
            down, first = bool(o.args.get("desc")), bool(o.args.get("nulls_first"))
            order.append(SortKey(by_slot[id(o.this)], down != backwards, first != backwards))
        function = "last_value" if backwards else "first_value"
        return AggregateCall(
            function, argument, condition, output, order=tuple(order), not_null=tuple(not_null)
        )
    if call.within_group:
        keys = (
            (by_slot[id(o.this)], bool(o.args.get("desc")), bool(o.args.get("nulls_first")))
            for o in call.order
        )
        within = tuple(SortKey(*k) for k in keys)
        return AggregateCall(
            call.name, None, condition, output, text=text, order=within, direct=call.arguments
        )
    distinct = call.distinct and call.name not in ("min", "max", "bool_and", "bool_or", "bit_and", "bit_or")
    return AggregateCall(call.name, argument, condition, output, distinct=distinct, text=text)


def _text(call: Call, operator: Operator, by_slot: dict[int, str]) -> str:
    """The call as PostgreSQL's SQL over the columns of the aggregate's input; ties in its order are decided by the stream key."""
    arguments = [quote(by_slot[id(a)]) if id(a) in by_slot else sql(a) for a in call.arguments]
    if call.name in _DIRECT:
        arguments = [f"({a})::{_DIRECT[call.name]}" if "ARRAY" not in a.upper() else a for a in arguments]
    order = [
        SortKey(by_slot[id(o.this)], bool(o.args.get("desc")), bool(o.args.get("nulls_first")))
        for o in call.order
    ]
    if call.name == "approx_percentile" and order and order[0].descending:
        arguments[0] = f"1 - {arguments[0]}"
    sorts = [k.sql() for k in order]
    if call.name in _IN_ORDER and not call.distinct:
        sorts += [quote(k) for k in operator.key if k not in {o.column for o in order}]
    by = f"ORDER BY {', '.join(sorts)}" if sorts else ""
    argument = by_slot.get(id(call.arguments[0])) if call.arguments else None
    kind = operator.column(argument).type if argument is not None else ""
    arrays = call.name == "array_agg" and kind.endswith("[]") and not call.distinct
    if arrays:  # of one length or not: what PostgreSQL has no array for must not fail at a barrier
        arguments[0] = f"({arguments[0]})::text"
    listed = ("DISTINCT " if call.distinct else "") + (
        ", ".join(arguments) or ("" if call.within_group else "*")
    )
    text = (
        f"{call.name}({listed}) WITHIN GROUP ({by})" if call.within_group else f"{call.name}({listed} {by})"
    )
    if call.condition is not None:
        text = f"{text} FILTER (WHERE {quote(by_slot[id(call.condition)])})"
    return f"rw.try_arrays({text}, NULL::{kind})" if arrays else text


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
        # an alias is a name, not a column, though it may be called like a key
        for child in [node.this] if isinstance(node, exp.Alias) else list(node.iter_expressions()):
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
