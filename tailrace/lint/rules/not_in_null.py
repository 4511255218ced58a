"""not_in_null: NOT IN (SELECT ...) is never true once the subquery gives a NULL: the view is empty."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.rule import Place, Rule, Severity


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """Subqueries only; a list of values shows its NULL."""
    for node in item.tree.find_all(exp.Not):
        inner = node.this.unnest()
        if isinstance(inner, exp.In) and inner.args.get("query") is not None:
            yield inner, "NOT IN over a subquery"


RULE = Rule(
    "not_in_null",
    Severity.WARNING,
    "NOT IN (SELECT ...) is never true once the subquery gives a NULL: the view is empty",
    "NOT EXISTS (SELECT 1 FROM ... WHERE ...).",
    check,
)
