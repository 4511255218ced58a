"""SELECT: the clauses in the order in which SQL applies them."""

from __future__ import annotations

from sqlglot import exp

from engine.compile.clauses.calls import aggregates
from engine.compile.clauses.from_clause import from_clause
from engine.compile.clauses.group_by import group_by
from engine.compile.clauses.order_by import Tail
from engine.compile.clauses.over import name_windows, windows_of
from engine.compile.clauses.projection import project
from engine.compile.clauses.row_number import bound_rank, row_number
from engine.compile.clauses.where import rank, where
from engine.compile.scope import Planner, Queries, Rank, conjuncts, has_subquery
from engine.operators.base import Operator
from tailrace.errors import UnsupportedFeature


def select(planner: Planner, tree: exp.Select, ctes: Queries) -> tuple[Operator, Rank | None]:
    """Plan one SELECT; see `Planner.query`."""
    for clause in (
        "qualify",
        "laterals",
        "connect",
        "sample",
        "cluster",
        "distribute",
        "sort",
    ):
        if tree.args.get(clause):
            raise UnsupportedFeature(f"{clause.upper()} in a view")
    conditions = conjuncts(tree.args["where"].this if tree.args.get("where") else None)
    scope = from_clause(planner, tree, ctes, conditions)
    if scope.ranked is not None:
        bound_rank(scope, conditions, tree)
    for condition in sorted(conditions, key=rank):
        where(planner, scope, condition, ctes)
    selects = [s.copy() for s in tree.selects]
    having = tree.args["having"].this.copy() if tree.args.get("having") else None
    if any(has_subquery(e) for e in (*selects, *([having] if having is not None else []))):
        raise UnsupportedFeature("subquery in an expression of a view", hint="join with the subquery instead")
    tail = Tail.of(tree, selects)
    name_windows(tree, selects)
    aggregated = any(True for _ in aggregates([*selects, *([having] if having is not None else [])]))
    if tree.args.get("group") or having is not None or aggregated:
        group_by(planner, scope, tree, selects, having)
    windows = windows_of(selects)
    if not windows:
        return tail.finish(project(planner, scope, selects)), None
    operator, found = row_number(planner, scope, selects, windows)
    return tail.finish(operator), None if tail.changes else found
