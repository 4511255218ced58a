"""The command line: help, wrong options, and errors that name the cure."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tailrace.up.errors import UpError
from tailrace.up.options import Burst, Options, parse_burst, parse_size, parse_time


def tailrace(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tailrace", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "300", "NO_COLOR": "1"},
    )


def test_help_teaches() -> None:
    shown = tailrace("up", "--help")
    assert shown.returncode == 0
    for wanted in (
        "--burst",
        "--sql-url",
        "--data-dir",
        "--keep-going",
        "Examples",
        "tailrace up --duration 30",
    ):
        assert wanted in shown.stdout
    assert "migrate" in tailrace().stdout


def test_port_taken(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        port = str(holder.getsockname()[1])
        failed = tailrace("up", "--data-dir", str(tmp_path / "data"), "--broker-port", port)
    assert failed.returncode == 1
    assert f"port {port} is taken" in failed.stderr
    assert "--broker-port" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_state_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"format": 99}')
    failed = tailrace("up", "--data-dir", str(tmp_path))
    assert failed.returncode == 1
    assert "of another version" in failed.stderr
    assert "--data-dir" in failed.stderr


def test_no_engine_to_migrate() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    failed = tailrace("migrate", "status", "--sql-url", f"postgresql://root@127.0.0.1:{port}/dev")
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr


def test_history_needs_no_engine() -> None:
    shown = tailrace("migrate", "history")
    assert shown.returncode == 0
    assert "create source readings_raw" in shown.stdout


def test_burst() -> None:
    assert parse_burst("50000:15:10") == Burst(50_000, 15.0, 10.0)
    assert str(parse_burst("50000:15:2.5")) == "50000:15:2.5"


@pytest.mark.parametrize("text", ["", "50000", "50000:15", "x:1:2", "0:1:2", "5:1:0", "5:-1:2"])
def test_wrong_burst(text: str) -> None:
    with pytest.raises(UpError, match="is not a burst") as caught:
        parse_burst(text)
    assert "--burst 50000:15:10" in str(caught.value.hint)


def test_report_stands_in_the_data_directory_unless_told() -> None:
    assert Options().report_file == Path(".tailrace/report.json")
    assert Options(data_dir=Path("d")).report_file == Path("d/report.json")
    assert Options(report_path=Path("r.json")).report_file == Path("r.json")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("6h", 21_600), ("7d", 604_800)])
def test_times(text: str, seconds: int) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(("text", "size"), [("4096", 4096), ("500M", 500 << 20), ("10g", 10 << 30)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "6", "0h", "-1h", "1w", "1.5h"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UpError, match="is not a time") as raised:
        parse_time(text)
    assert "6h" in str(raised.value.hint)


@pytest.mark.parametrize("text", ["", "0", "1T", "-5M", "1.5G"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UpError, match="is not a size"):
        parse_size(text)


def test_an_address_to_serve_at_is_for_an_engine_of_ones_own(tmp_path: Path) -> None:
    elsewhere = ("--sql-url", "postgresql://root@127.0.0.1:1/dev")
    failed = tailrace(
        "up", "--data-dir", str(tmp_path / "data"), "--broker-port", "0", "--sql-host", "0.0.0.0", *elsewhere
    )
    assert failed.returncode == 1
    assert "started here" in failed.stderr
    assert "Traceback" not in failed.stderr
