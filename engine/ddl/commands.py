"""Which function runs which statement; what is missing here is refused by name."""

from __future__ import annotations

import re
from difflib import get_close_matches

import psycopg
from sqlglot import exp

from engine.compile.describe import translated
from engine.connectors.source import RATE_LIMIT
from engine.ddl.alter import alter
from engine.ddl.comment import comment
from engine.ddl.connections import STATEMENT as CONNECTION
from engine.ddl.connections import connection_statement
from engine.ddl.connector_table import create_connector_table, create_kept_source, keeps_rows
from engine.ddl.context import DdlContext, Reply
from engine.ddl.create_function import create_function
from engine.ddl.create_index import create_index
from engine.ddl.create_sink import create_sink, explain_sink
from engine.ddl.create_source import create_source
from engine.ddl.create_table import create_table
from engine.ddl.create_view import create_materialized_view, create_view, is_materialized
from engine.ddl.drop import drop
from engine.ddl.explain import explain_create
from engine.ddl.external_columns import with_external_columns
from engine.ddl.filling import Filling
from engine.ddl.grant import grant
from engine.ddl.index_words import without_distribution
from engine.ddl.names import options
from engine.ddl.rate_limits import limit_as_set
from engine.ddl.replace_sink import STATEMENT as REPLACE_SINK
from engine.ddl.replace_sink import replace_sink
from engine.ddl.schemas import schema_statement
from engine.ddl.secrets import STATEMENT as SECRET
from engine.ddl.secrets import secret_statement
from engine.ddl.subscriptions import STATEMENT, run_subscription
from engine.functions.composed import provide
from tailrace.errors import InvalidStatement, PermissionDenied, UndefinedObject, UnsupportedFeature
from tailrace.sql.dialect import parse_statement
from tailrace.sql.secrets import mark_secrets
from tailrace.sql.sinks import is_create_sink
from tailrace.sql.types import expand_types

