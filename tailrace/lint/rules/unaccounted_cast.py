"""unaccounted_cast: RULE at the end says why, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.rule import Place, Rule, Severity
from tailrace.sql.kinds import RelationKind

_TEXT = (exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.CHAR)


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """In views that read a source, where data comes from outside. What the source INCLUDEs is trusted."""
    if item.kind is not RelationKind.MATERIALIZED_VIEW or item.query is None:
        return
    sources = [catalogue.objects[n] for n in item.reads if n in catalogue.objects]
    sources = [s for s in sources if s.kind is RelationKind.SOURCE]
    if not sources:
        return
    trusted = {
        i.args["alias"].name
        for s in sources
        for i in s.tree.find_all(exp.IncludeProperty)
        if i.args.get("alias")
    }
    typed = {
        c.name
        for s in sources
        for c in catalogue.columns(s.name) or ()
        if c.type not in (None, "varchar", "jsonb", "bytea")
    }
    accounted = _accounted(item.query)
    for cast in item.query.find_all(exp.Cast):
        named = cast.find_ancestor(exp.Alias)
        columns = {c.name for c in cast.this.find_all(exp.Column)}
        if cast.to.this in _TEXT or not columns or columns <= trusted | typed:
            continue
        if cast.find_ancestor(exp.Is, exp.Coalesce) is None and (
            named is None or named.alias not in accounted
        ):
            yield (
                next(cast.this.find_all(exp.Column)),
                f"a cast to {cast.to.sql('risingwave').lower()} that may fail unseen",
            )


def _accounted(query: exp.Query) -> set[str]:
    """The names whose NULL is looked at, directly or through what is made of them."""
    found = {c.name for test in query.find_all(exp.Is, exp.Coalesce) for c in test.find_all(exp.Column)}
    made = [(a.alias, {c.name for c in a.this.find_all(exp.Column)}) for a in query.find_all(exp.Alias)]
    while True:
        more = {n for alias, names in made if alias in found for n in names} - found
        if not more:
            return found
        found |= more


RULE = Rule(
    "unaccounted_cast",
    Severity.WARNING,
    "In a view a cast that fails gives NULL and says nothing: a malformed message looks like one without a value",
    "Test the result (x IS NULL gives a reason, as in a reject_reason column), or coalesce it.",
    check,
)
