"""Which way a statement goes: to PostgreSQL, to the flow, answered here, or refused by name.

An allow-list: only what is named below reaches PostgreSQL. The first keyword decides, found by one regular
expression; only statements with syntax of RisingWave's own are parsed further. Pure; called by the session
for each statement.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeGuard

from engine.wire.catalog_rewrite import rewrite_catalog
from engine.wire.cursor_statements import plan_close, plan_declare_subscription, plan_fetch
from engine.wire.plans import (
    QUERY_PLAN,
    Begin,
    ColumnsQuery,
    Command,
    CopyIn,
    DatabaseCommand,
    Deallocate,
    End,
    FlowCommand,
    Flush,
    Forward,
    NoOperation,
    RowIdQuery,
)
from engine.wire.protocol import Column
from engine.wire.row_ids import NAMED, rewrite
from engine.wire.show import plan_describe, plan_kill, plan_show
from engine.wire.tokens import Cursor, Kind, tokens
from engine.wire.variables import plan_discard, plan_reset, plan_set, plan_set_config
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature
from tailrace.sql import column_lists, to_postgres
from tailrace.sql.types import ComposedType, expand_types

_FIRST_WORD = re.compile(r"[\s(]*([A-Za-z_]+)")

_BLANK = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)"
_ABOUT_CLUSTER = re.compile(
    rf"{_BLANK}*(?:CREATE|DROP|ALTER){_BLANK}+(?:DATABASE|USER(?!{_BLANK}+MAPPING)|ROLE)\b",
    re.IGNORECASE | re.DOTALL,
)

_LONG = 10_000
_SETS_CONFIG = "set_config"
_READING = frozenset({"SELECT", "WITH"})
_QUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE"})
_WRITING = frozenset({"INSERT", "UPDATE", "DELETE"})
_FOR_FLOW = frozenset(
    {"CREATE", "DROP", "ALTER", "COMMENT", "WAIT", "CANCEL", "RECOVER", "GRANT", "REVOKE", "REPLACE"}
)
_REFUSED = {
    "ANALYZE": "the engine keeps statistics itself",
    "CALL": None,
    "CHECKPOINT": "FLUSH waits until every view shows what was written",
    "CLUSTER": None,
    "DO": None,
    "EXECUTE": "drivers prepare statements through the protocol, which works",
    "IMPORT": None,
    "LISTEN": None,
    "LOAD": None,
    "LOCK": None,
    "MERGE": "INSERT into a table with a primary key overwrites existing rows",
    "MOVE": "FETCH, and leave the rows",
    "NOTIFY": None,
    "PREPARE": "drivers prepare statements through the protocol, which works",
    "REASSIGN": None,
    "REFRESH": "materialized views are always current",
    "REINDEX": None,
    "RELEASE": "there are no read-write transactions",
    "SAVEPOINT": "there are no read-write transactions",
    "SECURITY": None,
    "TRUNCATE": "DELETE FROM the table, without WHERE",
    "USE": "connect to the database that is wanted",
    "VACUUM": "the engine cleans up after itself",
}


def first_word(sql: str) -> str:
    """The statement's first keyword in upper case, opening parentheses left out; '' if it has none.

    >>> first_word("-- top ten\\n(select 1)")
    'SELECT'
    """
    match = _FIRST_WORD.match(sql)
    if match is not None:
        return match[1].upper()
    for token in tokens(sql):
        if token.text != "(":
            return token.word
    return ""


def classify(sql: str) -> Forward | RowIdQuery | ColumnsQuery | CopyIn | Command:
    """The plan for one statement. Raises TailraceError for what is refused or malformed."""
    word = first_word(sql)
    if word in _QUERIES:
        if len(sql) < _LONG and _SETS_CONFIG in sql.lower() and (setting := plan_set_config(sql)) is not None:
            return setting
        if column_lists.NAMED.search(sql):
            return ColumnsQuery(sql)
        return RowIdQuery(sql) if word in _READING and NAMED.search(sql) else _query(sql)
    if not word:
        return _wordless(sql)
    plan = _PLANS.get(word)
    if plan is not None:
        return plan(sql)
    if word in _FOR_FLOW:
        if _ABOUT_CLUSTER.match(sql):
            return DatabaseCommand(sql)
        return FlowCommand(sql, (Column("Id"),) if word == "CANCEL" else ())
    if word in _REFUSED:
        raise UnsupportedFeature(word, hint=_REFUSED[word])
    raise InvalidStatement(f'syntax error at or near "{word.lower()}"')


def with_row_ids(plan: RowIdQuery, rows: Sequence[Sequence[str | None]]) -> Forward:
    """The query over the tables that `row_ids.lookup` has found."""
    return replace(_query(rewrite(plan.sql, rows)), rewritten=True)


def about_columns(question: str) -> str:
    """What to run to see the names of a query's columns."""
    return f"SELECT * FROM ({_query(question).sql}) AS q LIMIT 0"  # noqa: S608 - the client's own query