_LEADING = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_FROM_CDC = re.compile(r"\bFROM\s+\S+\s+TABLE\s+'", re.IGNORECASE)
_EXPLAIN = re.compile(r"\s*EXPLAIN\s+(?:\([^)]*\)\s*)?(?=CREATE\b)", re.IGNORECASE)
_IN_WORDS = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(ALTER|COMMENT|GRANT|REVOKE)\b", re.IGNORECASE | re.DOTALL
)
"""Statements that are read word by word: the parser knows too little of them."""
_SCHEMA = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:CREATE|DROP|ALTER)\s+SCHEMA\b", re.IGNORECASE | re.DOTALL
)
_FUNCTION = re.compile(r"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|AGGREGATE)\b", re.IGNORECASE)
_INDEX = re.compile(r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\b", re.IGNORECASE)


def execute(context: DdlContext, filling: Filling) -> Reply:
    """Run the context's statement; raises TailraceError, PostgreSQL's errors translated. Comments before it are not part of what
    is kept of it.
    """
    start = _LEADING.match(context.text)
    context.text = context.text[start.end() if start else 0 :]
    context = with_external_columns(context)
    text = context.text
    explain = _EXPLAIN.match(text)
    statement = text[explain.end() :] if explain else text
    sink, in_words = is_create_sink(statement), _IN_WORDS.match(text)
    about_schema = _SCHEMA.match(text) is not None
    distributed_by = ""
    if _INDEX.match(statement):
        statement, distributed_by = without_distribution(statement)
    subscription = STATEMENT.match(text) is not None
    about_secret = SECRET.match(text) is not None
    about_connection = CONNECTION.match(text) is not None
    replaces_sink = REPLACE_SINK.match(text) is not None
    expanded = expand_types(statement if sink else mark_secrets(statement))
    about_function = _FUNCTION.match(statement) is not None
    by_words = (
        in_words or sink or about_schema or about_function or subscription or about_secret or about_connection
        or replaces_sink
    )  # fmt: skip
    tree = None if by_words else parse_statement(expanded.sql)
    try:
        provide(context.connection, expanded.types)
        if explain:
            return (
                explain_sink(context, statement) if tree is None else explain_create(context, _create(tree))
            )
        if context.user == "dashboard":
            raise PermissionDenied("role dashboard may only read", hint="connect as root")
        if about_schema:
            return schema_statement(context)
        if about_secret:
            return secret_statement(context)
        if about_connection:
            return connection_statement(context)
        if subscription:
            return run_subscription(context)
        if about_function:
            return create_function(context)
        if in_words and in_words[1].upper() == "ALTER":
            return alter(context, filling)
        if replaces_sink:
            return replace_sink(context, filling)
        if in_words:
            return _BY_WORD[in_words[1].upper()](context)
        if tree is None:
            return create_sink(context, filling)
        if isinstance(tree, exp.Drop):
            return drop(context, tree)
        return _run_create(context, _create(tree), filling, distributed_by)
    except UndefinedObject as error:
        raise _with_close_name(context, error) from error
    except psycopg.Error as error:
        if error.sqlstate is None or error.sqlstate.startswith(("08", "57")):
            raise
        raise translated(error) from error


_MISSING_RELATION = re.compile(r'relation "(?:\w+\.)?(\w+)" does not exist')
_BY_WORD = {"COMMENT": comment, "GRANT": grant, "REVOKE": grant}


def _with_close_name(context: DdlContext, error: UndefinedObject) -> UndefinedObject:
    """The error, with the relation in its hint that may be meant."""
    name = _MISSING_RELATION.fullmatch(error.message)
    shown = [o.name for o in context.catalog.objects.values()]
    close = get_close_matches(name[1], shown, 1) if name else []
    if close:
        error.hint = f"did you mean {close[0]}? " + (error.hint or "")
    return error


def _create(tree: exp.Expr) -> exp.Create:
    if not isinstance(tree, exp.Create):
        text = tree.sql(dialect="risingwave")
        if _FROM_CDC.search(text):
            raise UnsupportedFeature(
                "CREATE TABLE ... FROM source TABLE 'name', of a CDC source",
                hint="let Debezium write to Kafka: connector = 'kafka' ... FORMAT DEBEZIUM ENCODE JSON",
            )
        raise UnsupportedFeature(" ".join(text.split()[:3]).upper() or "this statement")
    return tree


def _rate_as_option(context: DdlContext, tree: exp.Create) -> None:
    """`source_rate_limit` among the options of a statement counts before the session's variable. Raises InvalidStatement."""
    rate = options(tree).get(RATE_LIMIT)
    if rate is None:
        return
    if not rate.removeprefix("-").isdecimal():
        raise InvalidStatement(
            f"{RATE_LIMIT} cannot be '{rate}'", sqlstate="22023", hint="rows a second; 0 pauses"
        )
    context.settings = {**context.settings, RATE_LIMIT: rate}


def _run_create(context: DdlContext, tree: exp.Create, filling: Filling, distributed_by: str) -> Reply:
    kind = str(tree.args.get("kind") or "").upper()
    if tree.args.get("replace"):
        raise UnsupportedFeature(f"CREATE OR REPLACE {kind}", hint="DROP it first")
    if kind in ("TABLE", "SOURCE"):
        _rate_as_option(context, tree)
        if kind == "SOURCE" and keeps_rows(tree):
            reply = create_kept_source(context, tree, filling)
        elif kind == "SOURCE":
            reply = create_source(context, tree)
        elif "connector" in options(tree):
            reply = create_connector_table(context, tree, filling)
        else:
            reply = create_table(context, tree)
        limit_as_set(context)
        return reply
    if kind == "INDEX":
        return create_index(context, tree, filling, distributed_by)
    if kind == "VIEW":
        if is_materialized(tree):
            return create_materialized_view(context, tree, filling)
        return create_view(context, tree)
    raise UnsupportedFeature(f"CREATE {kind}")
