"""WITH (retention_seconds = n): rows are forgotten n seconds after they were written, and nobody is told.

RisingWave's option of append-only tables, with its meaning: what was derived from a row stays as it is. Here materialized
views take it too, for the content and for what their operators remember (RisingWave accepts it there and keeps everything:
docs/decisions/0011-retention.md). A table so marked carries the time of writing in a column of its own, which an index
leads to; `engine.flow.retention` deletes by it.
"""

from __future__ import annotations

from sqlglot import exp

from engine.compile.program import WRITTEN
from engine.ddl.names import options
from engine.operators.aggregate import Aggregate
from engine.operators.base import Operator
from engine.operators.top_n import TopN
from tailrace.errors import InvalidStatement, UnsupportedFeature

OPTION = "retention_seconds"
EXPIRING = "tailrace.expiring"
"""The setting by which the trigger of an append-only table knows the flow's deletes."""

CLEANED = "cleaned"
"""The key of a table's body that names the column below whose watermark its rows are deleted."""


def retention_of(create: exp.Create) -> int | None:
    """The option's value in seconds; None where it is not given. Raises InvalidStatement unless it is a positive integer."""
    text = options(create).get(OPTION)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**31):
        raise InvalidStatement(
            f"{OPTION} must be a number of seconds from 1 on, got {text}",
            sqlstate="22023",
            hint=f"WITH ({OPTION} = 3600) keeps an hour",
        )
    return int(text)


def check_may_forget(operator: Operator) -> None:
    """Raises UnsupportedFeature where forgetting would make later results wrong, not only start anew.

    A group that is gone and then sees a retraction would stand below zero; over an append-only input it just begins again.
    A total without groups is one row, which is kept.
    """
    ranks = isinstance(operator, TopN) or (isinstance(operator, Aggregate) and bool(operator.group))
    if ranks and not operator.inputs[0].append_only:
        raise UnsupportedFeature(
            f"{OPTION} on a view that aggregates or ranks rows that may change",
            hint="give the option to the views it reads, or leave it out",
        )
    for below in operator.inputs:
        check_may_forget(below)


def written_column(table: str) -> list[str]:
    """Statements that give a table the column and the index by which its rows expire."""
    return [
        f"ALTER TABLE {table} ADD COLUMN {WRITTEN} timestamptz NOT NULL DEFAULT now()",
        f"CREATE INDEX ON {table} ({WRITTEN})",
    ]
