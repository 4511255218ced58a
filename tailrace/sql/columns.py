"""The columns in the text of a CREATE TABLE: one added or taken out, everything else as it was written. Pure."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from tailrace.sql.brackets import closing
from tailrace.sql.dialect import TailraceSQL


def with_column(definition: str, column: str) -> str:
    """The statement with a column more, behind the others.

    >>> with_column("create table t (v int) append only", "r real")
    'create table t (v int, r real) append only'
    """
    tokens = TailraceSQL().tokenize(definition)
    opened, closed = _list(tokens)
    end = tokens[closed].start
    comma = ", " if closed > opened + 1 else ""
    return f"{definition[:end]}{comma}{column}{definition[end:]}"


def without_column(definition: str, name: str) -> str:
    """The statement without the column that is called `name`.

    >>> without_column("create table t (v int, R numeric(1, 2) default f(1, 2), s varchar)", "r")
    'create table t (v int, s varchar)'
    >>> without_column("create table t (v int)", "v")
    'create table t ()'
    """
    tokens = TailraceSQL().tokenize(definition)
    opened, closed = _list(tokens)
    elements: list[list[Token]] = [[]]
    depth = 0
    for token in tokens[opened + 1 : closed]:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if token.token_type is TokenType.COMMA and not depth:
            elements.append([])
        else:
            elements[-1].append(token)
    kept = [e for e in elements if e and _name(e[0]) != name]
    text = ", ".join(definition[e[0].start : e[-1].end + 1] for e in kept)
    return f"{definition[: tokens[opened].end + 1]}{text}{definition[tokens[closed].start :]}"


def _name(token: Token) -> str:
    return token.text if token.token_type is TokenType.IDENTIFIER else token.text.lower()


def _list(tokens: list[Token]) -> tuple[int, int]:
    """Where the list of columns opens and closes."""
    opened = next(i for i, t in enumerate(tokens) if t.token_type is TokenType.L_PAREN)
    closed = closing(tokens, opened)
    if closed is None:
        raise ValueError("no list of columns")
    return opened, closed
