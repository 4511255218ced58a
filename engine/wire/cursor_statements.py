"""DECLARE ... SUBSCRIPTION CURSOR, FETCH and CLOSE as plans. Pure; called by `engine.wire.classify`.

What a FETCH or CLOSE is of, a subscription cursor or one of PostgreSQL's, only the session knows (`Cursors.resolve`).
"""

from __future__ import annotations

import re

from engine.wire.plans import CloseSubscription, DeclareSubscription, FetchSubscription, Forward
from engine.wire.tokens import Cursor
from tailrace.errors import InvalidStatement

_TIMEOUT = re.compile(
    r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?)?\s*", re.IGNORECASE
)
_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
MAX_ROWS = 1_000_000


def plan_declare_subscription(sql: str) -> DeclareSubscription:
    """DECLARE name SUBSCRIPTION CURSOR FOR subscription [FULL | SINCE now() | proctime() | begin() | milliseconds]."""
    cursor = Cursor(sql)
    cursor.take()
    name = cursor.identifier()
    for word in ("SUBSCRIPTION", "CURSOR", "FOR"):
        if not cursor.accept(word):
            raise Cursor.unexpected(cursor.take())
    schema, subscription = cursor.qualified_name()
    full = begin = False
    since_ms: int | None = None
    if cursor.accept("FULL"):
        full = True
    elif cursor.accept("SINCE"):
        begin, since_ms = _since(cursor)
    cursor.end()
    return DeclareSubscription(name, schema, subscription, full=full, begin=begin, since_ms=since_ms)


def _since(cursor: Cursor) -> tuple[bool, int | None]:
    for word in ("NOW", "PROCTIME", "BEGIN"):
        if cursor.accept(word):
            for symbol in "()":
                if not cursor.accept_symbol(symbol):
                    raise Cursor.unexpected(cursor.take())
            return word == "BEGIN", None
    token = cursor.take()
    if not token.text.isdecimal():
        raise InvalidStatement(
            f'syntax error at or near "{token.text}"',
            hint="SINCE now() | proctime() | begin() | milliseconds since 1970",
        )
    return False, int(token.text)


def plan_fetch(sql: str) -> FetchSubscription | Forward:
    """FETCH [NEXT | n] FROM name [WITH (timeout = '1s')]; other forms are PostgreSQL's."""
    cursor = Cursor(sql)
    cursor.take()
    count = 1
    token = cursor.peek()
    if token is not None and token.text.isdecimal():
        count = int(cursor.take().text)
    elif not cursor.accept("NEXT"):
        return Forward(sql)
    if not cursor.accept("FROM"):
        return Forward(sql)
    name, timeout_s = cursor.identifier(), None
    if cursor.accept("WITH"):
        timeout_s = _timeout(cursor)
    cursor.end()
    if not 0 < count <= MAX_ROWS:
        raise InvalidStatement(f"FETCH takes 1 to {MAX_ROWS} rows, got {count}", sqlstate="22023")
    return FetchSubscription(sql, name, count, timeout_s)


def _timeout(cursor: Cursor) -> float:
    if not cursor.accept_symbol("("):
        raise Cursor.unexpected(cursor.take())
    if not (cursor.accept("TIMEOUT") and cursor.accept_symbol("=")):
        raise InvalidStatement(
            "the only option of FETCH is timeout", hint="FETCH NEXT FROM c WITH (timeout = '1s')"
        )
    text = cursor.string()
    found = _TIMEOUT.fullmatch(text)
    if found is None:
        raise InvalidStatement(
            f"timeout must be a duration, got {text}", sqlstate="22023", hint="timeout = '1s'"
        )
    if not cursor.accept_symbol(")"):
        raise Cursor.unexpected(cursor.take())
    unit = (found[2] or "s").lower()
    return float(found[1]) * (_UNITS_S[unit] if unit in _UNITS_S else _UNITS_S[unit[0]])


def plan_close(sql: str) -> CloseSubscription | Forward:
    """CLOSE name; CLOSE ALL is PostgreSQL's."""
    cursor = Cursor(sql)
    cursor.take()
    if cursor.accept("ALL"):
        return Forward(sql)
    return CloseSubscription(sql, cursor.identifier())
