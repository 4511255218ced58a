"""`tailrace backup` under load and `tailrace restore`: what was committed is there, everything adds up, and it goes on."""

from __future__ import annotations

import gzip
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from tailrace.config import READINGS
from tailrace.verify.recount import recount
from tests.support.processes import free_port, processes_of, wait_until


def tailrace(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tailrace", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "300", "NO_COLOR": "1"},
    )


@dataclass
class Up:
    """A running `tailrace up` without dashboard; `ports` are the broker's and the SQL side's."""

    data_dir: Path
    ports: tuple[int, int]
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @classmethod
    def start(cls, data_dir: Path, ports: tuple[int, int], *arguments: str) -> Up:
        broker, engine = map(str, ports)
        command = ["up", "--data-dir", str(data_dir), "--broker-port", broker, "--sql-port", engine]
        command += ["--no-dashboard", "--devices", "50", "--rate", "400", *arguments]
        process = subprocess.Popen(
            [sys.executable, "-m", "tailrace", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        up = cls(data_dir, ports, process)
        threading.Thread(target=up._read, daemon=True).start()
        return up

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self.lines += (line.rstrip("\n") for line in lines)

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in "\n".join(self.lines) or self.process.poll() is not None, 120, text)
        assert text in "\n".join(self.lines), "\n".join(self.lines)

    def stages(self) -> dict[str, int]:
        url = f"postgresql://root@127.0.0.1:{self.ports[1]}/dev"
        with psycopg.connect(url, autocommit=True) as connection:
            return dict(connection.execute("SELECT stage, rows FROM pipeline_counts").fetchall())

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        wait_until(lambda: not processes_of(self.data_dir), 45, f"nothing to be left of {self.data_dir}")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[list[Up]]:
    started: list[Up] = []
    yield started
    for up in started:
        up.end()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_backed_up_under_load_it_goes_on_elsewhere(tmp_path: Path, running: list[Up]) -> None:
    ports = (free_port(), free_port())
    first = Up.start(tmp_path / "first", ports)
    running.append(first)
    first.wait_for("ready after")
    wait_until(lambda: first.stages()["messages"] > 800, 60, "readings")
    before = first.stages()
    file = tmp_path / "copy.tailrace"
    done = tailrace("backup", str(file), "--data-dir", str(first.data_dir))
    assert done.returncode == 0, done.stderr
    after = first.stages()
    first.end()

    restored = tmp_path / "second"
    done = tailrace("restore", str(file), "--data-dir", str(restored))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "second.partial").exists()
    second = Up.start(restored, ports, "--duration", "4", "--keep-going")
    running.append(second)
    second.wait_for("The load is over")
    report: dict[str, Any] = orjson.loads((restored / "report.json").read_bytes())
    assert report["reconciled"], report["problems"]
    held = report["views_before"]["messages"]
    assert before["messages"] <= held  # all that was committed when it began
    assert held <= after["messages"] + 10_000  # and no more than the topics had when it ended
    whole = recount(f"127.0.0.1:{ports[0]}", READINGS.name)
    now = second.stages()
    assert now["messages"] == whole.messages == held + report["produced"]
    assert now["readings"] == whole.valid
    assert now["rejects"] == whole.rejected
    assert now["duplicates"] == whole.duplicates


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that ran once, and its back-up `copy.tailrace` beside it, taken while nothing ran."""
    folder = tmp_path_factory.mktemp("stopped")
    up = Up.start(folder / "data", (free_port(), free_port()), "--duration", "2")
    try:
        assert up.process.wait(120) == 0, "\n".join(up.lines)
    finally:
        up.end()
    done = tailrace("backup", str(folder / "copy.tailrace"), "--data-dir", str(folder / "data"))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_a_stopped_directory_goes_on_elsewhere_too(stopped: Path, tmp_path: Path, running: list[Up]) -> None:
    report: dict[str, Any] = orjson.loads((stopped / "data" / "report.json").read_bytes())
    port = orjson.loads((stopped / "data" / "state.json").read_bytes())["broker_port"]
    done = tailrace("restore", str(stopped / "copy.tailrace"), "--data-dir", str(tmp_path / "again"))
    assert done.returncode == 0, done.stderr
    up = Up.start(tmp_path / "again", (port, free_port()), "--no-loader")
    running.append(up)
    up.wait_for("ready after")
    assert up.stages()["messages"] == report["produced"]


def test_nothing_is_overwritten(stopped: Path, tmp_path: Path) -> None:
    file = stopped / "copy.tailrace"
    size = file.stat().st_size
    refused = tailrace("backup", str(file), "--data-dir", str(stopped / "data"))
    assert refused.returncode == 1
    assert "exists" in refused.stderr
    assert file.stat().st_size == size
    refused = tailrace("restore", str(file), "--data-dir", str(stopped / "data"))
    assert refused.returncode == 1
    assert "exists and is not empty" in refused.stderr


def test_a_file_that_was_cut_or_changed_restores_nothing(stopped: Path, tmp_path: Path) -> None:
    whole = (stopped / "copy.tailrace").read_bytes()
    cut = tmp_path / "cut"
    cut.write_bytes(whole[: len(whole) // 2])
    damaged = tmp_path / "damaged"
    middle = len(whole) // 2
    damaged.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    for file in (cut, damaged):
        refused = tailrace("restore", str(file), "--data-dir", str(tmp_path / "target"))
        assert refused.returncode == 1
        assert "cannot be restored" in refused.stderr or "is not complete" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert not (tmp_path / "target").exists()
        assert not (tmp_path / "target.partial").exists()


def edited(source: Path, target: Path, change: dict[str, Any], leave_out: str = "") -> Path:
    """The back-up with its head changed, and without the members whose names contain `leave_out`."""
    with (
        tarfile.open(source) as old,
        gzip.open(target, "wb", 1) as raw,
        tarfile.open(fileobj=raw, mode="w") as new,
    ):
        for member in old:
            content = old.extractfile(member) if member.isreg() else None
            if leave_out and leave_out in member.name:
                continue
            if member.name == "tailrace-backup.json" and content is not None:
                head = orjson.loads(content.read())
                head["engine"].update(change.pop("engine", {}))
                data = orjson.dumps({**head, **change})
                member.size = len(data)
                content = io.BytesIO(data)  # type: ignore[assignment]
            new.addfile(member, content)
    return target


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 99}, "is of format 99, wanted 1"),
        ({"engine": {"state_version": 99}}, "its state_version is 99"),
        ({"engine": {"platform": "Plan9 mips"}}, "its platform is Plan9 mips"),
        ({"bytes": 1 << 60}, "too little disk"),
    ],
)
def test_what_does_not_fit_is_refused(
    stopped: Path, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    file = edited(stopped / "copy.tailrace", tmp_path / "edited", change)
    refused = tailrace("restore", str(file), "--data-dir", str(tmp_path / "target"))
    assert refused.returncode == 1
    assert told in refused.stderr
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_without_some_members_is_not_complete(stopped: Path, tmp_path: Path) -> None:
    file = edited(stopped / "copy.tailrace", tmp_path / "edited", {}, leave_out="broker/topics/")
    refused = tailrace("restore", str(file), "--data-dir", str(tmp_path / "target"))
    assert refused.returncode == 1
    assert "is not complete" in refused.stderr


def test_no_back_up_of_nothing(tmp_path: Path) -> None:
    refused = tailrace("backup", str(tmp_path / "file"), "--data-dir", str(tmp_path))
    assert refused.returncode == 1
    assert "is not a data directory" in refused.stderr
    assert list(tmp_path.iterdir()) == []
