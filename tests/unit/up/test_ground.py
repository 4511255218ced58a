"""Before anything starts: ports, disk, the data directory."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tailrace.up import ground
from tailrace.up.errors import UpError
from tailrace.up.ground import DataDir
from tests.support.processes import wait_until


def test_taken_port_names_its_option() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        port = holder.getsockname()[1]
        with pytest.raises(UpError, match=f"port {port} is taken") as caught:
            ground.choose_port(port, "--sql-port", "engine")
    assert "--sql-port" in str(caught.value.hint)


def test_any_free_port() -> None:
    assert ground.choose_port(0, "--sql-port", "engine") > 0


def test_too_little_disk(tmp_path: Path) -> None:
    with pytest.raises(UpError, match="too little disk") as caught:
        ground.check_disk(tmp_path, needed_bytes=1 << 60)
    assert "--data-dir" in str(caught.value.hint)
    ground.check_disk(tmp_path, needed_bytes=1)


def test_start_waits_for_what_a_killed_launcher_left(tmp_path: Path) -> None:
    """A guard that names the directory holds its ports and locks until its child has ended."""
    command = [
        sys.executable,
        "-m",
        "tailrace.guard",
        "--",
        sys.executable,
        "-c",
        "import time; time.sleep(60)",
    ]
    with subprocess.Popen([*command, str(tmp_path / "engine")], stdin=subprocess.PIPE) as guard:
        wait_until(lambda: ground._guards_on(tmp_path))
        waited: list[float] = []

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 3:
                guard.terminate()
                guard.wait(20)

        ground.wait_for_predecessor(tmp_path.with_name("other"), timeout_s=0)
        ground.wait_for_predecessor(tmp_path, sleep=sleep)
    assert len(waited) == 3


def test_start_gives_up_on_what_does_not_end(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tailrace.guard",
        "--",
        sys.executable,
        "-c",
        "import time; time.sleep(60)",
    ]
    with subprocess.Popen([*command, str(tmp_path)], stdin=subprocess.PIPE) as guard:
        wait_until(lambda: ground._guards_on(tmp_path))
        with pytest.raises(UpError, match="has not ended") as caught:
            ground.wait_for_predecessor(tmp_path, timeout_s=-1)
        assert str(guard.pid) in str(caught.value.hint)
        guard.terminate()


def test_new_directory_and_what_it_remembers(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "new")
    assert data.is_new
    data.remember(seed=7, broker_port=19092, runs=1)
    data.close()
    again = DataDir(tmp_path / "new")
    assert (again.is_new, again.state.seed, again.state.broker_port) == (False, 7, 19092)
    again.close()


def test_one_at_a_time(tmp_path: Path) -> None:
    first = DataDir(tmp_path)
    with pytest.raises(UpError, match="another `tailrace up`") as caught:
        DataDir(tmp_path)
    assert "process id" in str(caught.value.detail)
    first.close()
    DataDir(tmp_path).close()


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"runs": 1}'])
def test_state_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    with pytest.raises(UpError, match="not a data directory of this version") as caught:
        DataDir(tmp_path)
    assert "--data-dir" in str(caught.value.hint)


def test_another_version(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(orjson.dumps({"format": 99}))
    with pytest.raises(UpError, match="of another version") as caught:
        DataDir(tmp_path)
    assert caught.value.detail == "wanted format 1, got 99"
    with pytest.raises(UpError, match="of another version"):  # and the lock was given back
        DataDir(tmp_path)


def test_engine_without_state_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    with pytest.raises(UpError, match="not a data directory"):
        DataDir(tmp_path)


def test_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UpError, match="cannot be written"):
        DataDir(tmp_path / "file")
