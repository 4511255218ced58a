"""unread: a view that nobody reads is maintained at every barrier all the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.rule import Place, Rule, Severity
from tailrace.sql.kinds import RelationKind

_SAID = re.compile(r"\b(read|used)\b.{0,20}\b(by|through)\b", re.IGNORECASE | re.DOTALL)


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """Readers are views, sinks and indexes of the files, or those that a comment names."""
    if item.kind is not RelationKind.MATERIALIZED_VIEW or catalogue.readers(item.name):
        return
    if not _SAID.search(item.comments):
        yield None, f"nothing reads {item.name}"


RULE = Rule(
    "unread",
    Severity.NOTE,
    "A view that nobody reads is maintained at every barrier all the same",
    "Drop it, or say in a comment who reads it: -- Read by ...",
    check,
)
