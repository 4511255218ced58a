"""not_deterministic: RULE at the end says why, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.facts import is_maintained
from tailrace.lint.rule import Place, Rule, Severity

_NAMES = frozenset({"random", "gen_random_uuid", "uuid_generate_v4", "clock_timestamp", "setseed"})


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """In what is maintained."""
    if not is_maintained(item) or item.query is None:
        return
    for call in item.query.find_all(exp.Func):
        name = (call.name if isinstance(call, exp.Anonymous) else call.sql_name()).lower()
        if name in _NAMES or isinstance(call, exp.Rand | exp.Uuid):
            yield call, f"{name}() gives another value each time"


RULE = Rule(
    "not_deterministic",
    Severity.ERROR,
    "A value that differs each time it is computed cannot be taken back: retractions would miss the row",
    "Compute it in the client, or bring it in with the data.",
    check,
)
