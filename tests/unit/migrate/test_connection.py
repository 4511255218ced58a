"""Deadlines: a statement that takes too long ends, and the session stays usable."""

from __future__ import annotations

import time

import psycopg
import pytest

from tailrace.migrate.connection import deadline, is_usable


def test_a_statement_past_its_deadline_is_cancelled(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as session:
        started = time.monotonic()
        with deadline(session, 0.05) as passed, pytest.raises(psycopg.errors.QueryCanceled):
            session.execute("SELECT pg_sleep(60)")
        assert passed.is_set()
        assert time.monotonic() - started < 10
        assert is_usable(session)
        assert session.execute("SELECT 1").fetchone() == (1,)


def test_a_statement_in_time_is_left_alone(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as session:
        with deadline(session, 60) as passed:
            session.execute("SELECT 1")
        assert not passed.is_set()


def test_a_server_that_does_not_cancel_is_left(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psycopg.Connection, "cancel_safe", lambda *_, **__: None)
    monkeypatch.setattr("tailrace.migrate.connection._CANCEL_GRACE_S", 0.05)
    with psycopg.connect(database, autocommit=True) as session:
        with deadline(session, 0.05), pytest.raises(psycopg.OperationalError):
            session.execute("SELECT pg_sleep(60)")
        assert not is_usable(session)
