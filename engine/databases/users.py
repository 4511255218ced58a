"""CREATE, ALTER and DROP USER: roles of PostgreSQL that own nothing and are never superuser there.

What RisingWave calls a superuser is a member of role root, whose rights it inherits. The other marks (may make databases, may
make users) are kept as settings of the role, `tailrace.<mark>`, and judged by the engine. The front door listens on this machine
only and asks for no password: every role logs in at PostgreSQL with the engine's own, and a PASSWORD is accepted with a notice.
Called by `engine.databases.host`.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from engine.databases.cluster import existing
from engine.layout import CLIENT_ROLES, DATABASE, ENGINE_ROLE, Layout
from engine.roles import forget_password, make_role, set_defaults, set_password
from engine.wire.tokens import Cursor, Kind
from tailrace.errors import (
    DuplicateObject,
    InvalidStatement,
    PermissionDenied,
    UndefinedObject,
    UnsupportedFeature,
)

Connection = psycopg.Connection[tuple[Any, ...]]
EMPTY_PASSWORD = "an empty string is no password: the user has none now"  # noqa: S105 - a notice
_RESERVED = frozenset({*CLIENT_ROLES, ENGINE_ROLE, "postgres", "rwadmin", "public", "none"})
_MARKS = ("superuser", "createdb", "createuser", "admin")
_OWNED = """
SELECT kind || ' ' || name FROM engine.objects WHERE owner = %(user)s
UNION ALL SELECT 'schema ' || name FROM engine.schemas WHERE owner = %(user)s LIMIT 1
"""
_RULED = """
SELECT datname FROM pg_catalog.pg_database AS d JOIN pg_catalog.pg_db_role_setting AS s ON s.setdatabase = d.oid AND s.setrole = 0
WHERE 'tailrace.owner=' || %s = ANY (s.setconfig) LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class UserStatement:
    """One statement. `marks` are the options given: superuser, createdb, createuser, admin, login; each True or False.

    `password`: the new one, "" to take it away, None to leave it.
    """

    verb: str
    name: str
    marks: dict[str, bool]
    if_exists: bool = False
    new_name: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_user(text: str) -> UserStatement:
    """Read CREATE, ALTER or DROP USER (or ROLE); raises InvalidStatement.

    >>> parse_user("CREATE USER ann WITH CREATEDB PASSWORD 'x'")
    UserStatement(verb='CREATE', name='ann', marks={'createdb': True}, if_exists=False, new_name=None)
    """
    cursor = Cursor(text)
    verb = cursor.take().word
    cursor.take()
    if_exists = cursor.accept("IF", "EXISTS")
    name = cursor.identifier()
    if verb == "DROP":
        cursor.end()
        return UserStatement(verb, name, {}, if_exists)
    if verb == "ALTER" and cursor.accept("RENAME", "TO"):
        new_name = cursor.identifier()
        cursor.end()
        return UserStatement(verb, name, {}, new_name=new_name)
    cursor.accept("WITH")
    marks: dict[str, bool] = {}
    password: str | None = None
    while (token := cursor.peek()) is not None:
        cursor.take()
        word = (
            token.name.upper()
            if token.kind is Kind.QUOTED and token.name and token.name.islower()
            else token.word
        )
        if word in ("ENCRYPTED", "PASSWORD"):
            if word == "ENCRYPTED" and not cursor.accept("PASSWORD"):
                raise InvalidStatement("syntax error: expected PASSWORD after ENCRYPTED")
            password = "" if cursor.accept("NULL") else cursor.string()
            continue
        mark = word.lower().removeprefix("no")
        if mark == "oauth":
            raise UnsupportedFeature(
                f"{verb} USER ... WITH oauth", hint="PASSWORD '...', or roles without one"
            )
        if mark not in (*_MARKS, "login"):
            raise InvalidStatement(f"unexpected user option {token.text}")
        if mark in marks:
            raise InvalidStatement("conflicting or redundant options")
        marks[mark] = not word.startswith("NO")
    return UserStatement(verb, name, marks, password=password)