def with_columns(sql: str) -> Forward:
    """A statement whose columns are written out by now."""
    return replace(_query(sql), rewritten=True)


def _wordless(sql: str) -> Forward:
    token = next(tokens(sql), None)
    if token is None or token.text == ";":
        return Forward(sql)
    raise InvalidStatement(f'syntax error at or near "{token.text[:60]}"')


def _query(sql: str) -> Forward:
    expanded = expand_types(sql)
    if len(sql) > _LONG and not _may_be_rewritten(sql) and not expanded.types:
        return Forward(sql)
    rewritten = to_postgres(expanded.sql)
    rewritten = rewrite_catalog(rewritten)
    if rewritten is sql and not expanded.types:
        return Forward(sql)
    return Forward(rewritten, rewritten=rewritten != sql, types=expanded.types)


def _may_be_rewritten(sql: str) -> bool:
    """A cheap look at a long text, which is mostly the values of an INSERT: nothing is rewritten without these words."""
    lowered = sql.lower()
    return "select" in lowered or "proctime" in lowered or "pg_" in lowered or "version" in lowered


def _with_prefix(sql: str, start: int) -> Forward:
    """A query that begins at `start`, behind words that stay as they are."""
    query = _query(sql[start:])
    return replace(query, sql=sql[:start] + query.sql) if query.rewritten else Forward(sql)


def _explain(sql: str) -> Forward | Command:
    """EXPLAIN [(options)] [ANALYZE] [VERBOSE] statement: of a CREATE by the flow, of a query by PostgreSQL."""
    depth = 0
    for token in list(tokens(sql))[1:]:
        depth += (token.text == "(") - (token.text == ")")
        if token.word == "CREATE" and not depth:
            return FlowCommand(sql, QUERY_PLAN)
        if token.word in _QUERIES and (not depth or token.word in {"SELECT", "WITH", "VALUES"}):
            return _with_prefix(sql, token.start)
        if depth or token.text in {"(", ")"} or token.word in {"ANALYZE", "VERBOSE"}:
            continue
        if token.word in {"TABLE", "MATERIALIZED", "SINK", "INDEX", "ID"}:
            raise UnsupportedFeature(
                "EXPLAIN ANALYZE of a running job",
                hint="EXPLAIN CREATE MATERIALIZED VIEW shows operators and their cost",
            )
        raise UnsupportedFeature(
            f"EXPLAIN {token.text.upper()}", hint="EXPLAIN a query or a CREATE MATERIALIZED VIEW"
        )
    raise InvalidStatement("syntax error at end of input")


def _begin(sql: str) -> Command:
    words = [token.word for token in tokens(sql) if token.word]
    read_only = any(pair == ("READ", "ONLY") for pair in pairwise(words))
    return Begin(sql, "START_TRANSACTION" if words[0] == "START" else "BEGIN", read_only)


def _end(sql: str) -> Command:
    words = [token.word for token in tokens(sql) if token.word]
    for word, feature in (("TO", "SAVEPOINT"), ("PREPARED", "two-phase commit")):
        if word in words:
            raise UnsupportedFeature(feature, hint="there are no read-write transactions")
    if "CHAIN" in words and "NO" not in words:
        raise UnsupportedFeature(f"{words[0]} AND CHAIN")
    return End("COMMIT" if words[0] in {"COMMIT", "END"} else "ROLLBACK")


def _declare(sql: str) -> Forward | Command:
    """DECLARE of a cursor, which belongs to the session as in RisingWave: with or without a transaction.

    >>> _declare("DECLARE c CURSOR FOR SELECT 1").sql
    'DECLARE c CURSOR WITH HOLD FOR SELECT 1'
    """
    found = list(tokens(sql))
    for index, token in enumerate(found[:-1]):
        if token.word == "SUBSCRIPTION":
            return plan_declare_subscription(sql)
        if token.word == "FOR":
            query = _with_prefix(sql, found[index + 1].start)
            held = [t for t in found[:index] if t.word in {"WITH", "WITHOUT"}]
            if held and held[0].word == "WITH":
                return query
            end = held[0].start if held else token.start
            return replace(query, sql=f"{sql[:end]}WITH HOLD {query.sql[token.start :]}", rewritten=True)
    return Forward(sql)


def _deallocate(sql: str) -> Command:
    cursor = Cursor(sql)
    cursor.take()
    cursor.accept("PREPARE")
    return Deallocate(sql, None if cursor.accept("ALL") else cursor.identifier())


def _flush(sql: str) -> Command:
    cursor = Cursor(sql)
    cursor.take()
    cursor.end()
    return Flush()


