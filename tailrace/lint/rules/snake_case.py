"""snake_case: names with capitals or other signs have to be quoted wherever they are used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.rule import Place, Rule, Severity

_SNAKE = re.compile(r"[a-z_][a-z0-9_]*")


def check(item: SqlObject, catalogue: Catalogue) -> Iterator[Place]:
    """The object's name and its columns'."""
    if not _SNAKE.fullmatch(item.name.name):
        yield None, f"{item.name} is not snake_case"
    for column in catalogue.columns(item.name) or ():
        if not _SNAKE.fullmatch(column.name) and column.name != "?column?":
            yield None, f"column {column.name} of {item.name} is not snake_case"


RULE = Rule(
    "snake_case",
    Severity.NOTE,
    "Names with capitals or other signs have to be quoted wherever they are used",
    "Lower case letters, digits and underscores.",
    check,
)
