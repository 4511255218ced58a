"""unbounded_window: RULE at the end says why, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.facts import RANKS, emits_on_close, is_maintained
from tailrace.lint.rule import Place, Rule, Severity


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """Window functions without PARTITION BY, and ranks that no WHERE around them bounds."""
    if not is_maintained(item) or item.query is None or emits_on_close(item):
        return
    for window in item.query.find_all(exp.Window):
        call = window.this
        if isinstance(call, exp.Lag | exp.Lead) or _is_short(window):
            continue
        if isinstance(call, RANKS) and _is_bounded(window):
            continue
        yield (
            window,
            f"{call.sql_name().lower() if isinstance(call, exp.Func) else 'a function'} over an unbounded window",
        )


def _is_short(window: exp.Window) -> bool:
    spec = window.args.get("spec")
    return (
        spec is not None
        and str(spec.args.get("kind")).upper() == "ROWS"
        and spec.args.get("start") != "UNBOUNDED"
    )


def _is_bounded(window: exp.Window) -> bool:
    named = window.find_ancestor(exp.Alias)
    select = window.find_ancestor(exp.Select)
    around = (
        select.parent.find_ancestor(exp.Select) if select is not None and select.parent is not None else None
    )
    where = around.args.get("where") if around is not None else None
    names = {c.name for c in where.find_all(exp.Column)} if where is not None else set()
    return named is not None and named.alias in names


RULE = Rule(
    "unbounded_window",
    Severity.WARNING,
    "Without a bound the whole partition is read whenever a row of it changes: O(group); without PARTITION BY O(state)",
    "PARTITION BY, and a bound: WHERE row_number <= n, ROWS BETWEEN n PRECEDING AND CURRENT ROW; or EMIT ON WINDOW CLOSE.",
    check,
)
