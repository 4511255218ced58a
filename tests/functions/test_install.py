"""The functions stand in a new database and are made again when their text changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from engine import functions
from engine.catalog.versions import bring_up_to_date


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(database, autocommit=True) as opened:
        bring_up_to_date(opened)
        yield opened


def _transaction(connection: psycopg.Connection[tuple[Any, ...]]) -> Any:
    """The transaction that wrote the digest."""
    return connection.execute("SELECT xmin::text FROM engine.version").fetchone()


def test_installed_once(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    before = _transaction(connection)
    functions.install(connection)
    assert _transaction(connection) == before


def test_made_again_when_the_text_changes(
    connection: psycopg.Connection[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = "CREATE FUNCTION pg_catalog.only_here() RETURNS integer LANGUAGE sql AS 'SELECT 7'"
    texts = functions.texts()
    monkeypatch.setattr(functions, "texts", lambda: (*texts, changed))
    functions.install(connection)
    assert connection.execute("SELECT only_here(), array_distinct(ARRAY[2, 1, 2])").fetchone() == (7, [2, 1])


def test_none_takes_the_place_of_a_function_of_postgresql(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    """Such a row would count where a call is inlined, and not where it is not."""
    ours = "pg_proc AS p JOIN pg_proc AS o ON o.oid = 'rw.numeric_div'::regproc AND o.xmin = p.xmin"
    replaced = connection.execute(
        f"SELECT p.oid::regprocedure::text FROM {ours} WHERE p.oid < 16384"
    ).fetchall()
    assert replaced == []
    made = connection.execute(f"SELECT count(*) FROM {ours}").fetchone()
    assert made is not None
    assert made[0] > 100
