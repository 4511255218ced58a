"""A lexer for what the front door must know of a statement's text: where it ends, and what its words are.

Knows quotes, E'' strings, dollar quotes, quoted identifiers and nested comments; knows no grammar. Pure. Used
where the first keyword does not tell enough: multi-statement strings, SHOW / SET / DESCRIBE commands, catalog
queries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from tailrace.errors import InvalidStatement


class Kind(Enum):
    WORD = "word"
    QUOTED = "quoted identifier"
    STRING = "string"
    NUMBER = "number"
    PARAMETER = "parameter"
    SYMBOL = "symbol"
    UNTERMINATED = "unterminated"


@dataclass(frozen=True, slots=True)
class Token:
    """`text` as written; `start` and `end` are offsets in the statement's text."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """Upper-case text of an unquoted word, else ''."""
        return self.text.upper() if self.kind is Kind.WORD else ""

    @property
    def name(self) -> str | None:
        """The identifier this token stands for (unquoted ones fold to lower case), or None."""
        if self.kind is Kind.WORD:
            return self.text.lower()
        if self.kind is Kind.QUOTED:
            return self.text[1:-1].replace('""', '"')
        return None

    @property
    def value(self) -> str:
        """What a value in SET stands for: the string's content, a word or a number as written."""
        if self.kind is Kind.STRING and self.text.startswith("'"):
            return self.text[1:-1].replace("''", "'")
        if self.kind is Kind.QUOTED:
            return self.text[1:-1].replace('""', '"')
        return self.text


_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<string>'[^']*(?:''[^']*)*'|[eE]'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'|(?:[uU]&|[bBxXnN])'[^']*(?:''[^']*)*')
    | (?P<dollar>\$(?P<tag>[A-Za-z_\x80-\U0010ffff][\w]*)?\$)
    | (?P<quoted>"[^"]*(?:""[^"]*)*")
    | (?P<bad>[eE]?'|")
    | (?P<word>[A-Za-z_\x80-\U0010ffff][\w$]*)
    | (?P<parameter>\$\d+)
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)
    | (?P<symbol>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_KINDS = {
    "string": Kind.STRING,
    "quoted": Kind.QUOTED,
    "word": Kind.WORD,
    "parameter": Kind.PARAMETER,
    "number": Kind.NUMBER,
    "symbol": Kind.SYMBOL,
}


def tokens(sql: str, position: int = 0) -> Iterator[Token]:
    """The tokens of `sql` from `position` on, without white space and comments.

    An unterminated quote or comment is one last token of its kind.

    >>> [token.text for token in tokens("SELECT 'a;b' /* ; */ FROM t")]
    ['SELECT', "'a;b'", 'FROM', 't']
    """
    while match := _TOKEN.match(sql, position):
        start, position = match.span()
        group = match.lastgroup
        if group == "space":
            continue
        if group == "comment":
            end = _comment_end(sql, position)
            if end is None:
                yield Token(Kind.UNTERMINATED, sql[start:], start, len(sql))
                return
            position = end
        elif match["dollar"] is not None:
            end = sql.find(match["dollar"], position)
            if end < 0:
                yield Token(Kind.UNTERMINATED, sql[start:], start, len(sql))
                return
            position = end + len(match["dollar"])
            yield Token(Kind.STRING, sql[start:position], start, position)
        elif group == "bad":
            yield Token(Kind.UNTERMINATED, sql[start:], start, len(sql))
            return
        else:
            assert group is not None  # noqa: S101 - the pattern has no unnamed alternative
            yield Token(_KINDS[group], match.group(), start, position)


def _comment_end(sql: str, position: int) -> int | None:
    depth = 1
    while match := _COMMENT_EDGE.search(sql, position):
        position = match.end()
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return position
    return None


_BOUNDARY = re.compile(r"['\"$;]|--|/\*")


def split_statements(sql: str) -> list[str]:
    """The statements of a string, each trimmed, empty ones left out. An unterminated quote stays with its statement.

    Goes from quote to quote, not from word to word: a string may hold megabytes of values.

    >>> split_statements("SELECT 1; ; SELECT ';' -- ;")
    ['SELECT 1', "SELECT ';' -- ;"]
    """
    parts = (sql[before + 1 : end].strip() for before, end in pairwise((-1, *_boundaries(sql), len(sql))))
    return [part for part in parts if next(tokens(part), None) is not None]


def _boundaries(sql: str) -> Iterator[int]:
    """Where a semicolon stands outside of all quotes and comments."""
    position = behind = 0  # `behind`: where the last quote, comment or semicolon ended
    while match := _BOUNDARY.search(sql, position):
        start, position = match.span()
        found = match.group()
        if found == ";":
            yield start
        elif found == "--":
            position = sql.find("\n", position) % (len(sql) + 1)
        elif found == "/*":
            position = _comment_end(sql, position) or len(sql)
        elif found == "$":
            token = None if _in_word(sql, start, behind) else next(tokens(sql, start))
            if token is None:
                continue
            position = token.end
        else:
            if (
                found == "'"
                and start > behind
                and sql[start - 1] in "eE"
                and not _in_word(sql, start - 1, behind)
            ):
                start -= 1
            quoted = _TOKEN.match(sql, start)
            closed = quoted is not None and (quoted["string"] or quoted["quoted"])
            position = quoted.end() if quoted is not None and closed else len(sql)
        behind = position


def _in_word(sql: str, position: int, behind: int) -> bool:
    """Whether the character at `position` continues a word that starts at `behind` or later.

    `a$b$` is one; a number is none, so that a quote begins in `1$b$`.
    """
    start = position
    while start > behind and (sql[start - 1].isalnum() or sql[start - 1] in "_$"):
        start -= 1
    found = list(tokens(sql[start:position]))
    return bool(found) and found[-1].kind is Kind.WORD


class Cursor:
    """Reads a command's tokens one after the other; complains in PostgreSQL's words."""

    def __init__(self, sql: str) -> None:
        self._tokens = [token for token in tokens(sql) if token.text != ";"]
        self._position = 0

    def peek(self, ahead: int = 0) -> Token | None:
        index = self._position + ahead
        return self._tokens[index] if index < len(self._tokens) else None

    def take(self) -> Token:
        token = self.peek()
        if token is None:
            raise InvalidStatement("syntax error at end of input")
        self._position += 1
        return token

    def accept(self, *words: str) -> bool:
        """Take these keywords, all in a row, if they come next."""
        for ahead, word in enumerate(words):
            token = self.peek(ahead)
            if token is None or token.word != word:
                return False
        self._position += len(words)
        return True

    def accept_symbol(self, symbol: str) -> bool:
        token = self.peek()
        if token is None or token.kind is not Kind.SYMBOL or token.text != symbol:
            return False
        self._position += 1
        return True

    def identifier(self) -> str:
        token = self.take()
        if token.name is None:
            raise self.unexpected(token)
        return token.name

    def qualified_name(self) -> tuple[str | None, str]:
        """(schema or None, name)."""
        first = self.identifier()
        if self.accept_symbol("."):
            return first, self.identifier()
        return None, first

    def string(self) -> str:
        token = self.take()
        if token.kind is not Kind.STRING:
            raise self.unexpected(token)
        return token.value

    def end(self) -> None:
        """Raise InvalidStatement if anything is left."""
        token = self.peek()
        if token is not None:
            raise self.unexpected(token)

    def rest(self) -> list[Token]:
        left = self._tokens[self._position :]
        self._position = len(self._tokens)
        return left

    @staticmethod
    def unexpected(token: Token) -> InvalidStatement:
        return InvalidStatement(f'syntax error at or near "{token.text}"')
