"""rw_relation_storage and rw_table_stats say what relations take, to any role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.flow import statistics
from engine.flow.statistics import LOG_PAGES, shorten_logs
from tests.support.flow import FlowUnderTest
from tests.support.processes import wait_until

STORAGE = "SELECT * FROM rw_catalog.rw_relation_storage"


def storage(client: psycopg.Connection[Any]) -> dict[str, Any]:
    cursor = client.execute(STORAGE)
    names = [c.name for c in cursor.description or ()]
    return {row[1]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}


def test_rows_and_bytes_of_relations(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (k int PRIMARY KEY, v int)")
    engine.view("grouped", "SELECT v, count(*) AS n FROM t GROUP BY v")
    engine.view("kept", "SELECT k, v FROM t WHERE v > 1")
    engine.ddl("CREATE INDEX kept_v ON kept (v)", "CREATE VIEW plain AS SELECT k FROM t")
    before = storage(engine.client)
    assert set(before) == {"t", "grouped", "kept"}
    engine.run("INSERT INTO t SELECT i, i % 10 FROM generate_series(1, 2000) AS i")
    assert storage(engine.client)["t"]["changelog_bytes"] > before["t"]["changelog_bytes"]
    engine.barrier()
    engine.flow.connection.execute("SELECT pg_stat_force_next_flush()")
    engine.client.execute("SELECT pg_stat_force_next_flush()")
    wanted = {"t": 2000, "grouped": 10, "kept": 1600}

    def rows() -> dict[str, int]:
        return {name: found["row_estimate"] for name, found in storage(engine.client).items()}

    wait_until(lambda: rows() == wanted, 10, f"PostgreSQL's statistics to say {wanted}")
    after = storage(engine.client)
    for name in ("t", "kept"):
        assert after[name]["state_bytes"] > before[name]["state_bytes"]
        assert after[name]["index_bytes"] > before[name]["index_bytes"]
    assert after["kept"]["relation_type"] == "materialized view"
    stats = engine.rows("SELECT id, total_key_count, total_value_size FROM rw_catalog.rw_table_stats")
    assert (after["kept"]["id"], 1600, after["kept"]["state_bytes"]) in stats


def test_what_waits_for_a_sink(engine: FlowUnderTest, tmp_path: Path) -> None:
    """Its log; nobody delivers here."""
    engine.ddl(
        "CREATE TABLE t (k int) APPEND ONLY",
        f"CREATE SINK s FROM t WITH (connector = 'fs', fs.path = '{tmp_path}', force_append_only = 'true') "
        "FORMAT PLAIN ENCODE JSON",
    )
    before = storage(engine.client)["s"]
    engine.settle("INSERT INTO t SELECT generate_series(1, 1000)")
    after = storage(engine.client)["s"]
    assert after["relation_type"] == "sink"
    assert after["changelog_bytes"] > before["changelog_bytes"]
    assert after["state_bytes"] == before["state_bytes"] == 0


def test_the_dashboard_may_read_it(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (k int PRIMARY KEY)")
    with psycopg.connect(engine.server.dsn("dashboard", engine.database), autocommit=True) as client:
        assert set(storage(client)) == {"t"}


def test_a_long_log_of_changes_is_handed_back(engine: FlowUnderTest) -> None:
    """Each barrier reads the log as a whole: what was once in it must not cost for ever."""
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY)")
    (table,) = engine.flow.catalog.of_kind("table")
    pages = f"SELECT pg_relation_size('engine.changes_{table.id}') / 8192"

    def length() -> int:
        row = engine.flow.connection.execute(pages).fetchone()
        assert row is not None
        return int(row[0])

    engine.settle("INSERT INTO t SELECT * FROM generate_series(1, 10000)")
    assert length() > LOG_PAGES
    engine.flow.connection.execute("SELECT pg_stat_force_next_flush()")
    with psycopg.connect(engine.server.dsn(dbname=engine.database), autocommit=True) as beside:
        wait_until(lambda: not shorten_logs(beside), 10, "the log to be short")
    assert length() <= LOG_PAGES
    engine.settle("INSERT INTO t VALUES (0)")
    assert engine.rows("SELECT count(*) FROM t") == [(10001,)]


def test_statistics_of_what_was_dropped_meanwhile_are_no_matter(
    engine: FlowUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        statistics, "_GROWN", "SELECT name FROM (VALUES ('state_0_0'), ('barrier')) AS t (name) WHERE %s > 0"
    )
    with psycopg.connect(engine.server.dsn(dbname=engine.database), autocommit=True) as listener:
        assert statistics.analyze_grown(listener) == 2
        rows = listener.execute("SELECT reltuples FROM pg_class WHERE oid = 'engine.barrier'::regclass")
        assert rows.fetchone() == (1,)
