"""What gives at most one row: the CTEs that a scalar subquery may read."""

from __future__ import annotations

from sqlglot import exp

from engine.compile.correlation import gives_one_row
from engine.compile.scope import Queries


def of_one_row(ctes: Queries) -> set[str]:
    """The names of the CTEs that have at most one row."""
    found: set[str] = set()
    for name, query in ctes.items():  # in the order of definition: a later one may read an earlier one
        if gives_one_row(query, found) if isinstance(query, exp.Expr) else query.of_one_row:
            found.add(name)
    return found
