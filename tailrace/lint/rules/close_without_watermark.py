"""close_without_watermark: RULE at the end says why, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.facts import emits_on_close, has_watermark
from tailrace.lint.rule import Place, Rule, Severity


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """Looks for a watermark anywhere behind the view."""
    if not emits_on_close(item):
        return
    if not any(has_watermark(catalogue.objects[n]) for n in catalogue.upstream(item.name)):
        yield None, f"{item.name} emits on window close, and nothing behind it has a watermark"


RULE = Rule(
    "close_without_watermark",
    Severity.ERROR,
    "EMIT ON WINDOW CLOSE puts a row out when a watermark has passed it: without one nothing ever comes out",
    "WATERMARK FOR ... on the source or table that it reads.",
    check,
)
