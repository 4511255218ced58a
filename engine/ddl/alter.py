"""ALTER: new names (`engine.ddl.rename`, `engine.ddl.swap`); every other clause is refused by its name.

Nothing stored is touched by these: objects keep their ids, and with them rows, state, readers, privileges and comments. Only
names move. sqlglot reads hardly any of RisingWave's ALTER, so the few words are read here, from its tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from engine.catalog.objects import CatalogObject
from engine.ddl.context import DdlContext, Reply
from engine.ddl.rename import Name, rename
from engine.ddl.swap import swap
from tailrace.errors import InvalidStatement, UndefinedObject, UnsupportedFeature
from tailrace.sql.dialect import TailraceSQL

_KINDS = {
    ("TABLE",): "table",
    ("SOURCE",): "source",
    ("MATERIALIZED", "VIEW"): "materialized view",
    ("VIEW",): "view",
    ("INDEX",): "index",
    ("SINK",): "sink",
    ("SUBSCRIPTION",): "subscription",
}
_REBUILD = "build the changed one under another name, then ALTER ... SWAP WITH"
_HINTS: Mapping[tuple[str, ...], str] = {
    ("ADD",): "create a new table, INSERT INTO it SELECT from this one, and ALTER TABLE ... SWAP WITH",
    ("DROP",): "create a new table, INSERT INTO it SELECT from this one, and ALTER TABLE ... SWAP WITH",
    ("ALTER",): "create a new table, INSERT INTO it SELECT from this one, and ALTER TABLE ... SWAP WITH",
    ("RENAME",): "only whole relations are renamed; name the column with AS in a view",
    ("AS",): _REBUILD,
    ("OWNER",): "objects belong to the role that made them; root may change everything",
    ("SET", "PARALLELISM"): "the embedded engine runs on one machine: leave it out",
    ("SET", "SCHEMA"): "everything lies in schema public",
    ("SET", "SOURCE_RATE_LIMIT"): "rates are not limited; stop the producer instead",
    ("SET", "BACKFILL_RATE_LIMIT"): "rates are not limited",
    ("CONNECTOR",): "DROP it and CREATE it with the new options",
    ("FORMAT",): "DROP it and CREATE it with the new format",
}


def alter(context: DdlContext) -> Reply:
    """Run ALTER."""
    words = _Words(context.text)
    words.take()
    for keywords, kind in _KINDS.items():
        if words.accept(*keywords):
            return _alter(context, words, " ".join(keywords), kind)
    raise UnsupportedFeature(f"ALTER {words.take().upper()}", hint="DROP it and CREATE it anew")


def _alter(context: DdlContext, words: _Words, keyword: str, kind: str) -> Reply:
    if words.accept("IF", "EXISTS"):
        raise UnsupportedFeature(f"ALTER {keyword} IF EXISTS", hint="SHOW and \\d list what exists")
    name = words.qualified_name()
    tag = "ALTER_" + keyword.replace(" ", "_")
    if words.accept("RENAME", "TO"):
        new = words.name()
        words.end()
        rename(context, _found(context, name, keyword, kind), new)
    elif kind != "index" and words.accept("SWAP", "WITH"):
        other = words.qualified_name()
        words.end()
        swap(context, _found(context, name, keyword, kind), _existing(context, other, kind), (name, other))
    else:
        raise words.refused(keyword)
    return Reply(tag, notices=context.notices)


def _existing(context: DdlContext, name: Name, kind: str) -> CatalogObject:
    found = context.catalog.by_name(name.folded)
    if found is None:
        raise UndefinedObject(f'{kind} "{name.folded}" does not exist')
    if found.is_creating:
        raise UndefinedObject(f'{kind} "{name.folded}" is being created', hint="WAIT until it is there")
    return found


def _found(context: DdlContext, name: Name, keyword: str, kind: str) -> CatalogObject:
    found = _existing(context, name, kind)
    if found.kind != kind:
        raise InvalidStatement(
            f'"{name.folded}" is not a {kind}', sqlstate="42809",
            hint=f"it is a {found.kind}: use ALTER {found.kind.upper()} {name.written}",
        )  # fmt: skip
    return found


class _Words:
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

    def _word(self, ahead: int = 0) -> str:
        """The next word in upper case; '' at the end and for a quoted one."""
        at = self._position + ahead
        if at >= len(self._tokens) or self._tokens[at].token_type in (TokenType.IDENTIFIER, TokenType.STRING):
            return ""
        return self._tokens[at].text.upper()

    def accept(self, *keywords: str) -> bool:
        if any(self._word(ahead) != keyword for ahead, keyword in enumerate(keywords)):
            return False
        self._position += len(keywords)
        return True

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
        """An identifier, schema public before it or not."""
        first = self.name()
        if not self.accept("."):
            return first
        if first.folded != "public":
            raise UnsupportedFeature(f'schema "{first.folded}"', hint="everything lies in schema public")
        return self.name()

    def end(self) -> None:
        if self._position < len(self._tokens):
            raise InvalidStatement(f'syntax error at or near "{self.take()}"')

    def refused(self, keyword: str) -> InvalidStatement | UnsupportedFeature:
        """The error for a clause that is not carried out."""
        first, second = self._word(), self._word(1)
        if not first:
            return InvalidStatement("syntax error at end of input")
        known = first in ("SET", "RENAME", "ADD", "DROP", "ALTER", "SWAP", "OWNER")
        clause = f"{first} {second}".rstrip() if known else first
        hint = _HINTS.get((first, second)) or _HINTS.get((first,))
        return UnsupportedFeature(f"ALTER {keyword} ... {clause}", hint=hint)
