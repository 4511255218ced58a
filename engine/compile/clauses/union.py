"""UNION, EXCEPT and INTERSECT: branches aligned to common names and types.

EXCEPT and INTERSECT count how often each row comes from the left and from the right:
    SELECT a FROM l INTERSECT SELECT a FROM r
is SELECT a FROM (both) GROUP BY a HAVING count(*) FILTER (left) > 0 AND count(*) FILTER (right) > 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import sqlglot
from sqlglot import exp

from engine.compile.clauses.order_by import Tail
from engine.compile.expressions import identifier
from engine.compile.scope import Planner, Queries
from engine.operators.accumulators import AggregateCall
from engine.operators.aggregate import Aggregate
from engine.operators.base import Column, Operator
from engine.operators.project import Project
from engine.operators.union_all import BRANCH, UnionAll
from tailrace.errors import InvalidStatement, UnsupportedFeature


def union(planner: Planner, tree: exp.SetOperation, ctes: Queries) -> Operator:
    """Plan a set operation."""
    branches = [planner.query(branch, ctes)[0] for branch in _branches(tree)]
    if tree.args.get("by_name"):
        branches = _corresponding(branches, [c.name for c in tree.args.get("on") or []])
    if len({len(b.visible) for b in branches}) != 1:
        raise InvalidStatement(f"each {tree.key.upper()} query must have the same number of columns")
    nulls = [
        "SELECT " + ", ".join(f"NULL::{c.type} AS c{i}" for i, c in enumerate(b.visible)) for b in branches
    ]
    types = [c.type for c in planner.environment.describe(" UNION ALL ".join(nulls))]
    names = [c.name for c in branches[0].visible]
    both: Operator = UnionAll(tuple(_aligned(b, names, types) for b in branches))
    if not isinstance(tree, exp.Union):
        both = _counted(tree, both, names)
    elif tree.args.get("distinct"):
        both = Aggregate(both, tuple(names), ())
    tail = Tail.of(tree, [identifier(n) for n in names])
    return tail.finish(both)


def _counted(tree: exp.SetOperation, both: Operator, names: Sequence[str]) -> Operator:
    """EXCEPT or INTERSECT of the two branches of `both`."""
    if not tree.args.get("distinct"):
        raise UnsupportedFeature(
            f"{tree.key.upper()} ALL in a view", hint=f"{tree.key.upper()} keeps each row once"
        )
    sides = ("_left", "_right")
    flags = [sqlglot.parse_one(f"{BRANCH} = {number}", read="postgres") for number in range(len(sides))]
    columns = (*both.columns, *(Column(side, "boolean", hidden=True) for side in sides))
    items = (*(identifier(c.name) for c in both.columns), *flags)
    flagged = Project(both, items, columns, both.key)
    calls = tuple(
        AggregateCall("count", None, side, Column(f"{side}_n", "bigint", hidden=True)) for side in sides
    )
    test = ">" if isinstance(tree, exp.Intersect) else "="
    having = sqlglot.parse_one(f'"_left_n" > 0 AND "_right_n" {test} 0', read="postgres")
    return Aggregate(flagged, tuple(names), calls, having)


def _corresponding(branches: Sequence[Operator], listed: Sequence[str]) -> list[Operator]:
    """CORRESPONDING [BY (columns)]: the branches' columns of equal names only."""
    shared = [
        c.name
        for c in branches[0].visible
        if all(c.name in {v.name for v in b.visible} for b in branches[1:])
    ]
    wanted = [n for n in listed or shared if n in shared]
    missing = [n for n in listed if n not in shared]
    if missing:
        raise InvalidStatement(
            f"Column name `{missing[0]}` in CORRESPONDING BY is not found in a side of the UNION operation. "
            "It shall be included in both sides."
        )
    if not wanted:
        raise InvalidStatement("CORRESPONDING needs columns that both queries have")
    found: list[Operator] = []
    for branch in branches:
        chosen = [branch.column(n) for n in wanted]
        rest = [replace(c, hidden=True) for c in branch.columns if c.name not in wanted]
        columns = (*chosen, *rest)
        found.append(Project(branch, tuple(identifier(c.name) for c in columns), columns, branch.key))
    return found


def _aligned(branch: Operator, names: Sequence[str], types: Sequence[str]) -> Operator:
    """A branch with the union's column names and types; its key columns follow, hidden."""
    items: list[exp.Expr] = []
    columns: list[Column] = []
    for column, name, type_ in zip(branch.visible, names, types, strict=True):
        reference = identifier(column.name)
        items.append(reference if column.type == type_ else exp.cast(reference, type_, dialect="postgres"))
        columns.append(Column(name, type_))
    keys = []
    for position, key in enumerate(branch.key):
        items.append(identifier(key))
        columns.append(Column(f"_k{position}", branch.column(key).type, hidden=True))
        keys.append(f"_k{position}")
    return Project(branch, tuple(items), tuple(columns), tuple(keys))


def _branches(tree: exp.Expr) -> Iterable[exp.Expr]:
    """Branches from left to right; those of a UNION within one of the same kind are taken together."""
    left, right = tree.this, tree.expression
    for side in (left, right):
        same = isinstance(tree, exp.Union) and isinstance(side, exp.Union)
        alike = same and all(
            bool(side.args.get(k)) == bool(tree.args.get(k)) for k in ("distinct", "by_name")
        )
        if alike and not any(side.args.get(k) for k in ("limit", "order", "offset", "with_")):
            yield from _branches(side)
        else:
            yield side
