"""now() in a statement replaced by a moment, so that a test says what time it is. Pure."""

from __future__ import annotations

from datetime import datetime

from tailrace.sql.dialect import TailraceSQL


def at(sql: str, now: datetime) -> str:
    """The statement as it was written, with each `now()` and `CURRENT_TIMESTAMP` as a literal.

    >>> from datetime import UTC
    >>> at("SELECT 1 WHERE t > now() - INTERVAL '1 hour'", datetime(2026, 1, 1, tzinfo=UTC))
    "SELECT 1 WHERE t > '2026-01-01T00:00:00+00:00'::timestamptz - INTERVAL '1 hour'"
    """
    literal = f"'{now.isoformat()}'::timestamptz"
    tokens = TailraceSQL().tokenize(sql)
    for index in reversed(range(len(tokens))):
        word = tokens[index].text.upper()
        called = [t.text for t in tokens[index + 1 : index + 3]] == ["(", ")"]
        if (word == "NOW" and called) or word == "CURRENT_TIMESTAMP":
            end = tokens[index + 2 if called else index].end + 1
            sql = sql[: tokens[index].start] + literal + sql[end:]
    return sql
