"""RisingWave's SQL for sqlglot: the upstream dialect plus what it does not parse yet, as differences only.

Used by everything that reads SQL text: the engine's compiler and front door, migrations, lint and lineage. No I/O.
"""

from __future__ import annotations

from typing import ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.risingwave import RisingWave
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token

from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.event_syntax import EventSyntax, EventText
from tailrace.sql.source_syntax import SourceSyntax
from tailrace.sql.spelling import RENAMED, rename_calls, respelled


class AppendOnlyProperty(exp.Property):
    """`CREATE TABLE ... APPEND ONLY`: rows are only ever inserted."""

    arg_types: ClassVar[dict[str, bool]] = {}


class EmitOnWindowCloseProperty(exp.Property):
    """`CREATE MATERIALIZED VIEW ... EMIT ON WINDOW CLOSE`: a row is put out once, when its window has closed."""

    arg_types: ClassVar[dict[str, bool]] = {}


class OnConflictProperty(exp.Property):
    """`CREATE TABLE ... ON CONFLICT ...`: `this` is what happens to a row whose key is there, one of CONFLICTS' values."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


class VersionColumnsProperty(exp.Property):
    """`CREATE TABLE ... WITH VERSION COLUMN (a, b)`: a row of an older version than the stored one is left out."""

    arg_types: ClassVar[dict[str, bool]] = {"expressions": True}


OVERWRITE, IGNORE, UPDATE_IF_NOT_NULL = "overwrite", "ignore", "update if not null"
CONFLICTS: dict[tuple[str, ...], str] = {
    ("OVERWRITE",): OVERWRITE,
    ("DO", "UPDATE", "FULL"): OVERWRITE,
    ("IGNORE",): IGNORE,
    ("DO", "NOTHING"): IGNORE,
    ("DO", "UPDATE", "IF", "NOT", "NULL"): UPDATE_IF_NOT_NULL,
}
"""What may stand behind ON CONFLICT, and what it means."""
_AS_WRITTEN = frozenset(
    "array_contains array_join array_length array_overlaps ceiling char_length character_length date_bin "
    "log log10 map_from_entries sha1 strpos substr to_char to_date to_hex to_timestamp".split()
)
"""Functions that upstream takes for others, or gives other arguments, when it writes them back."""

_EMIT = ["EMIT", "ON", "WINDOW", "CLOSE"]


class _Parser(SourceSyntax, EventSyntax):
    def _parse_append_only(self) -> AppendOnlyProperty | None:
        if not self._match_text_seq("ONLY"):
            self.raise_error("Expected ONLY after APPEND")
        return self.expression(AppendOnlyProperty())  # type: ignore[no-any-return]

    def _parse_on_conflict_property(self) -> exp.Expr | None:
        if not self._match_text_seq("CONFLICT"):
            return self._parse_on_property()  # type: ignore[no-any-return]
        for words, behaviour in CONFLICTS.items():
            if self._match_text_seq(*words):
                return self.expression(OnConflictProperty(this=exp.var(behaviour)))  # type: ignore[no-any-return]
        self.raise_error("Expected DO UPDATE FULL, DO UPDATE IF NOT NULL or DO NOTHING after ON CONFLICT")
        return None

    def _parse_with_or_version(self) -> object:
        if not self._match_text_seq("VERSION", "COLUMN"):
            return self._parse_with_property()
        return self.expression(VersionColumnsProperty(expressions=self._parse_wrapped_id_vars()))

    FUNCTIONS: ClassVar = {
        name: parse
        for name, parse in RisingWave.Parser.FUNCTIONS.items()
        if name.lower() not in RENAMED | _AS_WRITTEN | {"gap_fill"}
    }
    FUNCTION_PARSERS: ClassVar = {
        name: parse for name, parse in EventSyntax.FUNCTION_PARSERS.items() if name != "DATE_PART"
    }
    PROPERTY_PARSERS: ClassVar = {
        **RisingWave.Parser.PROPERTY_PARSERS,
        "APPEND": _parse_append_only,
        "ON": _parse_on_conflict_property,
        "WITH": _parse_with_or_version,
    }


class _Generator(EventText):
    def ignorenulls_sql(self, expression: exp.IgnoreNulls) -> str:
        """Inside of the call's parentheses, as RisingWave has it; upstream leaves it out, as PostgreSQL has none."""
        return f"{self.sql(expression.this)[:-1]} IGNORE NULLS)"


class TailraceSQL(RisingWave):
    """The dialect that all of Tailrace parses; registered with sqlglot as `tailracesql`."""

    Parser = _Parser
    Generator = _Generator
    PSEUDOCOLUMNS = {  # noqa: RUF012 - as upstream declares it
        "_CHANGELOG_ROW_ID",
        "_ROW_ID",
        "_RW_OP",
    }
    """Columns that exist, and that a star leaves out; _rw_op is what a message of a table's own source does to its row."""
    EXCLUDES_PSEUDOCOLUMNS_FROM_STAR = True


def tokens_of(sql: str) -> list[Token] | None:
    """The tokens of a text that is rewritten by them; None where it cannot be read, which the parser tells."""
    try:
        return list(TailraceSQL().tokenize(sql))
    except TokenError:
        return None


def parse_statement(sql: str) -> exp.Expr:
    """Parse exactly one statement.

    Raises InvalidStatement (42601) with sqlglot's position when the text is not one well-formed statement.
    """
    sql, emits_on_close = _without_emit(respelled(sql))
    try:
        statements = [s for s in sqlglot.parse(sql, dialect=TailraceSQL) if s is not None]
    except (ParseError, TokenError) as error:
        first = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
        where = f" at line {first['line']}, column {first['col']}" if first.get("line") else ""
        what = first.get("description") or str(error).splitlines()[0]
        raise InvalidStatement(f"syntax error{where}: {what}") from error
    if len(statements) != 1:
        raise InvalidStatement(f"expected one statement, got {len(statements)}")
    if emits_on_close:
        if not isinstance(statements[0], exp.Create):
            raise UnsupportedFeature(
                "EMIT ON WINDOW CLOSE here", hint="it ends CREATE MATERIALIZED VIEW v AS SELECT ..."
            )
        properties = statements[0].args.get("properties") or exp.Properties(expressions=[])
        properties.append("expressions", EmitOnWindowCloseProperty())
        statements[0].set("properties", properties)
    return rename_calls(statements[0])


def _without_emit(sql: str) -> tuple[str, bool]:
    """The text without EMIT ON WINDOW CLOSE at its end, and whether it was there: sqlglot takes EMIT for an alias.

    >>> _without_emit("SELECT a FROM t EMIT ON WINDOW CLOSE;")
    ('SELECT a FROM t ', True)
    """
    if "EMIT" not in sql.upper():
        return sql, False
    found = [t for t in tokens_of(sql) or () if t.text != ";"]
    if [t.text.upper() for t in found[-4:]] != _EMIT:
        return sql, False
    return sql[: found[-4].start], True


def parse_query(sql: str) -> exp.Query:
    """Parse one SELECT (or set operation); raises InvalidStatement otherwise."""
    tree = parse_statement(sql)
    if not isinstance(tree, exp.Query):
        raise InvalidStatement(f"expected a query, got {tree.key.upper()}")
    return tree
