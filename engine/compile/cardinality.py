"""What gives at most one row: operators by their kind, and the CTEs that a scalar subquery may read."""

from __future__ import annotations

from sqlglot import exp

from engine.compile.correlation import gives_one_row
from engine.compile.scope import Queries
from engine.operators.aggregate import Aggregate
from engine.operators.base import Operator
from engine.operators.project import Filter, Project
from engine.operators.shared import Shared
from engine.operators.top_n import TopN


def at_most_one_row(operator: Operator) -> bool:
    """Is it sure that the operator has no two rows?"""
    while isinstance(operator, Project | Filter | Shared):
        operator = operator.input
    if isinstance(operator, Aggregate):
        return not operator.group
    return isinstance(operator, TopN) and not operator.partition and operator.limit <= 1


def of_one_row(ctes: Queries) -> set[str]:
    """The names of the CTEs that have at most one row."""
    found: set[str] = set()
    for name, query in ctes.items():  # in the order of definition: a later one may read an earlier one
        if gives_one_row(query, found) if isinstance(query, exp.Expr) else at_most_one_row(query):
            found.add(name)
    return found
