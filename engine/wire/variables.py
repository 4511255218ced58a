"""SET, RESET, DISCARD and SHOW of session variables, from text to plan. Pure; called by
`engine.wire.classify`."""

from __future__ import annotations

import re

from engine.wire.plans import Command, NoOperation, ResetAll, Set, SetConfig, ShowAll, ShowVariable
from engine.wire.settings import canonical_name
from engine.wire.tokens import Cursor, Kind
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature

_SET_CONFIG = re.compile(
    r"\s*SELECT\s+(?:pg_catalog\s*\.\s*)?set_config\s*\(\s*'(?P<name>\w+)'\s*,\s*'(?P<value>(?:[^']|'')*)'\s*,\s*false\s*\)\s*;?\s*",
    re.IGNORECASE,
)
SET_TRANSACTION_NOTICE = (
    "`SET TRANSACTION` is not supported yet.\n"
    "For compatibility, this statement will still succeed but no changes are actually made."
)


def plan_set(sql: str) -> Command:
    """SET [SESSION | LOCAL] name {TO | =} value [, ...], SET TIME ZONE, SET NAMES, SET TRANSACTION.

    >>> plan_set("SET streaming_parallelism = 4")
    Set(name='streaming_parallelism', values=('4',), tag='SET_VARIABLE', columns=())
    """
    cursor = Cursor(sql)
    cursor.take()
    if cursor.accept("TRANSACTION") or cursor.accept("SESSION", "CHARACTERISTICS"):
        return NoOperation("SET_TRANSACTION", SET_TRANSACTION_NOTICE)
    for words in (("ROLE",), ("SESSION", "AUTHORIZATION"), ("CONSTRAINTS",)):
        if cursor.accept(*words):
            raise UnsupportedFeature(f"SET {' '.join(words)}", hint="connect as the role that is wanted")
    cursor.accept("SESSION") or cursor.accept("LOCAL")
    if cursor.accept("DATABASE"):
        raise UnsupportedFeature("SET database", hint="connect to the database that is wanted")
    if cursor.accept("TIME", "ZONE"):
        name = "timezone"
    elif cursor.accept("NAMES"):
        name = "client_encoding"
    else:
        name = canonical_name(_variable(cursor))
        token = cursor.take()
        if token.text != "=" and token.word != "TO":
            raise Cursor.unexpected(token)
    if cursor.peek() is None:
        raise InvalidStatement("syntax error at end of input")
    token_after = cursor.peek(1)
    if token_after is None and (cursor.accept("DEFAULT") or (name == "timezone" and cursor.accept("LOCAL"))):
        return Set(name, None, "SET_VARIABLE")
    values = tuple(_values(cursor))
    if len(values) > 1 and name not in {"search_path", "datestyle"}:
        raise TailraceError(f"SET {name} takes only one argument", sqlstate="22023")
    return Set(name, values, "SET_VARIABLE")


def plan_set_config(sql: str) -> SetConfig | None:
    """SELECT set_config('name', 'value', false) and nothing else; None for any other statement and for variables unknown here.

    >>> plan_set_config("SELECT pg_catalog.set_config('query_mode', 'local', false)").value
    'local'
    """
    found = _SET_CONFIG.fullmatch(sql)
    if found is None:
        return None
    value = found["value"].replace("''", "'")
    try:
        name = canonical_name(found["name"])
    except TailraceError:
        return None
    listed = name in {"search_path", "datestyle"}
    values = tuple(part.strip().strip('"') for part in value.split(",")) if listed else (value,)
    return SetConfig(Set(name, values, "SELECT 1"), value)


def _variable(cursor: Cursor) -> str:
    schema, name = cursor.qualified_name()
    return name if schema is None else f"{schema}.{name}"


def _values(cursor: Cursor) -> list[str]:
    values: list[str] = []
    while True:
        sign = "-" if cursor.accept_symbol("-") else ""
        if not sign:
            cursor.accept_symbol("+")
        token = cursor.take()
        if token.kind not in {Kind.WORD, Kind.QUOTED, Kind.STRING, Kind.NUMBER} or (
            sign and token.kind is not Kind.NUMBER
        ):
            raise Cursor.unexpected(token)
        values.append(sign + token.value)
        if not cursor.accept_symbol(","):
            cursor.end()
            return values


def plan_reset(sql: str) -> Command:
    """RESET name | TIME ZONE | ALL."""
    cursor = Cursor(sql)
    cursor.take()
    if cursor.accept("ALL"):
        cursor.end()
        return ResetAll("RESET ALL", "RESET", discard=False)
    if cursor.accept("TIME", "ZONE"):
        name = "timezone"
    elif cursor.accept("ROLE") or cursor.accept("SESSION", "AUTHORIZATION"):
        return NoOperation("RESET")
    else:
        name = canonical_name(_variable(cursor))
    cursor.end()
    return Set(name, None, "RESET")


def plan_discard(sql: str) -> Command:
    """DISCARD ALL; the narrower ones have nothing to discard here."""
    cursor = Cursor(sql)
    cursor.take()
    if cursor.accept("ALL"):
        return ResetAll("DISCARD ALL", "DISCARD", discard=True)
    for word in ("PLANS", "SEQUENCES", "TEMP", "TEMPORARY"):
        if cursor.accept(word):
            return NoOperation("DISCARD")
    raise Cursor.unexpected(cursor.take())


def plan_show_variable(cursor: Cursor) -> Command:
    """What is left of SHOW when it names no kind of object: a variable, in one or several words, or ALL."""
    if cursor.accept("ALL"):
        cursor.end()
        return ShowAll()
    first = cursor.peek()
    if first is None:
        raise InvalidStatement("syntax error at end of input")
    words = [token.name or token.text for token in cursor.rest()]
    return ShowVariable(canonical_name(".".join(words[::2]) if words[1:2] == ["."] else " ".join(words)))
