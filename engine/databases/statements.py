"""CREATE, DROP and ALTER DATABASE as values. Pure; the grammar is RisingWave's. Called by `engine.databases.host`.

RESOURCE_GROUP, BARRIER_INTERVAL_MS and CHECKPOINT_FREQUENCY are kept and shown, and steer nothing on one machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.layout import DATABASE
from engine.wire.tokens import Cursor, Kind
from tailrace.errors import InvalidStatement, PermissionDenied, TailraceError, UnsupportedFeature

RESERVED = "tailrace "
"""Databases whose names begin so are the engine's own: the template, and what is not complete yet."""
_HIDDEN = frozenset({"postgres", "template0", "template1"})
_PARAMETERS = ("barrier_interval_ms", "checkpoint_frequency")
_MAX_NAME_BYTES = 63


@dataclass(frozen=True, slots=True)
class Create:
    """`settings` are what the statement gives: owner, resource_group, barrier_interval_ms, checkpoint_frequency."""

    name: str
    if_not_exists: bool = False
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drop:
    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class Rename:
    name: str
    new: str


@dataclass(frozen=True, slots=True)
class Change:
    """Sets one setting; None takes it back to its default."""

    name: str
    setting: str
    value: str | None


Statement = Create | Drop | Rename | Change


def parse(sql: str) -> Statement:
    """Read one statement about a database; raises TailraceError.

    >>> parse("CREATE DATABASE IF NOT EXISTS Shop WITH OWNER = ann")
    Create(name='shop', if_not_exists=True, settings={'owner': 'ann'})
    """
    cursor = Cursor(sql)
    verb = cursor.take().word
    cursor.take()
    if verb == "CREATE":
        return _create(cursor)
    if verb == "DROP":
        statement = Drop(if_exists=cursor.accept("IF", "EXISTS"), name=_name(cursor))
        cursor.accept("RESTRICT")
        cursor.end()
        return statement
    return _alter(cursor, _name(cursor))


def check_name(name: str) -> str:
    """A name that a database of a client's may have; raises TailraceError."""
    if name in _HIDDEN or name.startswith(RESERVED):
        raise TailraceError(
            f'database name "{name}" is reserved', sqlstate="42939", hint="choose another name"
        )
    if not name or len(name.encode()) > _MAX_NAME_BYTES:
        raise InvalidStatement(f'the name "{name}" must have 1 to {_MAX_NAME_BYTES} bytes', sqlstate="42622")
    return name


def check_not_current(statement: Statement, current: str) -> None:
    """Raises PermissionDenied (or, for what RisingWave could do, UnsupportedFeature) where a database is in use."""
    if isinstance(statement, Drop | Rename) and statement.name == current:
        raise PermissionDenied(
            "cannot drop the currently open database"
            if isinstance(statement, Drop)
            else "Current database cannot be renamed",
            hint="connect to another database",
        )
    if isinstance(statement, Drop | Rename) and statement.name == DATABASE:
        raise UnsupportedFeature(
            f'DROP or RENAME of database "{DATABASE}"', hint="the engine starts with it: drop what is in it"
        )


def _create(cursor: Cursor) -> Create:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    name = check_name(_name(cursor))
    cursor.accept("WITH")
    settings: dict[str, str] = {}
    while cursor.peek() is not None:
        token = cursor.take()
        option = token.word.lower()
        if option not in ("owner", "resource_group", *_PARAMETERS):
            raise Cursor.unexpected(token)
        if option in settings:
            raise InvalidStatement(f"duplicate {option.upper()} clause in CREATE DATABASE")
        cursor.accept_symbol("=")
        settings[option] = cursor.identifier() if option == "owner" else _value(cursor, option)
    return Create(name, if_not_exists, settings)


def _alter(cursor: Cursor, name: str) -> Statement:
    if cursor.accept("RENAME", "TO"):
        statement: Statement = Rename(name, check_name(_name(cursor)))
    elif cursor.accept("OWNER", "TO"):
        statement = Change(name, "owner", cursor.identifier())
    elif cursor.accept("RESET", "RESOURCE_GROUP"):
        cursor.accept("DEFERRED")
        statement = Change(name, "resource_group", None)
    elif cursor.accept("SET"):
        token = cursor.take()
        setting = token.word.lower()
        if setting not in ("resource_group", *_PARAMETERS):
            raise UnsupportedFeature(f"ALTER DATABASE ... SET {token.text.upper()}")
        if not cursor.accept("TO") and not cursor.accept_symbol("="):
            raise InvalidStatement(f"syntax error: expected TO or = after {token.text}")
        default = cursor.accept("DEFAULT")
        statement = Change(name, setting, None if default else _value(cursor, setting))
        cursor.accept("DEFERRED")
    else:
        token = cursor.take()
        raise UnsupportedFeature(f"ALTER DATABASE ... {token.text.upper()}")
    cursor.end()
    return statement


def _name(cursor: Cursor) -> str:
    return cursor.identifier()


def _value(cursor: Cursor, option: str) -> str:
    token = cursor.take()
    if option in _PARAMETERS and (token.kind is not Kind.NUMBER or not token.text.isdecimal()):
        raise Cursor.unexpected(token)
    return token.value.lower() if token.kind is Kind.WORD else token.value
