"""The product's pipeline for longer than it keeps rows: state stays bounded, and every message stays accounted for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tailrace import config, migrate
from tailrace.topics import create_topics
from tailrace.up import figures
from tailrace.verify.recount import recount
from tests.support.broker import BrokerProcess
from tests.support.engine import running_engine
from tests.support.processes import wait_until

ROOT = Path(__file__).parents[2]
KEPT_S = 3
EXPIRING = ("messages", "readings", "duplicates", "readings_10s", "device_activity_10s", "rejects")


@pytest.mark.slow
def test_counts_hold_while_rows_expire(tmp_path: Path) -> None:
    directory = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", directory)
    shortened = 0
    for path in (directory / "versions").glob("*.py"):
        text, count = re.subn(r"retention_seconds = \d+", f"retention_seconds = {KEPT_S}", path.read_text())
        path.write_text(text)
        shortened += count
    assert shortened >= len(EXPIRING)
    with BrokerProcess(tmp_path) as broker, running_engine(tmp_path / "state") as server:
        create_topics(broker.bootstrap)
        variables = {"TAILRACE_KAFKA_FOR_ENGINE": broker.bootstrap}
        migrate.upgrade(server.url, variables=variables, directory=directory)
        command = [sys.executable, "-m", "loader", "--bootstrap", broker.bootstrap, "--devices", "40"]
        command += ["--rate", "300", "--duration", f"{3 * KEPT_S}", "--duplicate-share", "0.02"]
        started = time.monotonic()
        subprocess.run(command, check=True, capture_output=True, timeout=90)
        assert time.monotonic() - started > 2 * KEPT_S
        topic = recount(broker.bootstrap, config.READINGS.name)
        with figures.connect(server.url) as client:
            wait_until(lambda: figures.read_stages(client)["messages"] == topic.messages, 60, "all messages")

            def held() -> dict[str, int]:
                return {name: figures.read_views(client)[name] for name in EXPIRING}

            assert held()["messages"] < topic.messages  # the first have gone already
            wait_until(lambda: not any(held().values()), 60, "the last rows to expire")
            counts = figures.read_counts(client)
            latest = client.execute("SELECT count(*) FROM latest_readings").fetchone()
        assert topic.messages > 1_500
        assert topic.duplicates > 10
        assert counts.messages == topic.messages
        assert counts.ingested == topic.valid
        assert counts.duplicates == topic.duplicates
        assert counts.rejects == dict(topic.rejects)
        assert latest is not None
        assert latest[0] > 100
        _nothing_is_left(server.layout.dsn())


def _nothing_is_left(dsn: str) -> None:
    """Also what operators remember is gone, from every table that has an age."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        tables = connection.execute(
            "SELECT attrelid::regclass::text FROM pg_attribute WHERE attname = '_written' "
            "AND attrelid IN (SELECT oid FROM pg_class WHERE relkind = 'r')"
        ).fetchall()
        assert len(tables) > len(EXPIRING)
        for (table,) in tables:
            assert connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (0,), table
