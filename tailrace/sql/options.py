"""The options of a CREATE statement's WITH (...) in its text: some given other values, or all taken out, the rest as it was
written. Pure.

Used by the engine's ALTER ... CONNECTOR WITH and DROP CONNECTOR.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot.tokenizer_core import Token, TokenType

from tailrace.errors import InvalidStatement
from tailrace.sql.brackets import STEP, closing
from tailrace.sql.dialect import TailraceSQL


def with_options(definition: str, changes: Mapping[str, str]) -> str:
    """The statement with options changed or added; values are given as they are written in SQL.

    >>> with_options("create source s (v int) with (topic = 't', a.b = 1) format plain", {"a.b": "'2'", "c": "SECRET x"})
    "create source s (v int) with (topic = 't', a.b = '2', c = SECRET x) format plain"
    """
    tokens = TailraceSQL().tokenize(definition)
    opened = _list(tokens)
    closed = closing(tokens, opened) if opened is not None else None
    if opened is None or closed is None:
        raise InvalidStatement("the statement has no WITH (...)")
    parts: list[str] = []
    behind, left = 0, dict(changes)
    for first, last in _elements(tokens, opened, closed):
        equals = next((i for i in range(first, last) if tokens[i].token_type is TokenType.EQ), None)
        if equals is None:
            continue
        key = "".join(t.text for t in tokens[first:equals]).lower()
        if key in left:
            parts += (definition[behind : tokens[equals + 1].start], left.pop(key))
            behind = tokens[last].end + 1
    comma = tokens[closed - 1].token_type is TokenType.COMMA
    end = tokens[closed - 1 if comma else closed].start
    parts += (definition[behind:end], *(f", {key} = {value}" for key, value in left.items()))
    return "".join((*parts, definition[tokens[closed].start :]))


def without_connector(definition: str) -> str:
    """A CREATE TABLE without what says where its rows come from: INCLUDE, WITH (...), FORMAT and ENCODE.

    >>> without_connector("create table t (v int) include key as k append only with (topic = 't') format plain encode json")
    'create table t (v int) append only'
    """
    tokens = TailraceSQL().tokenize(definition)
    opened = next(i for i, t in enumerate(tokens) if t.token_type is TokenType.L_PAREN)
    closed = closing(tokens, opened)
    if closed is None:
        raise InvalidStatement("the statement has no list of columns")
    parts = [definition[: tokens[closed].end + 1]]
    kept = True
    for index in range(closed + 1, len(tokens)):
        word = tokens[index].text.upper()
        following = tokens[index + 1].text.upper() if index + 1 < len(tokens) else ""
        if word in ("INCLUDE", "FORMAT", "ENCODE", ";") or (word == "WITH" and following == "("):
            kept = False
        elif word in ("APPEND", "ON") or (word == "WITH" and following == "VERSION"):
            kept = True
        if kept:
            space = " " if tokens[index].start > tokens[index - 1].end + 1 or len(parts) == 1 else ""
            parts.append(space + definition[tokens[index].start : tokens[index].end + 1])
    return "".join(parts)


def _list(tokens: list[Token]) -> int | None:
    """Where the last WITH ( outside of brackets opens."""
    depth, found = 0, None
    for index, token in enumerate(tokens[:-1]):
        if not depth and token.text.upper() == "WITH" and tokens[index + 1].token_type is TokenType.L_PAREN:
            found = index + 1
        depth += STEP.get(token.token_type, 0)
    return found


def _elements(tokens: list[Token], opened: int, closed: int) -> list[tuple[int, int]]:
    """The first and the last token of each option."""
    found: list[tuple[int, int]] = []
    first = opened + 1
    for index in range(opened + 1, closed + 1):
        if index == closed or tokens[index].token_type is TokenType.COMMA:
            if index > first:
                found.append((first, index - 1))
            first = index + 1
    return found
