"""now_in_result: risingWave takes now() in WHERE, HAVING and ON only: elsewhere every row would change all the time."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.facts import is_maintained
from tailrace.lint.rule import Place, Rule, Severity


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """In what is maintained; plain views and batch queries may."""
    if not is_maintained(item) or item.query is None:
        return
    for node in item.query.find_all(exp.CurrentTimestamp):
        around = node.find_ancestor(exp.Where, exp.Having, exp.Join, exp.Select)
        if isinstance(around, exp.Select):
            yield around, "now() in the result"


RULE = Rule(
    "now_in_result",
    Severity.ERROR,
    "RisingWave takes now() in WHERE, HAVING and ON only: elsewhere every row would change all the time",
    "Compare with now() in WHERE; for when a row arrived, INCLUDE timestamp of the source.",
    check,
)
