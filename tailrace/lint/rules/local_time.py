"""local_time: a time without its zone means another moment on another machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.rule import Place, Rule, Severity

_OFFSET = re.compile(r"(Z|[+-]\d{2}(:?\d{2})?)$", re.IGNORECASE)


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """Columns and casts to timestamp, and literals of timestamptz without an offset."""
    for column in item.tree.find_all(exp.ColumnDef):
        if _is_local(column.args.get("kind")):
            yield column.this, f"column {column.name} is a timestamp without a time zone"
    for cast in item.tree.find_all(exp.Cast):
        if _is_local(cast.to):
            yield cast.this, "a cast to timestamp without a time zone"
        elif cast.to.this is exp.DType.TIMESTAMPTZ and isinstance(cast.this, exp.Literal):
            text = cast.this.name.strip()
            if ":" in text and not _OFFSET.search(text):
                yield cast.this, f"the time '{text}' has no offset"


def _is_local(kind: exp.Expr | None) -> bool:
    return isinstance(kind, exp.DataType) and kind.this is exp.DType.TIMESTAMP


RULE = Rule(
    "local_time",
    Severity.WARNING,
    "A time without its zone means another moment on another machine",
    "timestamptz, and literals with an offset: '2026-01-01 00:00:00+00:00'.",
    check,
)
