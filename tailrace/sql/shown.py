"""Definitions as SHOW CREATE prints them: keywords in upper case, RisingWave's names of types, even spaces, no IF NOT EXISTS.

Token by token, so that what no parser of ours knows is shown too. Pure; used by the front door.
"""

from __future__ import annotations

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from tailrace.sql.dialect import TailraceSQL

_KEYWORDS = frozenset(
    """
    ALL AND APPEND AS ASC ASOF BETWEEN BY BYTES CASE CAST CLOSE CONFLICT CREATE CROSS DEFAULT DESC DISTINCT DO
    ELSE EMIT ENCODE END EXCEPT EXISTS FALSE FILTER FIRST FOR FORMAT FROM FULL FUNCTION GROUP HAVING IF IN INCLUDE
    INDEX INNER INTERSECT INTERVAL INTO IS JOIN JSON KEY LAST LATERAL LEFT LIKE LIMIT MATERIALIZED NATURAL NOT
    NOTHING NULL NULLS OFFSET ON ONLY OR ORDER OUTER OVER OVERWRITE PARTITION PLAIN PRIMARY RANGE RIGHT ROWS
    SELECT SINK SOURCE SUBSCRIPTION TABLE THEN TRUE TTL UNION UPDATE UPSERT USING VALUES VERSION VIEW WATERMARK
    WHEN WHERE WINDOW WITH
    """.split()
)
_TYPES = {
    "INT": "INT", "INTEGER": "INT", "INT4": "INT",
    "BIGINT": "BIGINT", "INT8": "BIGINT", "SMALLINT": "SMALLINT",
    "INT2": "SMALLINT", "VARCHAR": "CHARACTER VARYING", "STRING": "CHARACTER VARYING",
    "TEXT": "CHARACTER VARYING", "REAL": "REAL", "FLOAT4": "REAL",
    "DOUBLE": "DOUBLE", "FLOAT": "DOUBLE", "FLOAT8": "DOUBLE",
    "NUMERIC": "NUMERIC", "DECIMAL": "NUMERIC", "BOOLEAN": "BOOLEAN",
    "BOOL": "BOOLEAN", "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE", "TIMESTAMP": "TIMESTAMP",
    "DATE": "DATE", "TIME": "TIME", "DOUBLE PRECISION": "DOUBLE",
    "CHARACTER VARYING": "CHARACTER VARYING", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP WITH TIME ZONE", "BYTEA": "BYTEA",
    "JSONB": "JSONB", "STRUCT": "STRUCT", "MAP": "MAP",
}  # fmt: skip
_TIGHT_BEFORE = frozenset({",", ")", ".", "[", "]", "::", ";"})
_TIGHT_AFTER = frozenset({"(", ".", "[", "::"})
_CALLED = frozenset({"CAST", "ARRAY", "MAP", "NUMERIC", "STRUCT"})


def shown_definition(text: str) -> str:
    """A CREATE statement as it is shown.

    >>> shown_definition("create table if not exists t (a int, b varchar) append only")
    'CREATE TABLE t (a INT, b CHARACTER VARYING) APPEND ONLY'
    """
    try:
        tokens = [t for t in TailraceSQL().tokenize(text) if t.token_type is not TokenType.SEMICOLON]
    except TokenError:
        return text
    words = [t.text.upper() for t in tokens[:8]]
    for at in range(len(words) - 2):
        if words[at : at + 3] == ["IF", "NOT", "EXISTS"]:
            del tokens[at : at + 3]
            break
    is_table = any(t.text.upper() in ("TABLE", "SOURCE") for t in tokens[:3])
    columns_at = next((i for i, t in enumerate(tokens) if t.text == "("), -1) if is_table else -1
    if columns_at >= 0:
        tokens = _keys_behind_columns(tokens, columns_at)
    shown = [_shown(text, tokens, i, columns_at) for i in range(len(tokens))]
    parts: list[str] = []
    angles = 0
    for at, word in enumerate(shown):
        angle = word == "<" and shown[at - 1] == "STRUCT"
        angles += angle
        closes = bool(angles) and word == ">"
        tight = not at or word in _TIGHT_BEFORE or shown[at - 1] in _TIGHT_AFTER or angle or closes
        if at and shown[at - 1] == "<" and angles and shown[at - 2] == "STRUCT":
            tight = True
        if word == "(" and at != columns_at and at:
            before = shown[at - 1]
            is_called = before.split()[-1] not in _KEYWORDS or before in _CALLED
            tight = tight or (is_called and _is_word(before))
        angles -= closes
        parts += ([] if tight else [" "]) + [word]
    return "".join(parts)


def _keys_behind_columns(tokens: list[Token], opened: int) -> list[Token]:
    """The tokens with the elements of a column list in RisingWave's order: columns, keys, watermarks; no comma at their end."""
    elements: list[list[Token]] = [[]]
    commas, depth, at = [], 0, opened
    for at in range(opened, len(tokens)):
        token = tokens[at]
        depth += (token.text in ("(", "[", "<")) - (token.text in (")", "]", ">"))
        if depth == 0:
            break
        if depth == 1 and token.text == ",":
            commas.append(token)
            elements.append([])
        elif at > opened:
            elements[-1].append(token)
    if depth or not commas:
        return tokens
    kept = sorted((e for e in elements if e), key=_rank)
    inner = [token for n, element in enumerate(kept) for token in ([commas[n - 1]] if n else []) + element]
    return [*tokens[: opened + 1], *inner, *tokens[at:]]


def _rank(element: list[Token]) -> int:
    if [t.text.upper() for t in element[:2]] == ["WATERMARK", "FOR"]:
        return 2
    return int(element[0].token_type is TokenType.PRIMARY_KEY)


def _shown(text: str, tokens: list[Token], at: int, columns_at: int) -> str:
    token = tokens[at]
    written = text[token.start : token.end + 1]
    includes = at > 0 and tokens[at - 1].text.upper() == "INCLUDE"
    if token.token_type in (TokenType.STRING, TokenType.IDENTIFIER) or _is_dotted(tokens, at) or includes:
        return written
    upper = " ".join(written.upper().split())
    if all(word in _KEYWORDS for word in upper.split()):
        return upper
    if at > 1 and tokens[at - 1].token_type is TokenType.STRING and tokens[at - 2].text.upper() == "INTERVAL":
        return upper  # INTERVAL '10' SECOND
    follows_name = at > 0 and (tokens[at - 1].text == "::" or _names(tokens, at - 1, columns_at))
    return _TYPES[upper] if upper in _TYPES and (follows_name or upper == "MAP") else written


def _is_dotted(tokens: list[Token], at: int) -> bool:
    """Is it a part of a dotted name or option, like end in fields.v.end?"""
    return any(0 <= beside < len(tokens) and tokens[beside].text == "." for beside in (at - 1, at + 1))


def _names(tokens: list[Token], at: int, columns_at: int) -> bool:
    """May a type stand behind this token: a column's or field's name, AS of a cast, what opens a map?"""
    if tokens[at].text.upper() == "AS":
        return columns_at < 0
    if tokens[at].text in ("(", ",", "<", "=", "."):
        return any(t.text.upper() == "MAP" for t in tokens[max(0, at - 3) : at])
    return at > columns_at >= 0


def _is_word(text: str) -> bool:
    return text[:1].isalpha() or text[:1] in ('"', "_")
