"""`tailrace up` as a user runs it: from nothing to a reconciled report, again on the same data, and nothing
left behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from tests.support.processes import free_port, processes_of, wait_until

READY = "ready after"


@dataclass
class Up:
    """A running launcher; `lines` grows with what it prints."""

    process: subprocess.Popen[str]
    data_dir: Path
    sql_port: int
    dashboard_port: int
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_ready(self) -> None:
        wait_until(
            lambda: READY in self.text or self.process.poll() is not None, 90, "the launcher to be ready"
        )
        assert READY in self.text, self.text

    def wait_end(self) -> int:
        return self.process.wait(120)

    def wait_gone(self) -> None:
        wait_until(lambda: not processes_of(self.data_dir), 45, f"nothing to be left of {self.data_dir}")

    def report(self) -> dict[str, Any]:
        document: dict[str, Any] = orjson.loads((self.data_dir / "report.json").read_bytes())
        return document


class Launch:
    """Starts launchers on free ports, always the same ones for one data directory; kills what is left."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.ports = [free_port() for _ in range(3)]
        self.started: list[Up] = []

    def __call__(self, *arguments: str) -> Up:
        names = ("--broker-port", "--sql-port", "--dashboard-port")
        ports = [text for name, port in zip(names, self.ports, strict=True) for text in (name, str(port))]
        command = [sys.executable, "-m", "tailrace", "up", "--data-dir", str(self.data_dir), *ports]
        process = subprocess.Popen(
            [*command, "--devices", "100", "--rate", "300", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        up = Up(process, self.data_dir, self.ports[1], self.ports[2])
        threading.Thread(target=self._read, args=(up,), daemon=True).start()
        self.started.append(up)
        return up

    @staticmethod
    def _read(up: Up) -> None:
        assert up.process.stdout is not None
        with up.process.stdout as lines:
            for line in lines:
                up.lines.append(line.rstrip("\n"))

    def end(self) -> None:
        for up in self.started:
            if up.process.poll() is None:
                up.process.kill()
            up.process.wait(10)
            up.wait_gone()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    launcher = Launch(tmp_path / "data")
    yield launcher
    launcher.end()


def count(port: int, query: str) -> int:
    with psycopg.connect(f"postgresql://root@127.0.0.1:{port}/dev", autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_runs_reconciles_and_goes_on(launch: Launch) -> None:
    first = launch("--duration", "7", "--seed", "7")
    assert first.wait_end() == 0, first.text
    report = first.report()
    assert report["reconciled"], report["problems"]
    assert report["produced"] == report["ingested"] + report["rejected"] + report["duplicates"] > 1_500
    assert report["produced"] == report["topic_recount"]["messages"] == report["views"]["messages"]
    assert report["freshness_ms"]["samples"] > 50
    assert 0 < report["freshness_ms"]["p50"] <= report["freshness_ms"]["p99"]
    assert set(report["rules"]) == {"threshold", "zscore", "stuck", "silent"}
    assert "reconciled" in first.text
    assert "produced/s" in first.text
    first.wait_gone()

    again = launch("--duration", "4", "--no-dashboard")
    assert again.wait_end() == 0, again.text
    later = again.report()
    assert later["reconciled"], later["problems"]
    assert later["seed"] == 7
    assert later["produced"] == later["topic_recount"]["messages"]
    assert later["views_before"]["messages"] == report["produced"]
    assert later["views"]["messages"] == report["produced"] + later["produced"]
    again.wait_gone()


def test_ctrl_c_ends_in_order_with_a_report(launch: Launch) -> None:
    up = launch()
    up.wait_ready()
    wait_until(lambda: count(up.sql_port, "SELECT count(*) FROM readings") > 200, 30, "readings")
    page = f"http://127.0.0.1:{up.dashboard_port}/_stcore/health"
    wait_until(lambda: _answers(page), 30, "the dashboard")
    up.process.send_signal(signal.SIGINT)
    assert up.wait_end() == 0, up.text
    assert up.report()["reconciled"]
    assert up.report()["loader"]["stopped_early"]
    up.wait_gone()


def test_kill_9_of_the_launcher_leaves_nothing(launch: Launch) -> None:
    """In the middle of its first start too: the directory is the launcher's own, and the next start goes on with it."""
    cut_off = launch("--no-dashboard")
    wait_until((cut_off.data_dir / "engine" / "postgres").exists, 30, "a half-made engine")
    cut_off.process.kill()
    cut_off.process.wait(10)
    cut_off.wait_gone()
    up = launch("--no-dashboard")
    up.wait_ready()
    wait_until(lambda: count(up.sql_port, "SELECT count(*) FROM readings") > 100, 30, "readings")
    assert len(processes_of(up.data_dir)) > 5
    up.process.kill()
    up.process.wait(10)
    up.wait_gone()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
