"""Brackets among the tokens of a text. Pure; for the rewriters that leave what they do not change as it was written."""

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
