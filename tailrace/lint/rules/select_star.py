"""select_star: a star over a relation changes with it: a column added there never reaches what was built before."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.facts import selects
from tailrace.lint.rule import Place, Rule, Severity
from tailrace.sql.kinds import RelationKind


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """Stars over subqueries and CTEs of the same statement are let alone."""
    if item.query is None or item.kind is RelationKind.SINK:
        return
    for select in selects(item.query):
        star = next((e for e in select.expressions if e.is_star), None)
        if star is None:
            continue
        wanted = star.table if isinstance(star, exp.Column) else ""
        own = {c.alias for c in item.query.find_all(exp.CTE)}
        tables = [f.this for f in (select.args.get("from_"), *(select.args.get("joins") or [])) if f]
        named = [t for t in tables if isinstance(t, exp.Table) and t.name not in own]
        named = [t for t in named if wanted in ("", t.alias_or_name)]
        if named:
            yield named[0], f"SELECT * of {named[0].name or named[0].alias}"


RULE = Rule(
    "select_star",
    Severity.WARNING,
    "A star over a relation changes with it: a column added there never reaches what was built before",
    "List the columns.",
    check,
)
