"""New names for the relations that a statement's text mentions: what RENAME and SWAP make of stored definitions.

The text stays as its author wrote it, layout and comments included; only names are put in, at the places where the parser
found them. A reference without an alias gets its old name as one (`FROM a` becomes `FROM b AS a`), so that columns qualified
by it keep their meaning; RisingWave does the same. Pure; called by the engine's ALTER.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from tailrace.sql.dialect import TailraceSQL, parse_statement
from tailrace.sql.names import ObjectName, references

_BEFORE_NAME = {"INDEX": ("ON",), "SINK": ("FROM", "INTO"), "SUBSCRIPTION": ("FROM",)}
"""By kind of statement, what stands before a relation outside of a query: CREATE INDEX i ON t, CREATE SINK s INTO t FROM v."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a reference is to read from now on, as SQL: None leaves a part as it is written, or unwritten."""

    name: str | None = None
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class _Reference:
    """Where a relation is named; `alias_at` is where an alias goes (None: it has one, or takes none).

    `schema_at` is where its schema stands (None: it has none), and `schema` what that is.
    """

    start: int
    end: int
    alias_at: int | None
    schema_at: tuple[int, int] | None = None
    schema: str = ""


def rename_references(sql: str, names: Mapping[str, str]) -> str:
    """`sql`, a CREATE statement or a query, reading by new names.

    `names` gives for each relation (as PostgreSQL folds it) its new name as it is written in SQL.

    >>> rename_references("CREATE VIEW v AS SELECT t.a FROM t JOIN u ON t.a = u.a", {"t": "x", "u": '"U"'})
    'CREATE VIEW v AS SELECT t.a FROM x AS t JOIN "U" AS u ON t.a = u.a'

    Names of CTEs are left alone, and so is the name that the statement creates.
    """
    return rewrite_references(sql, lambda name: Written(names.get(name.name)))


def rewrite_references(sql: str, written: Callable[[ObjectName], Written | None]) -> str:
    """`sql`, a CREATE statement or a query, with each reference to a relation as `written` says (None: as it is).

    >>> rewrite_references("SELECT t.a FROM t JOIN s.u ON true", lambda name: Written(schema="z"))
    'SELECT t.a FROM z.t JOIN z.u ON true'
    """
    tokens = TailraceSQL().tokenize(sql)
    tree = parse_statement(_without_emit(_without_into(sql, tokens), tokens))
    found = {reference.start: reference for reference in _in_query(tree, tokens)}
    found |= {reference.start: reference for reference in _outside_query(tokens)}
    edits: list[tuple[int, int, str]] = []
    for reference in found.values():
        old = sql[reference.start : reference.end]
        new = written(ObjectName(_folded(old), reference.schema)) or Written()
        if new.name is not None:
            edits.append((reference.start, reference.end, new.name))
            if reference.alias_at is not None:
                edits.append((reference.alias_at, reference.alias_at, f" AS {old}"))
        if new.schema is not None:
            start, end = reference.schema_at or (reference.start, reference.start)
            edits.append((start, end, new.schema if reference.schema_at else f"{new.schema}."))
    return _edited(sql, edits)


def rename_created(sql: str, new: str | None, schema: str | None = None) -> str:
    """A CREATE statement that makes the same under another name, or in another schema: both as they are written in SQL.

    >>> rename_created("CREATE TABLE IF NOT EXISTS public.t (t int)", "u")
    'CREATE TABLE IF NOT EXISTS public.u (t int)'
    >>> rename_created("CREATE VIEW t AS SELECT 1", None, "s")
    'CREATE VIEW s.t AS SELECT 1'
    """
    tokens = TailraceSQL().tokenize(sql)
    words = [token.text.upper() for token in tokens]
    kind = _kind_at(words)
    first = kind + (4 if words[kind + 1 : kind + 4] == ["IF", "NOT", "EXISTS"] else 1)
    last = _last_of_name(tokens, first)
    edits = [] if new is None else [(tokens[last].start, tokens[last].end + 1, new)]
    if schema is not None:
        start, end = _schema_at(tokens, first, last) or (tokens[last].start, tokens[last].start)
        edits.append((start, end, schema if first != last else f"{schema}."))
    return _edited(sql, edits)


def _edited(sql: str, edits: list[tuple[int, int, str]]) -> str:
    for start, end, text in sorted(edits, reverse=True):
        sql = sql[:start] + text + sql[end:]
    return sql


def _folded(written: str) -> str:
    return written[1:-1].replace('""', '"') if written.startswith('"') else written.lower()


