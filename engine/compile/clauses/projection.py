"""The select list: typed, softened expressions, and the stream key carried along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from engine.compile.clauses.expand import expand_calls
from engine.compile.expressions import check_scalars, identifier, soften
from engine.compile.relations import describe_over
from engine.compile.rows import expanded_stars
from engine.compile.scope import Planner, Scope, bind
from engine.operators.base import Column, Operator
from engine.operators.project import Project


def project(planner: Planner, scope: Scope, selects: Sequence[exp.Expr]) -> Operator:
    """The select items over the scope; key columns that are not selected follow, hidden."""
    bound = [bind(scope, s.unalias()).unnest() for s in selects]
    if any(s.find(exp.Star) for s in bound):
        selects = expanded_stars(planner.environment, scope.operator, selects, bound)
        bound = [bind(scope, s.unalias()).unnest() for s in selects]
    operator, bound = expand_calls(planner, scope.operator, bound)
    check_scalars(planner.environment, bound)
    operator, items = soften(planner.environment, operator, bound)
    types = describe_over(planner.environment, operator, items)
    columns = [
        Column(s.alias_or_name or "?column?", "text" if t == "unknown" else t)
        for s, t in zip(selects, types, strict=True)
    ]
    keys = []
    for key in operator.key:
        at = next(
            (i for i, item in enumerate(items) if isinstance(item, exp.Column) and item.name == key), None
        )
        if at is None:
            at = len(items)
            items = [*items, identifier(key)]
            name, taken = key, {c.name for c in columns}
            while name in taken:
                name = f"_key_{name}_{at}"
            columns.append(replace(operator.column(key), name=name, hidden=True))
        keys.append(columns[at].name)
    return Project(operator, tuple(items), tuple(columns), tuple(keys))
