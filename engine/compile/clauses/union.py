"""UNION and UNION ALL: branches aligned to common names and types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from engine.compile.clauses.order_by import Tail
from engine.compile.expressions import identifier
from engine.compile.scope import Planner, Queries
from engine.operators.aggregate import Aggregate
from engine.operators.base import Column, Operator
from engine.operators.project import Project
from engine.operators.union_all import UnionAll
from tailrace.errors import InvalidStatement


def union(planner: Planner, tree: exp.Union, ctes: Queries) -> Operator:
    """Plan UNION or UNION ALL."""
    branches: list[Operator] = []
    for branch in _flatten_union(tree):
        operator, _ = planner.query(branch, ctes)
        branches.append(operator)
    if len({len(b.visible) for b in branches}) != 1:
        raise InvalidStatement("each UNION query must have the same number of columns")
    nulls = [
        "SELECT " + ", ".join(f"NULL::{c.type} AS c{i}" for i, c in enumerate(b.visible)) for b in branches
    ]
    types = [c.type for c in planner.environment.describe(" UNION ALL ".join(nulls))]
    names = [c.name for c in branches[0].visible]
    aligned = tuple(_aligned(b, names, types) for b in branches)
    union = UnionAll(aligned)
    tail = Tail.of(tree, [identifier(n) for n in names])
    return tail.finish(Aggregate(union, tuple(names), ()) if tree.args.get("distinct") else union)


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


def _flatten_union(tree: exp.Expr) -> Iterable[exp.Expr]:
    """Branches from left to right; UNION and UNION ALL are not mixed."""
    if isinstance(tree, exp.Union):
        left, right = tree.this, tree.expression
        for side in (left, right):
            if isinstance(side, exp.Union) and bool(side.args.get("distinct")) == bool(
                tree.args.get("distinct")
            ):
                yield from _flatten_union(side)
            else:
                yield side
    else:
        yield tree