def _kind_at(words: list[str]) -> int:
    """Where a CREATE statement says what it makes (VIEW, for a materialized one); 0 in a query."""
    if not words or words[0] != "CREATE":
        return 0
    at = 3 if words[1:3] == ["OR", "REPLACE"] else 1
    return at + 1 if words[at] in ("MATERIALIZED", "UNIQUE") else at


def _last_of_name(tokens: list[Token], at: int) -> int:
    """The last part of the name, with schemas before it or not, that begins at `at`."""
    while at + 2 < len(tokens) and tokens[at + 1].token_type is TokenType.DOT:
        at += 2
    return at


def _outside_query(tokens: list[Token]) -> Iterator[_Reference]:
    """Relations that a CREATE statement names before its query, or without one; they take no alias."""
    words = [token.text.upper() for token in tokens]
    depth = 0
    for index, token in enumerate(tokens[:-1]):
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if token.token_type in (TokenType.SELECT, TokenType.WITH):
            return
        if not depth and words[index] in _BEFORE_NAME.get(words[_kind_at(words)], ()):
            last = _last_of_name(tokens, index + 1)
            named = tokens[last]
            place = _schema_at(tokens, index + 1, last)
            yield _Reference(named.start, named.end + 1, None, place, _schema_of(tokens, place, last))


def _schema_at(tokens: list[Token], first: int, last: int) -> tuple[int, int] | None:
    """Where the schema of a name stands that reaches from token `first` to token `last`; None if none is written."""
    return None if first == last else (tokens[last - 2].start, tokens[last - 2].end + 1)


def _schema_of(tokens: list[Token], place: tuple[int, int] | None, last: int) -> str:
    if place is None:
        return ""
    token = tokens[last - 2]
    return token.text if token.token_type is TokenType.IDENTIFIER else token.text.lower()


def _without_into(sql: str, tokens: list[Token]) -> str:
    """CREATE SINK without its INTO table (columns), which the parser does not know; everything else stays in its place."""
    words = [token.text.upper() for token in tokens]
    start = words.index("INTO") if words[1:2] == ["SINK"] and "INTO" in words else 0
    if not start or "SELECT" in words[:start]:
        return sql
    end = _last_of_name(tokens, start + 1)
    if end + 1 < len(tokens) and tokens[end + 1].token_type is TokenType.L_PAREN:
        end = next(i for i in range(end, len(tokens)) if tokens[i].token_type is TokenType.R_PAREN)
    first, behind = tokens[start].start, tokens[end].end + 1
    return sql[:first] + " " * (behind - first) + sql[behind:]


def _without_emit(sql: str, tokens: list[Token]) -> str:
    """CREATE SINK without EMIT ON WINDOW CLOSE between its query and its options; everything else stays in its place."""
    words = [token.text.upper() for token in tokens]
    if words[1:2] != ["SINK"]:
        return sql
    for at in range(len(words) - 3):
        if words[at : at + 4] == ["EMIT", "ON", "WINDOW", "CLOSE"]:
            first, behind = tokens[at].start, tokens[at + 3].end + 1
            return sql[:first] + " " * (behind - first) + sql[behind:]
    return sql


def _in_query(tree: exp.Expr, tokens: list[Token]) -> Iterator[_Reference]:
    """The relations that a query reads, a window function's first argument included."""
    query = tree.expression if isinstance(tree, exp.Create) else tree
    if not isinstance(query, exp.Query):
        return
    places = {token.start: index for index, token in enumerate(tokens)}
    for reference in references(query):
        named = reference.identifier
        if "start" in named.meta:
            start, end = named.meta["start"], named.meta["end"] + 1
            at = places[start]
            last = _last_token(tokens, at, windowed=reference.windowed)
            alias_at = None if reference.table.alias else tokens[last].end + 1
            schema = reference.name.schema
            place = _schema_at(tokens, at - 2, at) if schema else None
            yield _Reference(start, end, alias_at, place, schema)


def _last_token(tokens: list[Token], name: int, *, windowed: bool) -> int:
    """Where the item of FROM ends whose relation is named at `name`: behind FOR SYSTEM_TIME AS OF ...() or TUMBLE(...)."""
    following = tokens[name + 1].text.upper() if name + 1 < len(tokens) else ""
    if not windowed and following != "FOR":
        return name
    depth = 1 if windowed else 0
    for index in range(name + 1, len(tokens)):
        kind = tokens[index].token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if kind is TokenType.R_PAREN and depth == 0:
            return index
    return name