def _copy(sql: str) -> Forward | CopyIn:
    """COPY ... TO STDOUT and COPY ... FROM STDIN. A relation is a view underneath: COPY name TO becomes COPY (SELECT ...) TO.

    >>> _copy("COPY devices (device_id) TO STDOUT (FORMAT csv)").sql
    'COPY (SELECT device_id FROM devices) TO STDOUT (FORMAT csv)'
    """
    cursor = Cursor(sql)
    cursor.take()
    first = cursor.peek()
    if first is None:
        raise InvalidStatement("syntax error at end of input")
    target: CopyIn | None = None
    types: tuple[ComposedType, ...] = ()
    if first.text == "(":
        plan = _query(sql[first.end : _skip_parentheses(cursor)])
        query, types = plan.sql, plan.types
    else:
        schema, name = cursor.qualified_name()
        following = cursor.peek()
        relation, columns = sql[first.start : following.start if following else len(sql)].strip(), "*"
        into: tuple[str, ...] = ()
        if following is not None and following.text == "(":
            columns = sql[following.end : _skip_parentheses(cursor)]
            into = _column_names(columns)
        query = f"SELECT {columns} FROM {relation}"  # noqa: S608 - the client's own words
        target = CopyIn(schema, name, into, "")
    direction = cursor.take()
    place = cursor.take()
    if direction.word == "FROM" and target is not None and place.word == "STDIN":
        if any(token.word == "WHERE" for token in cursor.rest()):
            raise UnsupportedFeature("COPY FROM with WHERE", hint="leave the rows out of what you send")
        return replace(target, rest=sql[direction.start :])
    if direction.word not in {"TO", "FROM"} or (direction.word == "FROM" and target is None):
        raise Cursor.unexpected(direction)
    if place.word == "PROGRAM" or place.kind is Kind.STRING:
        raise UnsupportedFeature(
            f"COPY {direction.word} a file or program",
            hint=f"COPY ... {'TO STDOUT' if direction.word == 'TO' else 'FROM STDIN'}; psql's \\copy uses files on your side",
        )
    if direction.word == "FROM" or place.word != "STDOUT":
        raise Cursor.unexpected(place)
    return Forward(f"{sql[: first.start]}({query}) {sql[direction.start :]}", rewritten=True, types=types)


def _column_names(text: str) -> tuple[str, ...]:
    """The names in a column list, without its parentheses."""
    cursor = Cursor(text)
    names = [cursor.identifier()]
    while cursor.accept_symbol(","):
        names.append(cursor.identifier())
    cursor.end()
    return tuple(names)


def _skip_parentheses(cursor: Cursor) -> int:
    """Take a balanced pair with all that is in it; returns where the closing one starts."""
    depth = 0
    while True:
        token = cursor.take()
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0:
            return token.start


def writes(plan: Forward | RowIdQuery | ColumnsQuery | CopyIn | Command) -> TypeGuard[Forward | ColumnsQuery]:
    """Does it change a table?"""
    return isinstance(plan, Forward | ColumnsQuery) and first_word(plan.sql) in _WRITING


def not_in_transaction(plan: Forward | ColumnsQuery | Command | CopyIn, failed: bool) -> TailraceError | None:
    """Why a statement cannot run in a READ ONLY transaction, or None if it can: one that writes does not end it."""
    if failed and not isinstance(plan, End):
        return TailraceError(
            "current transaction is aborted, commands ignored until end of transaction block",
            sqlstate="25P02",
            hint="ROLLBACK ends it",
        )
    if isinstance(plan, FlowCommand | DatabaseCommand) or writes(plan):
        name = first_word(plan.sql)
        return TailraceError(
            f"cannot execute {name} in a read-only transaction",
            sqlstate="25006",
            hint="COMMIT ends the transaction",
        )
    return None


def _unlisten(sql: str) -> Command:
    """Nobody listens, as there is no LISTEN; asyncpg says it whenever a connection goes back to its pool."""
    return NoOperation("UNLISTEN")


_PLANS = {
    "ABORT": _end,
    "BEGIN": _begin,
    "CLOSE": plan_close,
    "COMMIT": _end,
    "COPY": _copy,
    "DEALLOCATE": _deallocate,
    "DECLARE": _declare,
    "DESC": plan_describe,
    "DESCRIBE": plan_describe,
    "DISCARD": plan_discard,
    "END": _end,
    "EXPLAIN": _explain,
    "FETCH": plan_fetch,
    "FLUSH": _flush,
    "KILL": plan_kill,
    "RESET": plan_reset,
    "ROLLBACK": _end,
    "SET": plan_set,
    "SHOW": plan_show,
    "START": _begin,
    "UNLISTEN": _unlisten,
}
