"""State of older versions goes on with this one; state of a newer one, or an upgrade that fails, is left as it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from engine import state
from engine.catalog import versions
from engine.catalog.upgrades import STEPS, Step
from engine.flow.barrier import Flow
from engine.flow.statements import Statements
from engine.layout import Layout
from tests.support.postgres import PostgresServer

DUMPS = {n: (Path(__file__).parent / f"version_{n}.sql").read_text(encoding="utf-8") for n in (1, 2)}
LATER = datetime(2026, 1, 1, 0, 45, tzinfo=UTC)

STRUCTURE = """
SELECT c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    pg_get_expr(d.adbin, d.adrelid)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace IN ('engine'::regnamespace, 'rw_catalog'::regnamespace)
    AND c.relname !~ '[0-9]{4}' AND c.relname <> 'by_device'
ORDER BY 1, a.attnum
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'engine'::regnamespace AND conrelid::regclass::text !~ '[0-9]{4}' ORDER BY 1, 2
"""
FUNCTIONS = """
SELECT proname, prosrc, pronamespace::regnamespace::text FROM pg_proc
WHERE pronamespace IN ('engine'::regnamespace, 'rw_catalog'::regnamespace) AND proname !~ '[0-9]{4}' ORDER BY 1
"""


def restore(database: str, version: int) -> str:
    """Fill a new database with what that version left."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(DUMPS[version].encode())
    return database


@pytest.fixture
def old(database: str) -> str:
    """A database as version 1 left it."""
    return restore(database, 1)


