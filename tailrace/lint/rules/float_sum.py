"""float_sum: RULE at the end says why, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.facts import is_append_only, is_maintained
from tailrace.lint.rule import Place, Rule, Severity

_SUMS = (exp.Sum, exp.Avg, exp.Stddev, exp.StddevSamp, exp.StddevPop, exp.Variance, exp.VariancePop)


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """Where the text tells the type of the column and that its rows can be taken back."""
    if not is_maintained(item) or item.query is None or all(is_append_only(n, catalogue) for n in item.reads):
        return
    floats = {
        column.name
        for name in item.reads
        for column in catalogue.columns(name) or ()
        if column.type in ("double precision", "double", "real", "float")
    }
    for call in item.query.find_all(*_SUMS):
        for column in call.find_all(exp.Column):
            if column.name.lower() in floats:
                yield (
                    column,
                    f"{call.sql_name().lower()} of {column.name}, a float whose rows can be taken back",
                )
                break


RULE = Rule(
    "float_sum",
    Severity.WARNING,
    "What was added to a float cannot be taken out exactly: a group that sees a retraction is added up again, O(group)",
    "Sum numeric or integers, or read append-only input.",
    check,
)
