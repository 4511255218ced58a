"""Subscriptions and their cursors, by psycopg: what a client reads of the changes of a table and of a view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.clients.conftest import LiveRelay

Client = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def client(live: LiveRelay) -> Iterator[Client]:
    """A client of an engine with table t (k, v) and subscription s of it."""
    with psycopg.connect(live.url, autocommit=True) as connection:
        connection.prepare_threshold = None
        connection.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
        connection.execute("INSERT INTO t VALUES (2, 20), (1, 10)")
        connection.execute("FLUSH")
        connection.execute("CREATE SUBSCRIPTION s FROM t WITH (retention = '1D')")
        yield connection


def change(client: Client, *statements: str) -> None:
    """Each in a barrier of its own."""
    for statement in statements:
        client.execute(statement)
        client.execute("FLUSH")


def fetch(client: Client, statement: str) -> list[tuple[Any, ...]]:
    """Without the time."""
    return [row[:-1] for row in client.execute(statement).fetchall()]


def test_full_begins_with_the_rows_in_the_order_of_their_key(client: Client) -> None:
    client.execute("DECLARE c SUBSCRIPTION CURSOR FOR s FULL")
    change(
        client, "INSERT INTO t VALUES (3, 30)", "UPDATE t SET v = 11 WHERE k = 1", "DELETE FROM t WHERE k = 2"
    )
    first = client.execute("FETCH NEXT FROM c")
    assert [d.name for d in first.description or ()] == ["k", "v", "op", "rw_timestamp"]
    assert first.fetchall() == [(1, 10, "Insert", None)]
    assert fetch(client, "FETCH 3 FROM c") == [(2, 20, "Insert"), (3, 30, "Insert"), (1, 10, "UpdateDelete")]
    assert fetch(client, "FETCH 9 FROM c") == [(1, 11, "UpdateInsert"), (2, 20, "Delete")]
    assert fetch(client, "FETCH NEXT FROM c") == []
    client.execute("CLOSE c")
    with pytest.raises(psycopg.errors.InvalidCursorName):
        client.execute("FETCH NEXT FROM c")


def test_full_leaves_nothing_out_and_brings_nothing_twice(client: Client) -> None:
    client.execute("INSERT INTO t VALUES (3, 30)")  # in no barrier yet
    client.execute("DECLARE c SUBSCRIPTION CURSOR FOR s FULL")
    client.execute("FLUSH")
    assert fetch(client, "FETCH 9 FROM c") == [(1, 10, "Insert"), (2, 20, "Insert"), (3, 30, "Insert")]


def test_since(client: Client) -> None:
    change(client, "INSERT INTO t VALUES (4, 4)", "INSERT INTO t VALUES (5, 5)")
    client.execute("DECLARE b SUBSCRIPTION CURSOR FOR s SINCE begin()")
    client.execute("DECLARE n SUBSCRIPTION CURSOR FOR s SINCE now()")
    client.execute("DECLARE d SUBSCRIPTION CURSOR FOR s")
    change(client, "INSERT INTO t VALUES (6, 6)")
    rows = client.execute("FETCH 9 FROM b").fetchall()
    assert [r[0] for r in rows] == [4, 5, 6]
    assert fetch(client, "FETCH 9 FROM n") == fetch(client, "FETCH 9 FROM d") == [(6, 6, "Insert")]


@pytest.mark.parametrize("since", ["1", "18446744073709551615", "yesterday"])
def test_since_what_is_not_kept_is_refused(client: Client, since: str) -> None:
    with pytest.raises(psycopg.Error):
        client.execute(f"DECLARE c SUBSCRIPTION CURSOR FOR s SINCE {since}")
    assert client.execute("SHOW SUBSCRIPTION CURSORS").fetchall() == []


def test_fetch_waits_no_longer_than_it_is_told(client: Client) -> None:
    client.execute("DECLARE c SUBSCRIPTION CURSOR FOR s")
    assert fetch(client, "FETCH 9 FROM c WITH (timeout = '30ms')") == []
    change(client, "INSERT INTO t VALUES (3, 30)")
    assert fetch(client, "FETCH 9 FROM c WITH (timeout = '20s')") == [(3, 30, "Insert")]


def test_of_a_view(client: Client) -> None:
    client.execute("CREATE MATERIALIZED VIEW m AS SELECT v % 10 AS d, count(*) AS n FROM t GROUP BY v % 10")
    client.execute("CREATE SUBSCRIPTION sm FROM m WITH (retention = '1 hour')")
    client.execute("DECLARE c SUBSCRIPTION CURSOR FOR sm FULL")
    change(client, "INSERT INTO t VALUES (3, 30)")
    rows = fetch(client, "FETCH 9 FROM c")
    assert rows == [(0, 2, "Insert"), (0, 2, "UpdateDelete"), (0, 3, "UpdateInsert")]


def test_the_catalog_knows_them(client: Client) -> None:
    shown = client.execute(
        "SELECT name, definition, retention_seconds FROM rw_catalog.rw_subscriptions"
    ).fetchall()
    assert shown == [("s", "CREATE SUBSCRIPTION s FROM t WITH (retention = '1D')", 86400)]
    assert client.execute("SHOW SUBSCRIPTIONS").fetchall() == [("public.s",)]
    client.execute("ALTER SUBSCRIPTION s SET RETENTION TO '2D'")
    created = client.execute("SHOW CREATE SUBSCRIPTION s").fetchall()
    assert created == [("public.s", "CREATE SUBSCRIPTION s FROM t WITH (retention = '2D')")]
    with pytest.raises(psycopg.Error, match="other objects depend on it: s"):
        client.execute("DROP TABLE t")
    client.execute("DROP SUBSCRIPTION s")
    client.execute("DROP SUBSCRIPTION IF EXISTS s")
    client.execute("DROP TABLE t")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE SUBSCRIPTION x FROM t", "retention time not set"),
        ("CREATE SUBSCRIPTION x FROM t WITH (retention = 'soon')", "must be a positive interval"),
        ("CREATE SUBSCRIPTION s FROM t WITH (retention = '1D')", "exists"),
        ("DECLARE c SUBSCRIPTION CURSOR FOR nothing", "does not exist"),
        ("FETCH NEXT FROM nothing WITH (timeout = '1s')", "does not exist"),
    ],
)
def test_refusals(client: Client, statement: str, said: str) -> None:
    with pytest.raises(psycopg.Error, match=said):
        client.execute(statement)
