"""Brackets and clauses among a text's tokens. Pure; for the rewriters that leave what they do not change as it was written."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

STEP = {
    TokenType.L_PAREN: 1, TokenType.L_BRACKET: 1, TokenType.L_BRACE: 1,
    TokenType.R_PAREN: -1, TokenType.R_BRACKET: -1, TokenType.R_BRACE: -1,
}  # fmt: skip
"""How a token changes the depth; 0 for all others."""


def closing(tokens: Sequence[Token], opening: int) -> int | None:
    """Where the bracket that opens at `opening` closes; None where the text ends before.

    >>> from tailrace.sql.dialect import TailraceSQL
    >>> closing(list(TailraceSQL().tokenize("f(a[1], (b)) + 1")), 1)
    10
    """
    depth = 0
    for position in range(opening, len(tokens)):
        depth += STEP.get(tokens[position].token_type, 0)
        if depth == 0:
            return position
    return None


def until(tokens: Sequence[Token], at: int, words: frozenset[str]) -> int:
    """The index of the first of these words from `at` on, outside of brackets; or of the bracket that closes around it."""
    depth = 0
    while at < len(tokens):
        step = STEP.get(tokens[at].token_type, 0)
        depth += step
        if depth < 0 or (depth == 0 and not step and is_word(tokens[at], words)):
            return at
        at += 1
    return at


def is_word(token: Token, words: frozenset[str]) -> bool:
    """Is it one of these? The tokenizer takes ORDER BY and GROUP BY for one token each."""
    if token.token_type in (TokenType.IDENTIFIER, TokenType.STRING):
        return False
    return (token.text.upper().split() or [""])[0] in words
