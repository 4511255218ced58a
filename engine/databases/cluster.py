"""Databases in PostgreSQL: made from a template that has the catalog already, dropped, renamed, listed.

A database is there when it has its name: it is made under a name of the engine's own and renamed, with all its settings, in one
transaction. Whatever a killed engine leaves half-made or half-dropped has such a name, or is marked by PostgreSQL as unusable,
and is swept away at the next start. The template is made when it is first wanted. Settings lie in PostgreSQL's own shared
catalog, as `tailrace.<setting>` of the database. Called by `engine.databases.host`; every function connects anew, since the
host forks.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg import sql

from engine.databases.statements import RESERVED, Change, Create, Statement
from engine.layout import CLIENT_ROLES, DATABASE, ENGINE_ROLE, Layout
from tailrace.errors import DuplicateObject, PermissionDenied, TailraceError, UndefinedObject

Connection = psycopg.Connection[tuple[Any, ...]]
TEMPLATE = f"{RESERVED}template"
_UNFINISHED = f"{RESERVED}new "
_RENAME_ATTEMPTS = 10
_OURS = """
SELECT d.datname FROM pg_catalog.pg_database AS d JOIN pg_catalog.pg_db_role_setting AS s ON s.setdatabase = d.oid
WHERE s.setrole = 0 AND d.datconnlimit <> -2 AND left(d.datname, 9) <> 'tailrace '
    AND EXISTS (SELECT FROM unnest(s.setconfig) AS c WHERE starts_with(c, 'tailrace.owner='))
