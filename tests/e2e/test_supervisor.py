"""The supervisor: order, restarts and ends of the engine's processes, with stand-ins for flow and wire."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.layout import Layout
from engine.state import STATE_VERSION, write_atomically
from tests.support.processes import alive, free_port, processes_of, wait_until

READY = "engine ready: postgresql://root@127.0.0.1:"


def start(data_dir: Path, port: int = 0, failing: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.stand_in", str(data_dir), str(port), failing],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextmanager
def running(data_dir: Path, port: int = 0) -> Iterator[subprocess.Popen[str]]:
    """An engine that has said that it is ready; nothing of it may be left afterwards."""
    with start(data_dir, port) as engine:
        try:
            assert engine.stdout is not None
            line = engine.stdout.readline()
            assert line.startswith(READY), engine.communicate(timeout=20)
            yield engine
        finally:
            engine.terminate()
            engine.communicate(timeout=30)
    wait_until(lambda: not processes_of(data_dir), 5, f"end of {processes_of(data_dir)}")


def refused(data_dir: Path, port: int = 0, failing: str = "") -> str:
    """What an engine that cannot start says."""
    with start(data_dir, port, failing) as engine:
        out, err = engine.communicate(timeout=120)
    assert engine.returncode == 1
    assert out == ""
    assert "Traceback" not in err
    assert not processes_of(data_dir)
    return err


def status(data_dir: Path) -> dict[str, Any]:
    content = json.loads((data_dir / "engine.json").read_text())
    assert isinstance(content, dict)
    return content


def restarted(data_dir: Path, name: str, before: int) -> bool:
    pid = status(data_dir)[name]
    return pid is not None and pid != before


@contextmanager
def session(data_dir: Path) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(Layout(data_dir).dsn(), autocommit=True) as connection:
        connection.execute("SET synchronous_commit = on")
        yield connection


def sum_kept(data_dir: Path) -> int | None:
    """What the table holds; None while the server does not answer."""
    try:
        with session(data_dir) as connection:
            row = connection.execute("SELECT sum(a) FROM kept").fetchone()
    except psycopg.OperationalError:
        return None
    return None if row is None else int(row[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_in_order_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    layout = Layout(tmp_path / "state")
    with running(layout.data_dir) as engine:
        pids = status(layout.data_dir)
        assert pids["supervisor"] == engine.pid
        assert all(alive(pids[name]) for name in ("postgres", "flow", "delivery", "databases", "wire"))
        engine.send_signal(number)
        assert engine.wait(20) == 0
    assert (layout.data_dir / "stopped").read_text().split() == ["wire", "databases", "delivery", "flow"]
    log = (layout.log_dir / "postgres.log").read_text()
    assert "database system is shut down" in log
    assert not layout.status_path.exists()
    assert not layout.runtime_dir.exists()
    assert not layout.postgres_socket_dir.exists()


def test_killed_supervisor_leaves_nothing_and_can_be_followed_at_once(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port) as engine:
        with session(tmp_path) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS a")
        engine.kill()
    with running(tmp_path, port):
        assert sum_kept(tmp_path) == 42


def test_killed_parent_of_the_supervisor(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.stand_in", str(tmp_path), "0"]
    source = (
        "import subprocess, sys\n"
        f"guard = [sys.executable, '-m', 'tailrace.guard', '--grace', '20', '--', *{command!r}]\n"
        "subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True).wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith(READY)
        parent.kill()
        killed_at = time.monotonic()
    wait_until(lambda: not processes_of(tmp_path), 5, "end of the engine")
    assert time.monotonic() - killed_at < 5


@pytest.mark.parametrize("name", ["flow", "delivery", "databases", "wire"])
def test_killed_process_is_restarted(tmp_path: Path, name: str) -> None:
    with running(tmp_path):
        before = status(tmp_path)
        os.kill(before[name], signal.SIGKILL)
        wait_until(lambda: restarted(tmp_path, name, before[name]))
        others = {"postgres", "flow", "delivery", "databases", "wire"} - {name}
        assert all(status(tmp_path)[other] == before[other] for other in others)


def test_status_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """As on a full disk: processes come back all the same, and the file when it can be written again."""
    with running(tmp_path):
        before = status(tmp_path)
        path = tmp_path / "engine.json"
        path.unlink()
        path.mkdir()
        os.kill(before["flow"], signal.SIGKILL)
        wait_until(lambda: not alive(before["flow"]))
        wait_until(lambda: sum(" flow " in command for command in processes_of(tmp_path).values()) >= 2)
        path.rmdir()
        wait_until(path.exists)
        assert restarted(tmp_path, "flow", before["flow"])
        assert status(tmp_path)["postgres"] == before["postgres"]


def test_killed_guard_takes_its_process_along(tmp_path: Path) -> None:
    with running(tmp_path):
        before = status(tmp_path)["postgres"]
        (guard,) = (
            pid
            for pid, command in processes_of(tmp_path).items()
            if "tailrace.guard" in command and " -D " in command
        )
        os.kill(guard, signal.SIGKILL)
        wait_until(lambda: not alive(before), 5)
        wait_until(lambda: restarted(tmp_path, "postgres", before))


def test_committed_data_outlives_a_killed_postmaster(tmp_path: Path) -> None:
    with running(tmp_path):
        with session(tmp_path) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS a")
        for rows in (2, 3):
            with session(tmp_path) as connection:
                connection.execute("INSERT INTO kept VALUES (1)")
            postmaster = status(tmp_path)["postgres"]
            os.kill(postmaster, signal.SIGKILL)
            wait_until(lambda pid=postmaster: restarted(tmp_path, "postgres", pid))
            wait_until(lambda wanted=rows: sum_kept(tmp_path) == wanted, 20)


def test_committed_data_outlives_a_killed_backend(tmp_path: Path) -> None:
    with running(tmp_path):
        postmaster = status(tmp_path)["postgres"]
        with session(tmp_path) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS a")
            os.kill(connection.info.backend_pid, signal.SIGKILL)
        wait_until(lambda: sum_kept(tmp_path) == 1, 20)
        assert status(tmp_path)["postgres"] == postmaster


def test_second_engine_on_the_data_directory(tmp_path: Path) -> None:
    with running(tmp_path) as engine:
        with start(tmp_path) as second:
            _, err = second.communicate(timeout=20)
        assert second.returncode == 1
        assert f"another engine (pid {engine.pid}) uses the data directory {tmp_path}" in err
        assert "--data-dir" in err
        assert status(tmp_path)["supervisor"] == engine.pid


def test_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        err = refused(tmp_path, port)
    assert f"error: cannot listen on 127.0.0.1:{port}: Address already in use" in err
    assert "--port" in err
    assert not Layout(tmp_path).postgres_dir.exists()


def test_state_of_another_version(tmp_path: Path) -> None:
    write_atomically(tmp_path / "version.json", {"state_version": 99, "postgres_major": 18, "engine": "9.0"})
    err = refused(tmp_path)
    assert f"state_version 99, wanted {STATE_VERSION}" in err
    assert "--data-dir" in err


def test_process_that_never_becomes_ready(tmp_path: Path) -> None:
    """Each of them; the pauses between the attempts are waited for side by side."""
    names = ("flow", "delivery", "databases", "wire")
    with ThreadPoolExecutor(len(names)) as pool:
        said = list(pool.map(lambda name: refused(tmp_path / name, failing=name), names))
    for name, err in zip(names, said, strict=True):
        assert f"error: {name} ended with exit code 1 5 times in a row before it was ready" in err
        assert "the option --colour wants a colour" in err
        assert str(Layout(tmp_path / name).log_dir / f"{name}.log") in err


def test_help_teaches() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "engine", "--help"], capture_output=True, text=True, check=True, timeout=20
    )
    for word in ("--data-dir", "--port", "--host", "psql", "TAILRACE_POSTGRES_DSN", "engine.json"):
        assert word in result.stdout


def test_port_that_is_none() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "engine", "--data-dir", "x", "--port", "70000"],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert result.returncode == 2
    assert "wanted 0 to 65535" in result.stderr
