"""limit_without_order: LIMIT without ORDER BY keeps any rows, and others after the next change."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.facts import is_maintained
from tailrace.lint.rule import Place, Rule, Severity


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """In what is maintained."""
    if not is_maintained(item) or item.query is None:
        return
    for query in item.query.find_all(exp.Query):
        if query.args.get("limit") and not query.args.get("order") and not _is_one(query):
            yield query, "LIMIT without ORDER BY"


def _is_one(query: exp.Expr) -> bool:
    return query.find_ancestor(exp.Exists) is not None


RULE = Rule(
    "limit_without_order",
    Severity.WARNING,
    "LIMIT without ORDER BY keeps any rows, and others after the next change",
    "ORDER BY, down to a column that is unique.",
    check,
)
