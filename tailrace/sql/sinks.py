"""CREATE SINK as a value: name, what it reads, where it goes, WITH options, FORMAT and ENCODE. Pure.

sqlglot turns `CREATE SINK s FROM mv` into AS SELECT * and does not know INTO, so the frame of the statement is read here from
sqlglot's tokens; the query inside stays the user's own text. Grammar: RisingWave's docs, "CREATE SINK", "CREATE SINK INTO".
Called by the engine's DDL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.dialect import TailraceSQL
from tailrace.sql.names import ObjectName

_START = re.compile(
    r"\s*(?:(?:--[^\n]*\n|/\*.*?\*/)\s*)*CREATE\s+(?:OR\s+REPLACE\s+)?SINK\b", re.IGNORECASE | re.DOTALL
)
_FORMATS = frozenset({"PLAIN", "UPSERT", "DEBEZIUM"})


@dataclass(frozen=True, slots=True)
class CreateSink:
    """The statement. `source` is the relation of FROM, else `query` is the text of AS; `into` is the table of INTO.

    The schemas are '' where none is written.
    """

    name: str
    if_not_exists: bool = False
    source: str | None = None
    query: str | None = None
    into: str | None = None
    into_columns: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    format: str | None = None
    encode: str | None = None
    encode_options: Mapping[str, str] = field(default_factory=dict)
    key_encode: str | None = None
    schema: str = ""
    source_schema: str = ""
    into_schema: str = ""
    emits_on_close: bool = False


def is_create_sink(sql: str) -> bool:
    """Whether the text is a CREATE SINK statement.

    >>> is_create_sink("create  sink s from t with (connector = 'kafka')")
    True
    """
    return _START.match(sql) is not None


def parse_create_sink(sql: str) -> CreateSink:
    """Read one CREATE SINK statement.

    >>> parse_create_sink("CREATE SINK s INTO t (a) FROM mv").into_columns
    ('a',)

    Raises InvalidStatement (42601) where the text is malformed, UnsupportedFeature where RisingWave knows more than is read here.
    """
    try:
        return _Reader(sql).statement()
    except TokenError as error:
        raise InvalidStatement(f"syntax error: {str(error).splitlines()[0]}") from error


def with_sink_options(sql: str, options: Mapping[str, str]) -> str:
    """The statement with these WITH options, in the place of those that it has or behind them.

    >>> with_sink_options("CREATE SINK s FROM t WITH (connector = 'kafka', topic = 'a')", {"topic": "b", "type": "upsert"})
    "CREATE SINK s FROM t WITH (connector = 'kafka', topic = 'b', type = 'upsert')"
    """
    reader = _Reader(sql)
    reader.statement()
    written = {key: f"{key} = {exp.Literal.string(value).sql()}" for key, value in options.items()}
    spans = reader.option_spans
    end = max((end for _, end in spans.values()), default=len(sql))
    added = "".join(f", {text}" for key, text in written.items() if key not in spans)
    text = f"{sql[:end]}{added}{sql[end:]}"
    for key, (start, stop) in sorted(spans.items(), key=lambda each: -each[1][0]):
        if key in written:
            text = f"{text[:start]}{written[key]}{text[stop:]}"
    return text


class _Reader:
    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._tokens: list[Token] = TailraceSQL().tokenize(sql)
        while self._tokens and self._tokens[-1].token_type is TokenType.SEMICOLON:
            self._tokens.pop()
        self._at = 0
        self.option_spans: dict[str, tuple[int, int]] = {}
        """Where each option of WITH stands in the text, from its key's first character to behind its value's last."""

    def statement(self) -> CreateSink:
        self._expect("CREATE")
        if self._accept("OR", "REPLACE"):
            raise UnsupportedFeature("CREATE OR REPLACE SINK", hint="DROP it first")
        self._expect("SINK")
        if_not_exists = self._accept("IF", "NOT", "EXISTS")
        name = self._qualified()
        into: ObjectName | None = None
        columns: tuple[str, ...] = ()
        if self._accept("INTO"):
            into = self._qualified()
            if self._accept("("):
                columns = self._names()
        source: ObjectName | None = None
        query, on_close = None, False
        if self._accept("FROM"):
            source = self._qualified()
        elif self._accept("AS"):
            query = self._query()
            on_close = self._accept("EMIT", "ON", "WINDOW", "CLOSE")
        else:
            raise self._unexpected("FROM relation or AS SELECT ...")
        options = self._options(self.option_spans) if self._accept("WITH", "(") else {}
        format_, encode, encode_options, key_encode = self._format()
        if self._at < len(self._tokens):
            raise self._unexpected("the end of the statement")
        return CreateSink(
            name.name,
            if_not_exists,
            source.name if source else None,
            query,
            into.name if into else None,
            columns,
            options,
            format_,
            encode,
            encode_options,
            key_encode,
            name.schema,
            source.schema if source else "",
            into.schema if into else "",
            on_close,
        )

    def _format(self) -> tuple[str | None, str | None, dict[str, str], str | None]:
        if not self._accept("FORMAT"):
            return None, None, {}, None
        format_ = self._word().upper()
        self._expect("ENCODE")
        encode = self._word().upper()
        options = self._options() if self._accept("(") else {}
        key_encode = None
        if self._accept("KEY", "ENCODE"):
            key_encode = self._word().upper()
            if self._accept("("):
                raise UnsupportedFeature("options of KEY ENCODE")
        return format_, encode, options, key_encode

    def _query(self) -> str:
        """The text up to the WITH ( or FORMAT that stands outside of all parentheses."""
        first, depth = self._peek(), 0
        if first is None:
            raise self._unexpected("SELECT ...")
        end = first
        while (token := self._peek()) is not None:
            word, following = token.text.upper(), self._peek(1)
            after = following.text.upper() if following else ""
            if depth == 0 and not _quoted(token):
                if (word == "WITH" and after == "(") or (word == "FORMAT" and after in _FORMATS):
                    break
                if word == "EMIT" and after == "ON":
                    break
            depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
            end = token
            self._at += 1
        if end is first:
            raise self._unexpected("SELECT ...")
        return self._sql[first.start : end.end + 1]

    def _options(self, spans: dict[str, tuple[int, int]] | None = None) -> dict[str, str]:
        """`key = value, ...)`, the opening parenthesis being read; keys may be dotted, values are literals or words."""
        found: dict[str, str] = {}
        while not self._accept(")"):
            first = self._peek()
            key = self._word()
            while self._accept("."):
                key += "." + self._word()
            self._expect("=")
            sign = "-" if self._accept("-") else ""
            if key.lower() in found:
                raise InvalidStatement(f"option {key} is given twice")
            value = self._take("a value")
            found[key.lower()] = sign + value.text
            if spans is not None and first is not None:
                spans[key.lower()] = (first.start, value.end + 1)
            if not self._accept(","):
                self._expect(")")
                break
        return found

    def _names(self) -> tuple[str, ...]:
        """`a, b)`, the opening parenthesis being read."""
        found = [self._name()]
        while self._accept(","):
            found.append(self._name())
        self._expect(")")
        return tuple(found)

    def _qualified(self) -> ObjectName:
        first = self._name()
        return ObjectName(self._name(), first) if self._accept(".") else ObjectName(first)

    def _name(self) -> str:
        """An identifier as PostgreSQL folds it."""
        token = self._take("a name")
        if token.token_type is TokenType.IDENTIFIER:
            return token.text
        if not re.fullmatch(r"[^\W\d][\w$]*", token.text) or token.token_type is TokenType.STRING:
            self._at -= 1
            raise self._unexpected("a name")
        return token.text.lower()

    def _word(self) -> str:
        return self._take("a word").text

    def _peek(self, ahead: int = 0) -> Token | None:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def _take(self, wanted: str) -> Token:
        token = self._peek()
        if token is None:
            raise self._unexpected(wanted)
        self._at += 1
        return token

    def _accept(self, *words: str) -> bool:
        """Take these words if they come next."""
        for ahead, word in enumerate(words):
            token = self._peek(ahead)
            if token is None or _quoted(token) or token.text.upper() != word:
                return False
        self._at += len(words)
        return True

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise self._unexpected(word)

    def _unexpected(self, wanted: str) -> InvalidStatement:
        token = self._peek()
        if token is None:
            return InvalidStatement(f"syntax error at end of input: expected {wanted}")
        where = f"line {token.line}, column {token.start - self._sql.rfind(chr(10), 0, token.start)}"
        return InvalidStatement(f'syntax error at {where}: expected {wanted}, got "{token.text}"')


def _quoted(token: Token) -> bool:
    return token.token_type in (TokenType.STRING, TokenType.IDENTIFIER)
