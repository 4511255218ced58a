"""order_without_limit: ORDER BY of a view says nothing about the order in which it is read."""

from __future__ import annotations

from collections.abc import Iterator

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.facts import is_maintained
from tailrace.lint.rule import Place, Rule, Severity


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """The outermost query of a materialized view."""
    query = item.query
    if is_maintained(item) and query is not None and query.args.get("order") and not query.args.get("limit"):
        yield query.args["order"], "ORDER BY without LIMIT"


RULE = Rule(
    "order_without_limit",
    Severity.NOTE,
    "ORDER BY of a view says nothing about the order in which it is read",
    "Order where you read it; leave it out here.",
    check,
)