@pytest.fixture
def connection(old: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(old, autocommit=True) as opened:
        yield opened


def as_root(postgres: PostgresServer, database: str) -> psycopg.Connection[tuple[object, ...]]:
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    return psycopg.connect(postgres.dsn("root", str(name)), autocommit=True)


def test_every_version_leads_to_the_newest() -> None:
    assert [step.source for step in STEPS] == list(range(1, versions.VERSION))
    assert versions.VERSION == state.STATE_VERSION


def test_views_of_version_1_go_on(old: str, postgres: PostgresServer) -> None:
    flow = Flow.open(old, lambda: LATER)
    try:
        with as_root(postgres, old) as client:
            assert versions.version(flow.connection) == versions.VERSION
            flow.barrier()  # takes the change that waited
            rows = client.execute("SELECT site, samples, total FROM by_site ORDER BY site").fetchall()
            assert rows == [("north", 2, 4.0), ("south", 2, 12.0)]
            client.execute("INSERT INTO samples VALUES ('d5', 'south', 0.5, '2026-01-01 00:40:00+00')")
            flow.barrier()
            assert client.execute("SELECT total FROM by_site WHERE site = 'south'").fetchall() == [(12.5,)]
            assert client.execute("SELECT region FROM enriched WHERE device = 'd5'").fetchall() == [("B",)]
            assert client.execute("SELECT site FROM busy ORDER BY site").fetchall() == [
                ("north",),
                ("south",),
            ]
            flow.clock = lambda: LATER + timedelta(minutes=20)
            flow.barrier()
            assert client.execute("SELECT device FROM recent ORDER BY device").fetchall() == [
                ("d2",), ("d3",), ("d4",), ("d5",),
            ]  # fmt: skip
            assert client.execute("SELECT name FROM rw_catalog.rw_relation_storage").fetchall()
            Statements(flow).execute("CREATE MATERIALIZED VIEW new AS SELECT count(*) AS n FROM samples")
            Statements(flow).execute("DROP MATERIALIZED VIEW by_site CASCADE")
            assert client.execute("SELECT n FROM new").fetchall() == [(5,)]
    finally:
        flow.connection.close()


def test_views_of_version_2_go_on(database: str, postgres: PostgresServer) -> None:
    flow = Flow.open(restore(database, 2), lambda: LATER)
    try:
        with as_root(postgres, database) as client:
            assert versions.version(flow.connection) == versions.VERSION
            flow.barrier()  # takes the change that waited
            totals = "SELECT site, samples, total, highest FROM by_site ORDER BY site"
            assert client.execute(totals).fetchall() == [("north", 2, 4.0, 2.5), ("south", 2, 12.0, 8.0)]
            client.execute("UPDATE sites SET region = 'C' WHERE site = 'south'")
            client.execute("INSERT INTO samples VALUES ('d5', 'south', 0.5, '2026-01-01 00:40:00+00')")
            flow.barrier()
            regions = "SELECT device, region FROM enriched ORDER BY device"
            assert client.execute(regions).fetchall() == [
                ("d1", "A"), ("d2", "A"), ("d3", "C"), ("d4", "C"), ("d5", "C"),
            ]  # fmt: skip
            kept = "SELECT device, region FROM at_arrival ORDER BY device"
            assert client.execute(kept).fetchall()[2:] == [("d3", "B"), ("d4", "B"), ("d5", "C")]
            assert client.execute("SELECT device FROM top ORDER BY value").fetchall() == [("d3",), ("d4",)]
            assert client.execute("SELECT samples FROM copied ORDER BY site").fetchall() == [(2,), (3,)]
            described = client.execute("SELECT description FROM rw_catalog.rw_description").fetchall()
            assert described == [("samples of each site",)]
            Statements(flow).execute("ALTER MATERIALIZED VIEW by_site RENAME TO of_site")
            Statements(flow).execute("DROP TABLE samples CASCADE")
            assert client.execute("SELECT site FROM copied ORDER BY site").fetchall() == [
                ("north",),
                ("south",),
            ]
    finally:
        flow.connection.close()


@pytest.mark.parametrize("version", sorted(DUMPS))
def test_an_upgraded_catalog_is_a_new_one(database: str, postgres: PostgresServer, version: int) -> None:
    questions = [STRUCTURE.encode(), CONSTRAINTS.encode(), FUNCTIONS.encode()]
    with psycopg.connect(restore(database, version), autocommit=True) as connection:
        versions.bring_up_to_date(connection)
        upgraded = [connection.execute(question).fetchall() for question in questions]
        name = f"{connection.info.dbname}_new"
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            with psycopg.connect(postgres.dsn(dbname=name), autocommit=True) as fresh:
                versions.bring_up_to_date(fresh)
                assert [fresh.execute(question).fetchall() for question in questions] == upgraded
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_an_upgrade_that_fails_leaves_the_old_version(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    def fails(opened: psycopg.Connection[tuple[object, ...]]) -> None:
        STEPS[0].apply(opened)
        opened.execute("DELETE FROM engine.objects")

    before = connection.execute(STRUCTURE.encode()).fetchall()
    with pytest.raises(versions.VersionError, match="from version 1 to 2 failed, and nothing of it was done"):
        versions.bring_up_to_date(connection, [Step(1, fails)])  # objects are referred to
    assert versions.version(connection) == 1
    assert connection.execute(STRUCTURE.encode()).fetchall() == before
    versions.bring_up_to_date(connection)
    assert versions.version(connection) == versions.VERSION


def test_a_newer_database_is_refused(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    versions.bring_up_to_date(connection)
    connection.execute("UPDATE engine.version SET version = 99")
    with pytest.raises(versions.VersionError, match="of version 99, this engine knows up to") as raised:
        versions.bring_up_to_date(connection)
    assert "a newer one" in str(raised.value.hint)


def test_the_visible_schema_is_made_anew_when_its_text_changed(
    connection: psycopg.Connection[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions.bring_up_to_date(connection)

    def oid() -> object:
        return connection.execute("SELECT 'rw_catalog'::regnamespace::oid").fetchone()

    made = oid()
    versions.bring_up_to_date(connection)
    assert oid() == made
    added = "CREATE VIEW rw_catalog.rw_test AS SELECT 1 AS one;"
    monkeypatch.setattr(versions, "VISIBLE", versions.VISIBLE + added)
    versions.bring_up_to_date(connection)
    assert connection.execute("SELECT one FROM rw_catalog.rw_test").fetchall() == [(1,)]
    assert connection.execute("SELECT has_table_privilege('dashboard', 'rw_catalog.rw_test', 'select')").fetchone() == (
        True,
    )  # fmt: skip


def test_a_directory_of_version_1_is_claimed_and_then_marked(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    state.write_atomically(layout.version_path, {"state_version": 1, "postgres_major": 18, "engine": "0.1.0"})
    lock = state.claim(layout, minimum_free_bytes=0)
    assert (state.read_json(layout.version_path) or {})[
        "state_version"
    ] == 1  # until the database is upgraded
    state.record_version(layout)
    assert (state.read_json(layout.version_path) or {})["state_version"] == state.STATE_VERSION
    os.close(lock)


def test_a_directory_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    state.write_atomically(layout.version_path, {"state_version": 99, "postgres_major": 18, "engine": "9.0"})
    with pytest.raises(state.StateError, match="state_version 99") as raised:
        state.claim(layout, minimum_free_bytes=0)
    assert "a newer one" in str(raised.value.hint)
