"""Columns that a schema outside gives, in the text of a CREATE SOURCE or TABLE: `(*, c int AS a)`, `()` or no list at all. Pure.

The text is made to list them, the rest stays as it was written: what is kept as the definition then says what there is, as
RisingWave's does, whatever becomes of the schema. Used by `engine.ddl.external_columns`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlglot.tokenizer_core import Token, TokenType

from tailrace.errors import InvalidStatement
from tailrace.sql.brackets import closing
from tailrace.sql.columns import depths
from tailrace.sql.dialect import TailraceSQL

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_RESERVED = frozenset(
    "all analyse analyze and any array as asc asymmetric authorization between binary both case cast check collate column "
    "constraint create cross current_date current_role current_time current_timestamp current_user default deferrable desc "
    "distinct do else end except false fetch for foreign from full grant group having in initially inner intersect into is "
    "join key lateral leading left like limit localtime localtimestamp natural not null offset on only or order outer "
    "overlaps placing primary references returning right select session_user similar some struct symmetric table then to "
    "trailing true union unique user using variadic watermark when where window with".split()
)


@dataclass(frozen=True, slots=True)
class ColumnList:
    """What a statement lists. `start` and `end` are where the list stands in the text, without its parentheses (equal, behind
    the name, where there is none); `elements` are its texts, of which `wildcard` is the place of `*`, if any.
    """

    start: int
    end: int
    bare: bool
    """There is no list, nor its parentheses."""
    elements: tuple[str, ...]
    wildcard: int | None
    names: tuple[str, ...]
    """Of the columns that come from outside."""
    generated: tuple[str, ...]
    has_key: bool


def column_list(text: str) -> ColumnList | None:
    """The columns of a CREATE SOURCE or CREATE TABLE; None for every other statement."""
    tokens = TailraceSQL().tokenize(text)
    words = [t.text.upper() if t.token_type is not TokenType.IDENTIFIER else "" for t in tokens]
    if words[:1] != ["CREATE"] or len(tokens) < 3 or words[1] not in ("SOURCE", "TABLE"):
        return None
    at = 2
    if words[2:5] == ["IF", "NOT", "EXISTS"]:
        at = 5
    while at + 2 < len(tokens) and words[at + 1] == ".":
        at += 2
    if at >= len(tokens):
        return None
    behind = tokens[at].end + 1
    if at + 1 >= len(tokens) or words[at + 1] != "(":
        return ColumnList(behind, behind, True, (), None, (), (), False)
    closed = closing(tokens, at + 1)
    if closed is None:
        raise InvalidStatement("syntax error at end of input")
    return _listed(text, tokens[at + 2 : closed], tokens[at + 1].end + 1, tokens[closed].start)


def _listed(text: str, listed: Sequence[Token], start: int, end: int) -> ColumnList:
    elements: list[list[Token]] = [[]]
    for token, depth in zip(listed, depths(listed), strict=True):
        if token.token_type is TokenType.COMMA and not depth:
            elements.append([])
        else:
            elements[-1].append(token)
    elements = [e for e in elements if e]
    stars = [i for i, e in enumerate(elements) if [t.text for t in e] == ["*"]]
    if len(stars) > 1:
        raise InvalidStatement("At most 1 wildcard is allowed in source definition")
    names: list[str] = []
    generated: list[str] = []
    has_key = False
    for element in elements:
        words = [t.text.upper() for t in element[:2]]
        has_key = has_key or any(word.startswith("PRIMARY") for word in _outside(element))
        if (
            words[0].startswith(("PRIMARY", "CONSTRAINT"))
            or words == ["*"]
            or words[:2] == ["WATERMARK", "FOR"]
        ):
            continue
        name = element[0].text if element[0].token_type is TokenType.IDENTIFIER else element[0].text.lower()
        (generated if "AS" in _outside(element[2:]) else names).append(name)
    texts = tuple(text[e[0].start : e[-1].end + 1] for e in elements)
    wildcard = stars[0] if stars else None
    return ColumnList(start, end, False, texts, wildcard, tuple(names), tuple(generated), has_key)


def _outside(element: Sequence[Token]) -> list[str]:
    """The words that stand outside of all brackets; PRIMARY KEY is one."""
    return [
        t.text.upper()
        for t, depth in zip(element, depths(element), strict=True)
        if not depth and t.token_type is not TokenType.IDENTIFIER
    ]


def with_derived(text: str, columns: Iterable[tuple[str, str]], key: Sequence[str] = ()) -> str:
    """The statement with these columns in the place of its `*`, or before all others where there is none; and with a primary
    key, if `key` names one.

    >>> with_derived("create table t (*, c int as a + 1) with (x = 'y')", [("a", "INT"), ("B", "BYTEA")])
    'create table t (a INT, "B" BYTEA, c int as a + 1) with (x = \\'y\\')'
    >>> with_derived("CREATE SOURCE s WITH (x = 'y')", [("a", "INT")], ["a"])
    "CREATE SOURCE s (a INT, PRIMARY KEY (a)) WITH (x = 'y')"
    """
    found = column_list(text)
    if found is None:
        raise ValueError("no CREATE SOURCE or TABLE")
    derived = [f"{written_name(name)} {type_}" for name, type_ in columns]
    before, after = (
        ((), found.elements)
        if found.wildcard is None
        else (found.elements[: found.wildcard], found.elements[found.wildcard + 1 :])
    )
    keys = [f"PRIMARY KEY ({', '.join(map(written_name, key))})"] if key else []
    listed = ", ".join((*before, *derived, *after, *keys))
    return f"{text[: found.start]}{f' ({listed})' if found.bare else listed}{text[found.end :]}"


def written_name(name: str) -> str:
    """A column's name as SQL: quoted where it would be read as something else.

    >>> written_name("foo"), written_name("Foo"), written_name("order")
    ('foo', '"Foo"', '"order"')
    """
    if _PLAIN.fullmatch(name) and name not in _RESERVED:
        tokens = TailraceSQL().tokenize(name)
        if len(tokens) == 1 and tokens[0].token_type is TokenType.VAR:
            return name
    return '"' + name.replace('"', '""') + '"'