def run_user(layout: Layout, connection: Connection, statement: UserStatement, user: str) -> list[str]:
    """Carry out a statement of `user`'s; returns notices."""
    _check_allowed(connection, statement, user)
    found = _exists(connection, statement.name)
    notices = [EMPTY_PASSWORD] if statement.password == "" else []
    if statement.verb == "CREATE":
        if found:
            raise DuplicateObject(f'user with name "{statement.name}" exists', sqlstate="42710")
        with connection.transaction():
            make_role(connection, statement.name, layout.client_password(), "CREATE ROLE")
            set_defaults(connection, statement.name)
            _mark(connection, statement.name, {"user": True, **statement.marks})
            _set_password(layout, connection, statement)
        return notices
    if not found:
        if statement.if_exists:
            return [f'user "{statement.name}" does not exist, skipping']
        raise UndefinedObject(f"user not found: {statement.name}", sqlstate="42704")
    if statement.verb == "ALTER" and statement.new_name is None:
        with connection.transaction():
            _mark(connection, statement.name, statement.marks)
            _set_password(layout, connection, statement)
        return notices
    _check_owns_nothing(layout, connection, statement.name)
    role = sql.Identifier(statement.name)
    if statement.new_name is not None:
        if _exists(connection, statement.new_name):
            raise DuplicateObject(f'user with name "{statement.new_name}" exists', sqlstate="42710")
        new = sql.Identifier(statement.new_name)
        connection.execute(sql.SQL("ALTER ROLE {} RENAME TO {}").format(role, new))
        return notices
    for database in (DATABASE, *existing(connection)):
        with closing(psycopg.connect(layout.dsn(dbname=database), autocommit=True)) as there:
            there.execute(sql.SQL("DROP OWNED BY {}").format(role))  # rights: it owns nothing
    connection.execute(sql.SQL("DROP ROLE {}").format(role))
    return notices


def _check_allowed(connection: Connection, statement: UserStatement, user: str) -> None:
    """Raise PermissionDenied unless `user` may do that: each may change its own password, only superusers touch superusers."""
    only_password = (
        statement.verb == "ALTER"
        and statement.password is not None
        and not statement.marks
        and statement.new_name is None
    )
    if only_password and user == statement.name != "dashboard":
        return
    if not has_mark(connection, user, "createuser"):
        raise PermissionDenied(
            "Permission denied: only users with CREATEUSER may do that", hint="connect as root"
        )
    name = statement.name
    reserved = name in _RESERVED and not (only_password and name in CLIENT_ROLES)
    if reserved or name.startswith("pg_") or statement.new_name in _RESERVED:
        raise PermissionDenied(f"Permission denied: user {name} is the system's", hint="leave it as it is")
    of_superuser = "superuser" in statement.marks or has_mark(connection, name, "superuser")
    if of_superuser and not has_mark(connection, user, "superuser"):
        raise PermissionDenied(
            f"Permission denied: only superusers make or change a superuser such as {name}",
            hint="connect as root",
        )


def _set_password(layout: Layout, connection: Connection, statement: UserStatement) -> None:
    if statement.password:
        set_password(connection, statement.name, statement.password)
    elif statement.password is not None:
        forget_password(connection, statement.name, layout.client_password())


def has_mark(connection: Connection, user: str, mark: str) -> bool:
    """Whether a user has a mark, or is a superuser of RisingWave's kind."""
    if user == "root":
        return True
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting AS s JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole "
        "WHERE r.rolname = %s AND s.setdatabase = 0 AND s.setconfig && %s)",
        (user, [f"tailrace.{mark}=true", "tailrace.superuser=true"]),
    ).fetchone()
    return row == (True,)


def _mark(connection: Connection, name: str, marks: dict[str, bool]) -> None:
    role = sql.Identifier(name)
    for mark, given in marks.items():
        if mark == "login":
            connection.execute(
                sql.SQL("ALTER ROLE {} {}").format(role, sql.SQL("LOGIN" if given else "NOLOGIN"))
            )
            continue
        if mark == "superuser":
            verb = sql.SQL("GRANT root TO {}" if given else "REVOKE root FROM {}")
            connection.execute(verb.format(role))
        verb = sql.SQL("ALTER ROLE {} SET {} = 'true'" if given else "ALTER ROLE {} RESET {}")
        connection.execute(verb.format(role, sql.Identifier("tailrace", mark)))


def _exists(connection: Connection, name: str) -> bool:
    row = connection.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", (name,)).fetchone()
    return row is not None


def _check_owns_nothing(layout: Layout, connection: Connection, user: str) -> None:
    row = connection.execute(_RULED, (user,)).fetchone()
    owned = f"database {row[0]}" if row else None
    for database in (DATABASE, *existing(connection)):
        if owned is None:
            with closing(psycopg.connect(layout.dsn(dbname=database), autocommit=True)) as there:
                row = there.execute(_OWNED, {"user": user}).fetchone()
                owned = f"{row[0]} in database {database}" if row else None
    if owned is not None:
        raise PermissionDenied(
            f"Permission denied: user {user} owns {owned}",
            hint="drop that, or ALTER ... OWNER TO another user",
        )
