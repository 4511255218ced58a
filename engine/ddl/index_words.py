"""The clause of CREATE INDEX that sqlglot does not know: DISTRIBUTED BY. Pure."""

from __future__ import annotations

import re

from tailrace.errors import InvalidStatement
from tailrace.sql.dialect import TailraceSQL

_CLAUSE = re.compile(r"\bDISTRIBUTED\s+BY\s*\(", re.IGNORECASE)


def without_distribution(text: str) -> tuple[str, str]:
    """The statement without DISTRIBUTED BY (...) at its end, and what stood in the parentheses ('': it was not there).

    >>> without_distribution("create index i on t(a, b) distributed by (a)")
    ('create index i on t(a, b) ', 'a')
    """
    found = list(_CLAUSE.finditer(text))
    if not found:
        return text, ""
    start = found[-1]
    tokens = [t for t in TailraceSQL().tokenize(text) if t.start >= start.end() and t.text != ";"]
    if not tokens or tokens[-1].text != ")":
        raise InvalidStatement("syntax error: DISTRIBUTED BY (columns) ends CREATE INDEX")
    return text[: start.start()], text[start.end() : tokens[-1].start].strip()
