"""The ground to stand on: free ports, enough disk, a data directory of this version that nobody else uses.

Job: find out before anything starts, and say which option or cure helps. Assumes nothing of the directory.
Caller: the launcher. The directory's `state.json` remembers what the next `up` must know: the format, the
broker's port (the source's definition holds it), and the seed of the fleet.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

import orjson
import psutil  # type: ignore[import-untyped]

from tailrace import config
from tailrace.up.errors import UpError

ENDING_S = 45.0
"""More than the longest grace of a component."""


def choose_port(port: int, option: str, purpose: str, *, host: str = config.HOST) -> int:
    """`port` if it is free, any free one for 0. Raises UpError naming `option` when it is taken."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise UpError(
                    f"the {purpose} cannot listen on {host}",
                    detail=error.strerror or str(error),
                    hint="give an address of this machine, or 0.0.0.0 for all of them",
                ) from error
            raise UpError(
                f"port {port} is {'taken' if error.errno == errno.EADDRINUSE else 'not allowed'}:"
                f" the {purpose} cannot listen on it",
                detail=f"{host}:{port}: {error.strerror}",
                hint=f"stop what listens there, or choose another port: {option} {_suggestion(port)}",
            ) from error
        return int(probe.getsockname()[1])


def _suggestion(port: int) -> int:
    return port + 10_000 if port < 50_000 else 0


def wait_for_predecessor(
    directory: Path,
    *,
    timeout_s: float = ENDING_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until what a killed `up` had started on `directory` has ended, which its guards see to at once.

    Assumes that we hold the directory: whatever still runs on it is on its way out, and holds ports and
    locks until then. Raises UpError after `timeout_s`.
    """
    until = clock() + timeout_s
    while guards := _guards_on(directory):
        if clock() > until:
            pids = " ".join(str(pid) for pid in guards)
            raise UpError(
                f"what an earlier `tailrace up` started on {directory} has not ended within {timeout_s:g} s",
                detail=f"process ids of its guards: {pids}",
                hint=f"end it: kill {pids}",
            )
        sleep(0.02)


def _guards_on(directory: Path) -> list[int]:
    """Guards of components whose command line names the directory or something in it."""
    inside = f"{directory}{os.sep}"
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if (words := process.info["cmdline"] or ())
        and "tailrace.guard" in words
        and any(word == str(directory) or word.startswith(inside) for word in words)
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def check_disk(directory: Path, *, needed_bytes: int = config.MIN_FREE_BYTES) -> None:
    """Raise UpError when the disk that holds `directory` has less than `needed_bytes` free."""
    free = shutil.disk_usage(directory).free
    if free < needed_bytes:
        raise UpError(
            f"too little disk at {directory}",
            detail=f"wanted {needed_bytes / 2**30:.1f} GiB free, got {free / 2**30:.2f} GiB",
            hint="free some space, or put the data on another disk with --data-dir",
        )


@dataclass(frozen=True, slots=True)
class State:
    """What one `up` leaves for the next one on the same directory."""

    format: int = config.DATA_FORMAT
    broker_port: int | None = None
    seed: int | None = None
    runs: int = 0


class DataDir:
    """The data directory, locked for this process until `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self.engine = self.path / "engine"
        self.broker = self.path / "broker"
        self.summary = self.path / "loader-summary.json"
        self._state_file = self.path / "state.json"
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UpError(
                f"the data directory {self.path} cannot be written",
                detail=str(error),
                hint="choose another one with --data-dir",
            ) from error
        self._lock = self._take_lock()
        try:
            self.state = self._read_state()
        except UpError:
            self.close()
            raise

    @property
    def is_new(self) -> bool:
        """No `up` has come to its end of starting here."""
        return self.state.runs == 0

    def remember(self, **changes: int) -> None:
        """Write the state with `changes`, so that a crash leaves the old or the new one."""
        self.state = replace(self.state, **changes)
        beside = self._state_file.with_suffix(".new")
        beside.write_bytes(orjson.dumps(asdict(self.state), option=orjson.OPT_INDENT_2))
        beside.replace(self._state_file)

    def close(self) -> None:
        """Let another `up` use the directory."""
        self._lock.close()

    def _take_lock(self) -> IO[str]:
        lock = (self.path / "lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip()
            lock.close()
            raise UpError(
                f"another `tailrace up` uses {self.path}",
                detail=f"its process id is {holder}" if holder else None,
                hint="stop it first, or choose another directory with --data-dir (and other ports)",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return lock

    def _read_state(self) -> State:
        if not self._state_file.exists():
            if self.engine.exists():
                raise self._foreign("it holds an engine but no state.json")
            return State()
        try:
            found = orjson.loads(self._state_file.read_bytes())
            version = found["format"]
        except (ValueError, KeyError, TypeError):
            raise self._foreign("its state.json cannot be read") from None
        if version != config.DATA_FORMAT:
            raise UpError(
                f"the data in {self.path} is of another version",
                detail=f"wanted format {config.DATA_FORMAT}, got {version}",
                hint="use the Tailrace that made it, remove the directory, or choose another: --data-dir",
            )
        known = {name: found[name] for name in State.__dataclass_fields__ if name in found}
        return State(**known)

    def _foreign(self, why: str) -> UpError:
        return UpError(
            f"{self.path} is not a data directory of this version",
            detail=why,
            hint="remove it, or choose another one with --data-dir",
        )