ORDER BY d.oid
"""
_LEFT = """
SELECT datname FROM pg_catalog.pg_database
WHERE datconnlimit = -2 OR starts_with(datname, 'tailrace new ')
"""


@contextmanager
def administration(layout: Layout) -> Iterator[Connection]:
    """A connection, in autocommit mode, from which databases can be made and dropped."""
    with closing(psycopg.connect(layout.dsn(), autocommit=True)) as connection:
        yield connection


def existing(connection: Connection) -> list[str]:
    """The databases that have a flow of their own, in the order in which they were made: all but the first."""
    return [name for (name,) in connection.execute(_OURS)]


def sweep(connection: Connection) -> None:
    """Drop what a killed engine has left half-made or half-dropped."""
    for (name,) in connection.execute(_LEFT).fetchall():
        drop(connection, name)


def make_template(layout: Layout, connection: Connection, furnish: Callable[[str], None]) -> None:
    """Make the template, or bring it up to date; `furnish` puts everything into the database that a flow wants."""
    if not _exists(connection, TEMPLATE):
        connection.execute(
            sql.SQL(
                "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
                " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
            ).format(sql.Identifier(TEMPLATE))
        )
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(TEMPLATE)))
    dsn = layout.dsn(dbname=TEMPLATE)
    furnish(dsn)
    with closing(psycopg.connect(dsn, autocommit=True)) as template:
        _grant_public(template)


def check_may_change(
    connection: Connection, statement: Statement, user: str, *, may_create: bool, is_super: bool
) -> None:
    """Raises PermissionDenied unless `user` may make databases, and change this one: a superuser, or its owner."""
    if is_super:
        return
    if not may_create:
        raise PermissionDenied("permission denied to create database", hint="connect as root")
    if not isinstance(statement, Create) and owner_of(connection, statement.name) not in {user, None}:
        raise PermissionDenied(
            f'must be owner of database "{statement.name}"', hint="connect as its owner or as root"
        )


def owner_of(connection: Connection, name: str) -> str | None:
    """The user to whom a database belongs; None if there is no such database."""
    row = connection.execute(
        "SELECT split_part(c, '=', 2) FROM pg_catalog.pg_database AS d JOIN pg_catalog.pg_db_role_setting AS s "
        "ON s.setdatabase = d.oid AND s.setrole = 0, unnest(s.setconfig) AS c "
        "WHERE d.datname = %s AND starts_with(c, 'tailrace.owner=')",
        (name,),
    ).fetchone()
    return "root" if name == DATABASE else row[0] if row else None


def create(connection: Connection, statement: Create, user: str) -> None:
    """Make a database; raises DuplicateObject where it is there. The template must be."""
    if _exists(connection, statement.name):
        raise DuplicateObject(
            f'database with name "{statement.name}" exists', sqlstate="42P04", hint="choose another name"
        )
    settings = {"owner": user, **statement.settings}
    _check_owner(connection, settings["owner"])
    unfinished = sql.Identifier(f"{_UNFINISHED}{uuid.uuid4().hex[:12]}")
    name = sql.Identifier(statement.name)
    connection.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(
            unfinished, sql.Identifier(TEMPLATE)
        )
    )
    with connection.transaction():
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(unfinished))
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                unfinished, sql.SQL(", ").join(map(sql.Identifier, (*CLIENT_ROLES, settings["owner"])))
            )
        )
        _set(connection, unfinished, settings)
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(unfinished, name))


def drop(connection: Connection, name: str) -> None:
    """Drop a database with all sessions on it; its flow must have ended, or it would come back."""
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def rename(connection: Connection, name: str, new: str) -> None:
    """Rename a database; its flow must have ended. Sessions on it are ended."""
    if _exists(connection, new):
        raise DuplicateObject(
            f'database with name "{new}" exists', sqlstate="42P04", hint="choose another name"
        )
    statement = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new))
    for attempt in range(_RENAME_ATTEMPTS):
        connection.execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        try:
            connection.execute(statement)
        except psycopg.errors.ObjectInUse:
            if attempt == _RENAME_ATTEMPTS - 1:
                raise
        else:
            return


def change(connection: Connection, statement: Change) -> None:
    """Set or reset one setting."""
    if statement.setting == "owner" and statement.value is not None:
        _check_owner(connection, statement.value)
    if statement.name == DATABASE and statement.setting == "owner":
        raise TailraceError(
            f'database "{DATABASE}" belongs to root', sqlstate="42501", hint="make another database"
        )
    name = sql.Identifier(statement.name)
    if statement.value is None:
        setting = sql.Identifier("tailrace", statement.setting)
        connection.execute(sql.SQL("ALTER DATABASE {} RESET {}").format(name, setting))
    else:
        _set(connection, name, {statement.setting: statement.value})
    if statement.setting == "owner" and statement.value is not None:
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(statement.value))
        )


def is_there(connection: Connection, name: str) -> bool:
    """Whether clients may see a database of that name."""
    return name == DATABASE or name in existing(connection)


def check_exists(connection: Connection, name: str) -> None:
    """Raises UndefinedObject (3D000) unless `is_there`."""
    if not is_there(connection, name):
        raise UndefinedObject(
            f"database not found: {name}", sqlstate="3D000", hint="SHOW DATABASES lists what exists"
        )


def _set(connection: Connection, name: sql.Identifier, settings: Mapping[str, str]) -> None:
    for setting, value in settings.items():
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                name, sql.Identifier("tailrace", setting), sql.Literal(value)
            )
        )


def _check_owner(connection: Connection, owner: str) -> None:
    found = connection.execute(
        "SELECT FROM pg_catalog.pg_roles WHERE rolname = %s AND rolname <> %s AND NOT starts_with(rolname, 'pg_')",
        (owner, ENGINE_ROLE),
    ).fetchone()
    if found is None:
        raise UndefinedObject(f"user not found: {owner}", sqlstate="42704")


def _exists(connection: Connection, name: str) -> bool:
    row = connection.execute("SELECT FROM pg_catalog.pg_database WHERE datname = %s", (name,)).fetchone()
    return row is not None


def _grant_public(connection: Connection) -> None:
    roles = sql.SQL(", ").join(map(sql.Identifier, CLIENT_ROLES))
    connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(roles))
