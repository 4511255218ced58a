"""FROM: relations, subqueries and CTEs, joined from left to right.

Conditions that read one item alone are applied before it is joined.
"""

from __future__ import annotations

from sqlglot import exp

from engine.compile.clauses.join import join
from engine.compile.clauses.row_number import bound_rank
from engine.compile.clauses.where import where
from engine.compile.program import delta_name
from engine.compile.relations import Relation
from engine.compile.scope import Planner, Queries, Scope, tables_of
from engine.operators.base import Operator
from engine.operators.repeat import Repeat
from engine.operators.scan import Scan
from engine.operators.watermark import Watermark
from tailrace.errors import UnsupportedFeature


def from_clause(planner: Planner, tree: exp.Select, ctes: Queries, conditions: list[exp.Expr]) -> Scope:
    """The FROM clause of `tree`; conditions that are applied here are taken out of `conditions`."""
    source = tree.args.get("from_")
    if source is None:
        raise UnsupportedFeature("a view without FROM")
    joins = tree.args.get("joins") or []
    sides = [(j.side or "").upper() for j in joins]
    protected = {
        j.this.alias_or_name for j, side in zip(joins, sides, strict=True) if side in ("LEFT", "FULL")
    }
    if any(side in ("RIGHT", "FULL") for side in sides):
        raise UnsupportedFeature(
            f"{next(s for s in sides if s in ('RIGHT', 'FULL'))} JOIN in a view", hint="use LEFT JOIN"
        )
    temporal = {j.this.alias_or_name for j in joins if j.this.args.get("version")}
    scope = _item(planner, source.this, ctes)
    if not joins:
        return scope
    if scope.ranked is not None:
        bound_rank(scope, conditions, tree)
    _push(planner, scope, source.this.alias_or_name, conditions, ctes)
    for joined in joins:
        if isinstance(joined.this, exp.Values):
            _repeat(planner, scope, joined)
            continue
        right = _item(planner, joined.this, ctes)
        alias = joined.this.alias_or_name
        if right.ranked is not None:
            bound_rank(right, [] if alias in protected else conditions, tree)
        if alias not in protected and alias not in temporal:
            _push(planner, right, alias, conditions, ctes)
        scope = join(planner, scope, right, joined, conditions)
    return scope


def _repeat(planner: Planner, scope: Scope, joined: exp.Join) -> None:
    """CROSS JOIN (VALUES (0), (1), ...) AS v(n): each row once for each number."""
    values, alias = joined.this, joined.this.args.get("alias")
    numbers = [t.expressions[0] for t in values.expressions if len(t.expressions) == 1]
    whole = all(isinstance(n, exp.Literal) and n.is_int for n in numbers) and numbers
    named = alias is not None and len(alias.columns) == 1
    distinct = tuple(dict.fromkeys(int(n.name) for n in numbers)) if whole else ()
    if joined.args.get("on") is not None or not named or len(distinct) != len(values.expressions):
        raise UnsupportedFeature(
            "VALUES in FROM of a view", hint="CROSS JOIN (VALUES (0), (1)) AS v(n), of distinct integers"
        )
    column = alias.columns[0].name
    number = f"{column}_{planner.fresh()}"
    scope.operator = Repeat(scope.operator, number, distinct)
    scope.names = {**scope.names, values.alias: {column: number}}


def _push(planner: Planner, scope: Scope, alias: str, conditions: list[exp.Expr], ctes: Queries) -> None:
    """Apply the conditions that read only `alias` before it is joined; they are taken out of the list."""
    for condition in list(conditions):
        if tables_of(condition) == {alias}:
            conditions.remove(condition)
            where(planner, scope, condition, ctes)


def _item(planner: Planner, item: exp.Expr, ctes: Queries) -> Scope:
    alias = item.alias_or_name
    if isinstance(item, exp.Subquery):
        operator, ranked = planner.query(item.this, ctes)
        return Scope(operator, {alias: {c.name: c.name for c in operator.visible}}, ranked)
    if not isinstance(item, exp.Table):
        raise UnsupportedFeature(f"{item.key.upper()} in FROM of a view")
    if not item.db and item.name in ctes:
        inner = {k: v for k, v in ctes.items() if k != item.name}
        operator, ranked = planner.query(ctes[item.name], inner)
        return Scope(operator, {alias: {c.name: c.name for c in operator.visible}}, ranked)
    relation = planner.relation(item.name, item.db)
    operator = scan(planner, relation)
    return Scope(operator, {alias: {c.name: c.name for c in operator.visible}})


def scan(planner: Planner, relation: Relation) -> Operator:
    """A relation's changes and content; a plain view's operators in its place."""
    if relation.query is not None:
        return planner.view(relation)
    return Scan(
        relation.name,
        delta_name(relation.id),
        relation.content,
        relation.columns,
        relation.key,
        relation.append_only,
        relation.storage,
        {column: Watermark(expression) for column, expression in relation.watermarks.items()},
    )
