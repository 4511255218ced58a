"""source_without_watermark: RULE at the end says why, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.facts import has_watermark
from tailrace.lint.rule import Place, Rule, Severity
from tailrace.sql.kinds import RelationKind


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """Sources only: tables are not expected to have one."""
    if item.kind is RelationKind.SOURCE and not has_watermark(item):
        yield None, f"source {item.name} has no WATERMARK"


RULE = Rule(
    "source_without_watermark",
    Severity.NOTE,
    "Without a watermark nothing closes: windows over the source are kept, and EMIT ON WINDOW CLOSE cannot be used",
    "WATERMARK FOR ts AS ts - INTERVAL '...' among its columns, or on the relation behind it.",
    check,
)
