"""The text of a Query or Parse message: decoded, and cut into statements. Pure; called by `engine.wire.session`."""

from __future__ import annotations

from engine.wire.tokens import split_statements
from tailrace.errors import TailraceError


def decode_text(text: bytes) -> str:
    """Raises TailraceError (22021) for what is not UTF-8."""
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise TailraceError(
            f"invalid byte sequence for encoding UTF8: {error}",
            sqlstate="22021",
            hint="send statements in UTF-8",
        ) from None


def statements(text: str) -> list[str]:
    """The statements of a query string; the text itself where it can hold only one (or none).

    >>> statements("SELECT 1;"), statements("SELECT 1; SELECT ';'"), statements("")
    (['SELECT 1'], ['SELECT 1', "SELECT ';'"], [''])
    """
    end = text.find(";")
    if end < 0:
        return [text]
    if not text[end + 1 :].strip():
        return [text[:end]]
    return split_statements(text) or [""]


def without_end(text: str) -> str:
    """The one statement of a Parse message, without its semicolon.

    >>> without_end("SELECT 1 ; ")
    'SELECT 1 '
    """
    stripped = text.rstrip()
    return stripped[:-1] if stripped.endswith(";") else text
