"""The columns in the text of a CREATE TABLE or SOURCE: one added, changed or taken out, the rest as it was written. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlglot.tokenizer_core import Token, TokenType

from tailrace.sql.brackets import STEP, closing
from tailrace.sql.dialect import TailraceSQL

_AFTER_TYPE = frozenset({"NOT", "NULL", "DEFAULT", "PRIMARY", "AS"})


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
    return _with_elements(definition, lambda element: None if _name(element[0]) == name else "")


def with_type(definition: str, name: str, type_: str) -> str:
    """The statement with another type of the column that is called `name`.

    >>> with_type("create table t (v struct<a int>[] not null, w int)", "v", "struct<b real>[]")
    'create table t (v struct<b real>[] not null, w int)'
    """

    def changed(element: list[Token]) -> str | None:
        if _name(element[0]) != name:
            return ""
        rest = element[_behind_type(element) :]
        written = definition[element[0].start : element[0].end + 1]
        constraints = f" {definition[rest[0].start : rest[-1].end + 1]}" if rest else ""
        return f"{written} {type_}{constraints}"

    return _with_elements(definition, changed)


def with_watermark(definition: str, watermark: str) -> str:
    """The statement with another watermark in the place of its own.

    >>> with_watermark("create table t (v int, watermark for v as v - 1) append only", "WATERMARK FOR v AS v - 2")
    'create table t (v int, WATERMARK FOR v AS v - 2) append only'
    """

    def changed(element: list[Token]) -> str | None:
        return watermark if [t.text.upper() for t in element[:2]] == ["WATERMARK", "FOR"] else ""

    return _with_elements(definition, changed)


def _with_elements(definition: str, changed: Callable[[list[Token]], str | None]) -> str:
    """The statement with each element of its list as `changed` says: "" leaves it as it is, None takes it out."""
    tokens = TailraceSQL().tokenize(definition)
    opened, closed = _list(tokens)
    listed = tokens[opened + 1 : closed]
    elements: list[list[Token]] = [[]]
    for token, depth in zip(listed, depths(listed), strict=True):
        if token.token_type is TokenType.COMMA and not depth:
            elements.append([])
        else:
            elements[-1].append(token)
    texts = ((e, changed(e)) for e in elements if e)
    kept = [new or definition[e[0].start : e[-1].end + 1] for e, new in texts if new is not None]
    return f"{definition[: tokens[opened].end + 1]}{', '.join(kept)}{definition[tokens[closed].start :]}"


def depths(tokens: Sequence[Token]) -> Iterator[int]:
    """How deep in brackets each token stands, closing ones outside; `<` is a bracket behind STRUCT only."""
    depth = angles = 0
    for at, token in enumerate(tokens):
        step = STEP.get(token.token_type, 0)
        if token.token_type is TokenType.LT and tokens[at - 1].text.upper() == "STRUCT":
            step, angles = 1, angles + 1
        elif token.token_type is TokenType.GT and angles:
            step, angles = -1, angles - 1
        depth += step
        yield depth


def _behind_type(element: list[Token]) -> int:
    """The index of what follows the type of a column, which is its second token and what belongs to that."""
    found = list(depths(element))
    words = [t.text.upper() for t in element]
    return next((i for i in range(2, len(element)) if words[i] in _AFTER_TYPE and not found[i]), len(element))


def _name(token: Token) -> str:
    return token.text if token.token_type is TokenType.IDENTIFIER else token.text.lower()


def _list(tokens: list[Token]) -> tuple[int, int]:
    """Where the list of columns opens and closes."""
    opened = next(i for i, t in enumerate(tokens) if t.token_type is TokenType.L_PAREN)
    closed = closing(tokens, opened)
    if closed is None:
        raise ValueError("no list of columns")
    return opened, closed
