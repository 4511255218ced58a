"""kill -9 of flow, wire and PostgreSQL in turn, under load: nothing is lost and nothing comes twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from loader.fleet import Fleet
from tailrace import migrate
from tailrace.topics import Topic, create_topics
from tests.support.engine import EngineServer, running_engine
from tests.support.processes import wait_until

DEVICES, RATE, SECONDS = 100, 1_500, 12


def _counts(url: str) -> dict[str, int]:
    with psycopg.connect(url, autocommit=True) as connection:
        return dict(connection.execute("SELECT stage, rows FROM pipeline_counts").fetchall())


def _counts_or_nothing(url: str) -> dict[str, int]:
    try:
        return _counts(url)
    except psycopg.Error:
        return {}


def _kill(engine: EngineServer, name: str) -> None:
    """kill -9, then wait until another process has taken its place and the views go on."""
    pid = engine.pid(name)
    assert pid is not None
    before = _counts(engine.url)["messages"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: engine.pid(name) not in (None, pid), 30)
    wait_until(lambda: _counts_or_nothing(engine.url).get("messages", 0) > before, 30)


@pytest.mark.timeout(170)
def test_kills_under_load_lose_nothing_and_repeat_nothing(tmp_path: Path, broker: str) -> None:
    topic = f"telemetry.kill.{tmp_path.name}"
    truth = f"{topic}.truth"
    alerts = f"{topic}.alerts"
    create_topics(broker, [Topic(topic, 3), Topic(truth, 1), Topic(alerts, 1)])
    summary_path = tmp_path / "summary.json"
    with running_engine(tmp_path / "engine") as engine:
        variables = {"TAILRACE_KAFKA_FOR_ENGINE": broker, "TAILRACE_READINGS_TOPIC": topic}
        variables["TAILRACE_ALERTS_TOPIC"] = alerts
        migrate.upgrade(engine.url, variables=variables)
        fleet = Fleet(devices=DEVICES, seed=11)
        with psycopg.connect(engine.url, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO devices VALUES (%s, %s, %s)", [tuple(r) for r in fleet.device_rows()]
            )
        load = [sys.executable, "-m", "loader", "--bootstrap", broker, "--devices", str(DEVICES)]
        load += ["--rate", str(RATE), "--duration", str(SECONDS), "--seed", "11", "--topic", topic]
        load += ["--truth-topic", truth, "--summary", str(summary_path)]
        with subprocess.Popen(load, stdout=subprocess.DEVNULL) as loader:
            wait_until(lambda: _counts(engine.url)["messages"] > RATE, 30)
            for name in ("flow", "wire", "delivery", "postgres"):
                if loader.poll() is None:
                    _kill(engine, name)
            assert loader.wait(60) == 0
        produced = json.loads(summary_path.read_text())["produced"]
        wait_until(lambda: _counts_or_nothing(engine.url).get("messages") == produced, 40)
        counts = _counts(engine.url)
        assert counts["messages"] == counts["readings"] + counts["rejects"] + counts["duplicates"]
        acknowledged = json.loads(summary_path.read_text())["acknowledged_by_kind"]
        assert counts["readings"] == acknowledged["valid"]
        assert counts["duplicates"] == acknowledged["duplicates"]
        with psycopg.connect(engine.url, autocommit=True) as connection:
            twice = connection.execute(
                "SELECT count(*) FROM (SELECT 1 FROM messages GROUP BY kafka_partition, kafka_offset HAVING count(*) > 1) t"
            ).fetchone()
            windows = connection.execute(
                "SELECT sum(samples), (SELECT count(*) FROM readings) FROM readings_10s"
            ).fetchone()
            batch = connection.execute(
                "SELECT count(*) FROM readings_10s w JOIN (SELECT device_id, metric, window_start, count(*) AS samples, "
                "min(value) AS low, max(value) AS high FROM TUMBLE(readings, ts, INTERVAL '10 seconds') "
                "GROUP BY device_id, metric, window_start) b USING (device_id, metric, window_start) "
                "WHERE (w.samples, w.minimum, w.maximum) IS DISTINCT FROM (b.samples, b.low, b.high)"
            ).fetchone()
        assert twice == (0,)
        assert windows is not None and windows[0] == windows[1]
        assert batch == (0,)
