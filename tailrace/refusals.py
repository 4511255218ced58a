"""What the SQL side's refusals mean to somebody at the command line: the same words everywhere, with the next step.

Takes psycopg's errors, also those that SQLAlchemy has wrapped, and its own about addresses that are none. Called by the CLI's
border and by whoever connects.
"""

from __future__ import annotations

import re
from typing import Final

import psycopg
import sqlalchemy.exc

from tailrace.errors import TailraceError

_EXAMPLE: Final = "for example --sql-url postgresql://root@127.0.0.1:4566/dev"
_AT_LOGIN: Final = (
    (
        r"no password supplied",
        "28P01",
        "a password is wanted",
        "export PGPASSWORD=..., or put it into ~/.pgpass",
    ),
    (
        r'password authentication failed for user "(.*?)"',
        "28P01",
        "the password of {0} is another",
        "root sets a new one: ALTER USER {0} WITH PASSWORD '...'",
    ),
    (
        r'permission denied for database "(.*?)"',
        "42501",
        "this user may not connect to database {0}",
        "as root: GRANT CONNECT ON DATABASE {0} TO the user",
    ),
    (
        r'database "(.*?)" does not exist',
        "3D000",
        "there is no database {0}",
        'make it: psql -d dev -c "CREATE DATABASE {0}"; or name another one with --sql-url',
    ),
    (
        r'role "(.*?)" does not exist',
        "28000",
        "there is no user {0}",
        "connect as root, or as root: CREATE USER {0} WITH PASSWORD '...'",
    ),
)
_BY_STATE: Final = {
    "42501": "connect as root, or as root GRANT what is missing to this user",
    "42P01": "is it the right database? `tailrace migrate up` deploys the views",
    "57014": "it took too long, or was cancelled: try again",
}


def refusal(error: Exception) -> TailraceError | None:
    """An error of the SQL side as one for people; None for what is no such error."""
    if isinstance(error, sqlalchemy.exc.DBAPIError) and isinstance(error.orig, psycopg.Error):
        error = error.orig
    if isinstance(error, sqlalchemy.exc.ArgumentError):
        return _no_address(str(error))
    if not isinstance(error, psycopg.Error):
        return None
    text = str(error).strip()
    if error.sqlstate:
        return TailraceError(
            error.diag.message_primary or text,
            sqlstate=error.sqlstate,
            detail=error.diag.message_detail,
            hint=error.diag.message_hint or _BY_STATE.get(error.sqlstate),
        )
    if isinstance(error, psycopg.ProgrammingError):
        return _no_address(text)
    for pattern, sqlstate, message, hint in _AT_LOGIN:
        if match := re.search(pattern, text):
            groups = match.groups()
            return TailraceError(
                message.format(*groups), sqlstate=sqlstate, detail=text, hint=hint.format(*groups)
            )
    answered = re.search(r"FATAL:\s+(.*)", text)
    if answered:
        told = re.search(r"HINT:\s+(.*)", text)
        return TailraceError(answered[1], sqlstate="08004", hint=told[1] if told else None)
    return TailraceError(
        "the SQL side does not answer",
        sqlstate="08001",
        detail=text,
        hint="start it (tailrace up), or give its address with --sql-url or TAILRACE_SQL_URL",
    )


def _no_address(reason: str) -> TailraceError:
    return TailraceError(
        "this is no address of a database", sqlstate="22023", detail=reason, hint=f"{_EXAMPLE}"
    )
