"""no_retention: a view that keeps rows of an endless input grows until the disk is full."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.facts import RANKS, is_aggregated, options, reads_endless
from tailrace.lint.rule import Place, Rule, Severity
from tailrace.sql.kinds import RelationKind


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """Aggregates by keys that are no times, top-N and temporal filters are taken for bounded."""
    if (
        item.kind is not RelationKind.MATERIALIZED_VIEW
        or item.query is None
        or "retention_seconds" in options(item)
    ):
        return
    if not reads_endless(item, catalogue) or item.query.find(exp.CurrentTimestamp, exp.Limit):
        return
    for select in _outer(item.query):
        if not is_aggregated(select):
            where = select.args.get("where")
            if not (where is not None and item.query.find(*RANKS)) and not _is_over_aggregate(select):
                yield None, f"{item.name} keeps every row of an endless input"
                return
        elif _by_time(select):
            yield None, f"{item.name} keeps every window of an endless input"
            return


def _outer(query: exp.Query) -> Iterator[exp.Select]:
    if isinstance(query, exp.SetOperation):
        yield from _outer(query.left)
        yield from _outer(query.right)
    elif isinstance(query, exp.Select):
        yield query


def _is_over_aggregate(select: exp.Select) -> bool:
    """What it selects from is bounded: an aggregated subquery without a time among its keys."""
    source = select.args.get("from_")
    inner = source.this.this if source is not None and isinstance(source.this, exp.Subquery) else None
    return isinstance(inner, exp.Select) and is_aggregated(inner) and not _by_time(inner)


def _by_time(select: exp.Select) -> bool:
    group = select.args.get("group")
    names = {c.name.lower() for c in group.find_all(exp.Column)} if group else set()
    return bool(names & {"window_start", "window_end"})


RULE = Rule(
    "no_retention",
    Severity.WARNING,
    "A view that keeps rows of an endless input grows until the disk is full",
    "WITH (retention_seconds = ...) behind its name, a filter on ts > now() - INTERVAL '1 day', or a bounded GROUP BY.",
    check,
)
