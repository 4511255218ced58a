"""`option = SECRET name` in WITH (...): marked in the text, since no parser reads it, and found again among the options. Pure.

The mark is a string that no statement can hold otherwise, as it begins with a control character. Used by `engine.ddl`.
"""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.dialect import tokens_of
from tailrace.sql.names import ObjectName

_MARK = "\x01secret "
_QUALIFIED = re.compile(r'\bconnection\s*=\s*(?:"(?:[^"]|"")+"|\w+)\s*\.', re.IGNORECASE)
_WRITTEN = re.compile(r"=\s*SECRET\b", re.IGNORECASE)


def mark_secrets(text: str) -> str:
    """The text with each `= SECRET name [AS TEXT]` made `= '<mark>name'`; the same object where there is none.

    >>> mark_secrets("WITH (a = SECRET Pass, b = 'SECRET c')")
    "WITH (a = '\\x01secret pass', b = 'SECRET c')"

    Raises UnsupportedFeature for AS FILE.
    """
    if _MARK[0] in text:
        raise InvalidStatement("syntax error: a control character in the statement")
    if _QUALIFIED.search(text):
        text = _connections(text)
    if not _WRITTEN.search(text):
        return text
    tokens = tokens_of(text)
    if tokens is None:
        return text
    parts: list[str] = []
    behind = 0
    for at in range(1, len(tokens) - 1):
        if tokens[at].text.upper() != "SECRET" or tokens[at - 1].token_type is not TokenType.EQ:
            continue
        last = at + 3 if at + 3 < len(tokens) and tokens[at + 2].text == "." else at + 1
        names = [
            t.text if t.token_type is TokenType.IDENTIFIER else t.text.lower()
            for t in tokens[at + 1 : last + 1 : 2]
        ]
        if [t.text.upper() for t in tokens[last + 1 : last + 3]] == ["AS", "FILE"]:
            raise UnsupportedFeature("SECRET ... AS FILE", hint="name the file itself in the option")
        if [t.text.upper() for t in tokens[last + 1 : last + 3]] == ["AS", "TEXT"]:
            last += 2
        parts += (text[behind : tokens[at].start], exp.Literal.string(_MARK + ".".join(names)).sql())
        behind = tokens[last].end + 1
    return "".join((*parts, text[behind:]))


def _connections(text: str) -> str:
    """`connection = schema.name` as a string, since parsers read one word.

    >>> _connections("WITH (connection = s.c)")
    "WITH (connection = 's.c')"
    """
    tokens = tokens_of(text)
    if tokens is None:
        return text
    parts: list[str] = []
    behind = 0
    for at in range(len(tokens) - 4):
        key, equals, name, dot, last = tokens[at : at + 5]
        if (
            key.text.lower() == "connection"
            and key.token_type is not TokenType.STRING
            and equals.token_type is TokenType.EQ
            and name.token_type is not TokenType.STRING
            and dot.token_type is TokenType.DOT
        ):
            parts += (text[behind : name.start], exp.Literal.string(text[name.start : last.end + 1]).sql())
            behind = last.end + 1
    return "".join((*parts, text[behind:]))


def marked_secret(value: str) -> ObjectName | None:
    """The secret that an option's value stands for; None for a plain value."""
    if not value.startswith(_MARK):
        return None
    schema, _, name = value.removeprefix(_MARK).rpartition(".")
    return ObjectName(name, schema)
