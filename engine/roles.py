"""Who may do what in PostgreSQL: the database, the client roles and their rights.

Client roles own nothing and are never superuser: PostgreSQL's privileges are the safety net under the front
door. Assumes a server that is up. Called by the supervisor each time the server has started.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from typing import Any, Final, LiteralString

import psycopg
import scramp
from psycopg import sql

from engine.layout import CLIENT_ROLES, DATABASE, Layout
from engine.state import read_json
from engine.wire.access import SALT_OF_OWN

_Connection = psycopg.Connection[tuple[Any, ...]]
_OWN_PASSWORD: Final = "tailrace.password"  # noqa: S105 - a setting's name
"""Marks a role that has a password of its own, for those who may not read its verifier."""

# One old snapshot lets every hot row chain grow, so a client's transaction ends after 30 s.
ROLE_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "root": {
        "idle_in_transaction_session_timeout": "30s",
        "transaction_timeout": "30s",
        "lock_timeout": "10s",
        "timezone": "UTC",
    },
    "dashboard": {
        "idle_in_transaction_session_timeout": "30s",
        "transaction_timeout": "30s",
        "lock_timeout": "10s",
        "timezone": "UTC",
        "default_transaction_read_only": "on",
    },
}


def bootstrap(layout: Layout) -> None:
    """Database, client roles and their rights, on a server that is up; repeated at each start.

    A server that is not ours may know the client roles already: they are given our password.
    """
    external = (read_json(layout.secrets_path) or {}).get("postgres_dsn")
    with psycopg.connect(external or layout.dsn(dbname="postgres"), autocommit=True) as connection:
        if not _exists(connection, "SELECT FROM pg_database WHERE datname = %s", DATABASE):
            statement = sql.SQL(
                "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
                " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
            )
            connection.execute(statement.format(sql.Identifier(DATABASE)))
        for role in CLIENT_ROLES:
            if not _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", role):
                make_role(connection, role, layout.client_password(), "CREATE ROLE")
            elif external and not has_own_password(connection, role):
                make_role(connection, role, layout.client_password(), "ALTER ROLE")
            set_defaults(connection, role)
        if not external:
            connection.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
    with psycopg.connect(layout.dsn()) as connection:
        grant_database(connection, DATABASE)


def grant_database(connection: _Connection, database: str) -> None:
    """Let the client roles in, and nothing more: no temporary tables, no objects of their own."""
    roles = sql.SQL(", ").join(map(sql.Identifier, CLIENT_ROLES))
    name = sql.Identifier(database)
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, roles))
    connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(roles))


def make_role(connection: _Connection, role: str, password: str, verb: LiteralString) -> None:
    """CREATE or ALTER a role that logs in with `password`, the engine's own for clients."""
    # The verifier, not the password, so that no log and no statistics view can show it.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    statement = sql.SQL(verb + " {} NOSUPERUSER NOCREATEDB NOCREATEROLE LOGIN PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(role), sql.Literal(verifier)))


def set_password(connection: _Connection, role: str, password: str) -> None:
    """Give a role a password of its own, which clients have to know from now on.

    It shows by the salt that it is not the engine's: the front door then leaves the proof to the client.
    """
    scram = scramp.ScramMechanism("SCRAM-SHA-256")
    salt, stored, server, iterations = scram.make_auth_info(
        password, salt=SALT_OF_OWN + secrets.token_bytes(16)
    )
    salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored, server))
    verifier = f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier))
    connection.execute(statement)
    _mark_password(connection, role, own=True)


def forget_password(connection: _Connection, role: str, password: str) -> None:
    """Take a role's own password away: it has the engine's again."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier))
    connection.execute(statement)
    _mark_password(connection, role, own=False)


def has_own_password(connection: _Connection, role: str) -> bool:
    """Whether a client has to know a password to be this role."""
    return _exists(
        connection,
        "SELECT FROM pg_db_role_setting AS s JOIN pg_roles AS r ON r.oid = s.setrole "
        f"WHERE r.rolname = %s AND s.setdatabase = 0 AND '{_OWN_PASSWORD}=true' = ANY (s.setconfig)",
        role,
    )


def _mark_password(connection: _Connection, role: str, *, own: bool) -> None:
    verb = sql.SQL("ALTER ROLE {} SET {} = 'true'" if own else "ALTER ROLE {} RESET {}")
    connection.execute(verb.format(sql.Identifier(role), sql.Identifier(*_OWN_PASSWORD.split("."))))


def set_defaults(connection: _Connection, role: str) -> None:
    """The settings that a role's sessions begin with; those of root for roles that clients have made."""
    for setting, value in ROLE_SETTINGS.get(role, ROLE_SETTINGS["root"]).items():
        statement = sql.SQL("ALTER ROLE {} SET {} = {}")
        connection.execute(
            statement.format(sql.Identifier(role), sql.Identifier(setting), sql.Literal(value))
        )


def _exists(connection: _Connection, query: LiteralString, name: str) -> bool:
    return connection.execute(query, (name,)).fetchone() is not None
