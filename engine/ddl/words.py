"""The words of a statement, for the few that are simple enough to be read without a grammar: ALTER, COMMENT."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from tailrace.errors import InvalidStatement
from tailrace.sql.dialect import TailraceSQL
from tailrace.sql.names import ObjectName


@dataclass(frozen=True, slots=True)
class Name:
    """A name as the catalog has it, and as it was written in SQL (which is how texts are given it)."""

    folded: str
    written: str
    schema: str = ""

    @property
    def object(self) -> ObjectName:
        """As the catalog looks it up."""
        return ObjectName(self.folded, self.schema)


class Words:
    """A statement's tokens, one after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        try:
            self._tokens = [
                t for t in TailraceSQL().tokenize(text) if t.token_type is not TokenType.SEMICOLON
            ]
        except TokenError as error:
            raise InvalidStatement(f"syntax error: {str(error).splitlines()[0]}") from error
        self._position = 0

    def word(self, ahead: int = 0) -> str:
        """The next word in upper case; '' at the end and for a quoted one."""
        at = self._position + ahead
        if at >= len(self._tokens) or self._tokens[at].token_type in (TokenType.IDENTIFIER, TokenType.STRING):
            return ""
        return self._tokens[at].text.upper()

    def accept(self, *keywords: str) -> bool:
        """Take these keywords, all in a row, if they come next."""
        if any(self.word(ahead) != keyword for ahead, keyword in enumerate(keywords)):
            return False
        self._position += len(keywords)
        return True

    def reaches(self, ahead: int) -> bool:
        """Whether there is a token so far ahead, a quoted name (which is no word) included."""
        return self._position + ahead < len(self._tokens)

    def accept_string(self) -> str | None:
        """The content of a plain string literal, if one comes next."""
        if (
            self._position >= len(self._tokens)
            or self._tokens[self._position].token_type is not TokenType.STRING
        ):
            return None
        self._position += 1
        return self._tokens[self._position - 1].text

    def take(self) -> str:
        """The next token as it is written."""
        if self._position >= len(self._tokens):
            raise InvalidStatement("syntax error at end of input")
        token = self._tokens[self._position]
        self._position += 1
        return self._text[token.start : token.end + 1]

    def name(self) -> Name:
        """An identifier without a schema."""
        quoted = (
            self._position < len(self._tokens)
            and self._tokens[self._position].token_type is TokenType.IDENTIFIER
        )
        written = self.take()
        if quoted:
            return Name(written[1:-1].replace('""', '"'), written)
        if not (written[0].isalpha() or written[0] == "_"):
            raise InvalidStatement(f'syntax error at or near "{written}"')
        return Name(written.lower(), written)

    def qualified_name(self) -> Name:
        """An identifier, a schema before it or not."""
        first = self.name()
        return replace(self.name(), schema=first.folded) if self.accept(".") else first

    def rest(self) -> str:
        """The text from the next token on, as it is written; nothing is left then."""
        if self._position >= len(self._tokens):
            raise InvalidStatement("syntax error at end of input")
        start, end = self._tokens[self._position].start, self._tokens[-1].end
        self._position = len(self._tokens)
        return self._text[start : end + 1]

    def end(self) -> None:
        """Raise InvalidStatement if anything is left."""
        if self._position < len(self._tokens):
            raise InvalidStatement(f'syntax error at or near "{self.take()}"')
