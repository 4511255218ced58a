"""Errors of the SQL side at the command line: each says what is wrong and what to do, and none shows a trace."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy

from tailrace.migrate.connection import open_connection
from tailrace.refusals import refusal
from tests.support.processes import free_port


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("connection failed: fe_sendauth: no password supplied", "a password is wanted", "PGPASSWORD"),
        (
            'FATAL:  password authentication failed for user "eve"',
            "the password of eve is another",
            "ALTER USER eve",
        ),
        ('FATAL:  database "shop" does not exist', "there is no database shop", "CREATE DATABASE shop"),
        (
            'FATAL:  permission denied for database "shop"',
            "may not connect to database shop",
            "GRANT CONNECT ON DATABASE shop",
        ),
        ("FATAL:  the database is not running\nHINT:  try again", "the database is not running", "try again"),
        ("connection to server failed: Connection refused", "the SQL side does not answer", "tailrace up"),
    ],
)
def test_connections_that_are_refused(text: str, message: str, hint: str) -> None:
    found = refusal(psycopg.OperationalError(text))
    assert found is not None
    assert message in found.message
    assert hint in str(found.hint)


def test_what_is_no_address() -> None:
    with pytest.raises(psycopg.ProgrammingError) as one:
        psycopg.connect("nonsense")
    with pytest.raises(sqlalchemy.exc.ArgumentError) as other, open_connection("nonsense"):
        pass
    for error in (one.value, other.value):
        assert "no address" in str(refusal(error))


def test_a_statement_that_is_refused_keeps_its_state(database: str) -> None:
    with psycopg.connect(database) as connection, pytest.raises(psycopg.errors.UndefinedTable) as caught:
        connection.execute("SELECT * FROM nowhere")
    found = refusal(caught.value)
    assert found is not None
    assert (found.sqlstate, found.message) == ("42P01", 'relation "nowhere" does not exist')


def test_others_are_left_alone() -> None:
    assert refusal(ValueError("x")) is None
    with (
        pytest.raises(sqlalchemy.exc.OperationalError) as caught,
        open_connection(f"postgresql://root@127.0.0.1:{free_port()}/dev"),
    ):
        pass
    assert "does not answer" in str(refusal(caught.value))
