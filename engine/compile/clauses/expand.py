"""Rows that are made of other rows: table functions and VALUES in FROM, set-returning functions in a select list.

All of them become an Expand, which works on the delta alone. Columns of the input are written without a qualifier into the rows'
text; PostgreSQL finds them by the lateral join.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from engine.compile.expressions import check_scalars, identifier, soften
from engine.compile.rows import is_row
from engine.compile.scope import Planner, Scope, bind
from engine.operators.base import Column, Operator, nulls
from engine.operators.expand import Expand
from tailrace.errors import UnsupportedFeature

_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)\(")


def is_expanding(item: exp.Expr) -> bool:
    """Does this item of FROM make rows of its own, out of constants or of columns of the items before it?"""
    if isinstance(item, exp.Lateral):
        return not isinstance(item.this, exp.Subquery)
    return isinstance(item, exp.Values | exp.Unnest) or (
        isinstance(item, exp.Table) and isinstance(item.this, exp.Func)
    )


def expand_item(planner: Planner, scope: Scope, item: exp.Expr, *, outer: bool) -> None:
    """Join the scope with an item of FROM for which `is_expanding` holds."""
    if isinstance(item, exp.Values):
        rows, ordinal = _values(planner, scope, item), False
    else:
        rows, ordinal = _function(planner, scope, item)
    alias = item.args.get("alias")
    found = _described(planner, scope.operator, rows)[:-1]
    named = [c.name for c in alias.columns] if alias is not None else []
    call = item.this if isinstance(item, exp.Lateral | exp.Table) else item
    offset = call.args.get("offset")
    if isinstance(offset, exp.Identifier):  # where sqlglot puts the last name of unnest() WITH ORDINALITY
        named.append(offset.name)
    shown = [named[i] if i < len(named) else c.name for i, c in enumerate(found)]
    made = tuple(Column(f"_f{planner.fresh()}", c.type) for c in found)
    number = f"_n{planner.fresh()}"
    meant = {name: column.name for name, column in zip(shown, made, strict=True)}
    if ordinal:
        meant[named[len(found)] if len(named) > len(found) else "ordinality"] = number
    scope.operator = Expand(scope.operator, rows, made, number, outer)
    scope.names = {**scope.names, item.alias_or_name: meant}


def _values(planner: Planner, scope: Scope, item: exp.Values) -> str:
    listed = [
        exp.Tuple(
            expressions=[bind(scope, e) for e in (row.expressions if isinstance(row, exp.Tuple) else [row])]
        )
        for row in item.expressions
    ]
    scope.operator = _softened(planner, scope.operator, listed)
    rows = ", ".join(f"({', '.join(e.sql(dialect='postgres') for e in row.expressions)})" for row in listed)
    return f"(SELECT v.*, row_number() OVER () FROM (VALUES {rows}) AS v)"


def _function(planner: Planner, scope: Scope, item: exp.Expr) -> tuple[str, bool]:
    """The rows of a table function, and whether the query sees their numbers."""
    call = item if isinstance(item, exp.Unnest) else item.this
    ordinal = bool(item.args.get("ordinality") or call.args.get("offset") or call.args.get("ordinality"))
    if isinstance(call, exp.Unnest):
        bound: exp.Expr = exp.Anonymous(this="unnest", expressions=[bind(scope, e) for e in call.expressions])
    else:
        bound = bind(scope, call)
    _check(planner, [bound])
    scope.operator = _softened(planner, scope.operator, [bound])
    text = bound.sql(dialect="postgres")
    return f"ROWS FROM ({text}) WITH ORDINALITY", ordinal


def set_returning(planner: Planner, expressions: Sequence[exp.Expr]) -> list[exp.Expr]:
    """The outermost... innermost first: calls of set-returning functions in a select list that hold no further one."""
    calls: dict[str, list[exp.Expr]] = {}
    for expression in expressions:
        for node in expression.find_all(exp.Func):
            called = _CALL.match(node.sql(dialect="postgres"))
            if called:
                calls.setdefault(called.group(1).lower().split(".")[-1], []).append(node)
    kinds = planner.environment.function_kinds(sorted(calls))
    found = [n for name, nodes in calls.items() if any(k[0] == "r" for k in kinds[name]) for n in nodes]
    ids = {id(n) for n in found}
    return [n for n in found if not any(id(b) in ids for b in n.walk() if b is not n)]


def expand_calls(
    planner: Planner, operator: Operator, expressions: list[exp.Expr]
) -> tuple[Operator, list[exp.Expr]]:
    """Replace calls of set-returning functions in a select list by columns of an Expand; they advance side by side."""
    while calls := set_returning(planner, expressions):
        _check(planner, calls)
        operator = _softened(planner, operator, calls)
        texts = [c.sql(dialect="postgres") for c in calls]
        rows = f"ROWS FROM ({', '.join(texts)}) WITH ORDINALITY"
        found = _described(planner, operator, rows)[:-1]
        if len(found) != len(calls):
            raise UnsupportedFeature(
                "a function with several result columns in the select list", hint="call it in FROM"
            )
        made = tuple(Column(f"_f{planner.fresh()}", c.type, hidden=True) for c in found)
        operator = Expand(operator, rows, made, f"_n{planner.fresh()}")
        columns = {id(call): column.name for call, column in zip(calls, made, strict=True)}
        expressions = [_replaced(e, columns) for e in expressions]
    return operator, expressions


def _replaced(node: exp.Expr, columns: dict[int, str]) -> exp.Expr:
    if id(node) in columns:
        return identifier(columns[id(node)])
    for child in list(node.iter_expressions()):
        new = _replaced(child, columns)
        if new is not child:
            child.replace(new)
    return node


def _softened(planner: Planner, operator: Operator, calls: Sequence[exp.Expr]) -> Operator:
    """Make the calls' arguments, over the operator, soft in their place; returns what they are then to be evaluated on."""
    found = [a for call in calls for a in call.iter_expressions() if a.find(exp.Func, exp.Div, exp.Mod)]
    found = [a for a in found if not any(is_row(n) for n in a.walk())]
    if not found:
        return operator
    operator, soft = soften(planner.environment, operator, found)
    for argument, new in zip(found, soft, strict=True):
        argument.replace(new)
    return operator


def _check(planner: Planner, calls: Sequence[exp.Expr]) -> None:
    """The arguments have to be deterministic scalars."""
    check_scalars(planner.environment, [a for call in calls for a in call.iter_expressions()])


def _described(planner: Planner, operator: Operator, rows: str) -> list[Column]:
    over = f"(SELECT {nulls(operator.columns)}) AS i"
    found = planner.environment.describe(f"SELECT f.* FROM {over} CROSS JOIN LATERAL {rows} AS f")
    return [Column(c.name, "text" if c.type == "unknown" else c.type) for c in found]
