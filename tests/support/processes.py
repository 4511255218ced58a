"""What runs, and waiting for it with a bound."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")
_PROC = Path("/proc/self/stat").exists()


def wait_until(condition: Callable[[], _T], timeout_s: float = 10.0, what: str = "") -> _T:
    """Poll until the condition is true, and return what it gave; fails the test after the time-out."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what or condition}"
        time.sleep(0.02)
    return result


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    if _PROC:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
        except OSError:
            return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


def processes_of(data_dir: Path) -> dict[int, str]:
    """Pid and command line of every process that names the directory, or works in it (as backends do)."""
    found = {}
    if not _PROC:
        listed = subprocess.check_output(["ps", "-axo", "pid=,command="], text=True)
        rows = (line.split(maxsplit=1) for line in listed.splitlines())
        return {int(row[0]): row[1] for row in rows if str(data_dir) in row[-1]}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            inside = (entry / "cwd").readlink().is_relative_to(data_dir)
        except OSError:
            continue
        if (inside or str(data_dir) in command) and alive(int(entry.name)):
            found[int(entry.name)] = command
    return found


def listens(port: int) -> bool:
    """Whether something accepts connections on the port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
