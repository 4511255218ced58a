"""Who may do what in PostgreSQL: the database, the client roles and their rights.

Client roles own nothing and are never superuser: PostgreSQL's privileges are the safety net under the front
door. Assumes a server that is up. Called by the supervisor each time the server has started.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

from engine.layout import CLIENT_ROLES, DATABASE, Layout
from engine.state import read_json

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
    """Database, client roles and their rights, on a server that is up; repeated at each start."""
    external = (read_json(layout.secrets_path) or {}).get("postgres_dsn")
    with psycopg.connect(external or layout.dsn(dbname="postgres"), autocommit=True) as connection:
        if not _exists(connection, "SELECT FROM pg_database WHERE datname = %s", DATABASE):
            connection.execute(
                sql.SQL(
                    "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
                    " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
                ).format(sql.Identifier(DATABASE))
            )
        for role in CLIENT_ROLES:
            _make_role(connection, role, layout.client_password())
        if not external:
            connection.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
    with psycopg.connect(layout.dsn()) as connection:
        grant_database(connection, DATABASE)


def grant_database(connection: psycopg.Connection[tuple[object, ...]], database: str) -> None:
    """Let the client roles in, and nothing more: no temporary tables, no objects of their own."""
    roles = sql.SQL(", ").join(map(sql.Identifier, CLIENT_ROLES))
    name = sql.Identifier(database)
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, roles))
    connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(roles))


def _make_role(connection: psycopg.Connection[tuple[object, ...]], role: str, password: str) -> None:
    name = sql.Identifier(role)
    if not _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", role):
        # The verifier, not the password, so that no log and no statistics view can show it.
        verifier = connection.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        ).decode()
        connection.execute(
            sql.SQL("CREATE ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE LOGIN PASSWORD {}").format(
                name, sql.Literal(verifier)
            )
        )
    for setting, value in ROLE_SETTINGS[role].items():
        connection.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(name, sql.Identifier(setting), sql.Literal(value))
        )


def _exists(connection: psycopg.Connection[tuple[object, ...]], query: str, name: str) -> bool:
    return connection.execute(query.encode(), (name,)).fetchone() is not None
