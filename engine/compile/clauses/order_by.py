"""DISTINCT, DISTINCT ON, and ORDER BY with LIMIT."""

from __future__ import annotations

from sqlglot import exp

from engine.operators.aggregate import Aggregate
from engine.operators.base import Operator
from engine.operators.dedup import Dedup
from engine.operators.top_n import SortKey, TopN
from tailrace.errors import UnsupportedFeature


def finish(operator: Operator, tree: exp.Select) -> Operator:
    """Apply DISTINCT, ORDER BY and LIMIT to what the select list gives."""
    distinct, order = tree.args.get("distinct"), tree.args.get("order")
    limit = tree.args.get("limit")
    if distinct is not None and distinct.args.get("on") is None:
        group = tuple(c.name for c in operator.visible)
        operator = Aggregate(operator, group, ())
    elif distinct is not None:
        on = tuple(_output_column(operator, e) for e in distinct.args["on"].expressions)
        sorting = _sorting(operator, order)[len(on) :] if order is not None else ()
        if order is None and operator.append_only:
            return Dedup(operator, on)
        return TopN(operator, on, sorting, 1, None)
    if limit is not None:
        count = limit.expression
        if not isinstance(count, exp.Literal) or order is None:
            raise UnsupportedFeature("LIMIT without ORDER BY or without a number in a view")
        return TopN(operator, (), _sorting(operator, order), int(count.name), None)
    return operator


def _output_column(operator: Operator, expression: exp.Expr) -> str:
    """The output column that DISTINCT ON or ORDER BY means, by name or by the expression it selects."""
    node = expression.unnest()
    if isinstance(node, exp.Column) and any(c.name == node.name for c in operator.visible):
        return node.name
    raise UnsupportedFeature(
        f"{node.sql()} in DISTINCT ON or ORDER BY of a view", hint="name a column of the select list"
    )


def _sorting(operator: Operator, order: exp.Order) -> tuple[SortKey, ...]:
    return tuple(
        SortKey(
            _output_column(operator, o.this),
            bool(o.args.get("desc")),
            bool(o.args.get("nulls_first")),
        )
        for o in order.expressions
    )
