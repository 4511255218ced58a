"""The whole stack under test: `tailrace up` with its broker and engine, a loader and a witness; and what to do to it.

`tailrace up` runs without its own loader: the loader must outlive the launcher's death here, and be killed alone. Everything lies
in one directory; with `small_disks` broker and engine each get a file system of their own that can be made full.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from engine.flow.clock import VARIABLE
from engine.layout import Layout
from tailrace.config import DATA_FORMAT
from tests.chaos.load import Loader, Witness
from tests.chaos.sink import SinkTarget
from tests.chaos.topic import TopicTruth
from tests.support.processes import alive, free_port, processes_of, wait_until

READY = "ready after"
START_S = 90.0
GONE_S = 45.0
DISK_BYTES = 6 << 30
PARTS = ("broker", "engine")
_OF_ENGINE = ("flow", "wire", "postgres", "delivery")
Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Settings:
    """How big the stack is."""

    devices: int = 1000
    rate: int = 5000
    seed: int = 1


@dataclass
class Stack:
    """Started with `running`. `newest_ms` and what follows ask the views as a client does."""

    directory: Path
    settings: Settings
    small_disks: bool = False
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    up: subprocess.Popen[bytes] | None = None
    made_views: list[str] = field(default_factory=list)
    glanced: dict[int, int] = field(default_factory=dict)
    """Next offset by partition up to which the views were found right."""
    passed: bool = False
    """Set by `run`; otherwise what lies on the small disks is copied off them at the end."""

    def __post_init__(self) -> None:
        self.data.mkdir(parents=True)
        self.loader = Loader(
            self.directory, self.bootstrap, self.settings.devices, self.settings.rate, self.settings.seed
        )
        self.witness = Witness(self.bootstrap, f"{self.settings.seed}-{os.getpid()}")
        self.truth = TopicTruth(self.bootstrap)
        self.sink = SinkTarget(self.directory / "sink-target")

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    @property
    def url(self) -> str:
        return f"postgresql://root@127.0.0.1:{self.ports[1]}/dev"

    @property
    def layout(self) -> Layout:
        return Layout(self.data / "engine")

    @property
    def clock_file(self) -> Path:
        return self.directory / "clock-offset"

    # processes

    def start_up(self) -> None:
        """Start `tailrace up`; returns at once."""
        command = [
            sys.executable,
            "-m",
            "tailrace",
            "up",
            "--data-dir",
            str(self.data),
            "--no-loader",
            "--no-dashboard",
        ]
        command += ["--broker-port", str(self.ports[0]), "--sql-port", str(self.ports[1])]
        command += ["--devices", str(self.settings.devices), "--seed", str(self.settings.seed)]
        self._said = self._log_size()
        with (self.directory / "up.log").open("ab") as log:
            self.up = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1", VARIABLE: str(self.clock_file)},
            )

    def wait_up(self) -> None:
        """Until the launcher started last has said that all is ready."""
        up = self.up
        assert up is not None
        wait_until(
            lambda: READY in self._said_since() or up.poll() is not None, START_S, "the launcher's ready line"
        )
        assert READY in self._said_since(), f"tailrace up ended with code {up.poll()}:\n{self._said_since()}"

    def _log_size(self) -> int:
        path = self.directory / "up.log"
        return path.stat().st_size if path.exists() else 0

    def _said_since(self) -> str:
        with (self.directory / "up.log").open("rb") as log:
            log.seek(self._said)
            return log.read().decode(errors="replace")

    def pid(self, name: str) -> int | None:
        """Pid of launcher, engine, flow, wire, postgres, delivery, broker, monitor or loader; None while it is down."""
        if name == "loader":
            return self.loader.pid
        if name == "launcher":
            return self.up.pid if self.up is not None and self.up.poll() is None else None
        if name in (*_OF_ENGINE, "engine"):
            return self._pid_of_engine("supervisor" if name == "engine" else name)
        module = {"broker": "broker", "monitor": "tailrace.monitor"}[name]
        for pid, command in self._children():
            if command[1:3] == ["-m", module]:
                return pid
        return None

    def _pid_of_engine(self, name: str) -> int | None:
        try:
            pid = json.loads(self.layout.status_path.read_bytes()).get(name)
        except (OSError, ValueError):
            return None
        return pid if isinstance(pid, int) and alive(pid) else None

    def _children(self) -> Iterator[tuple[int, list[str]]]:
        if self.up is None:
            return
        with suppress(psutil.Error):
            for process in psutil.Process(self.up.pid).children(recursive=True):
                with suppress(psutil.Error):
                    yield process.pid, process.cmdline()

    def wait_pid(self, name: str, timeout_s: float = 60.0, not_pid: int | None = None) -> int:
        """The pid, as soon as there is one, and another one than `not_pid`."""
        found = wait_until(
            lambda: (pid := self.pid(name)) not in (None, not_pid) and pid, timeout_s, f"a running {name}"
        )
        assert isinstance(found, int)
        return found

    # as a client

    def connect(self) -> Connection:
        return psycopg.connect(self.url, autocommit=True, prepare_threshold=None, connect_timeout=5)

    def superuser(self) -> Connection:
        """Beside the front door, for what no client may see."""
        return psycopg.connect(self.layout.dsn(), autocommit=True)

    def newest_ms(self) -> int:
        """The broker's time of the newest reading that the views show, in the partition that is furthest behind; 0: no answer."""
        try:
            with self.connect() as connection:
                connection.execute("SET statement_timeout = '10s'")
                row = connection.execute(
                    "SELECT count(*), min((extract(epoch FROM last_kafka_timestamp) * 1000)::bigint) FROM ingest_lag"
                ).fetchone()
        except psycopg.Error:
            return 0
        return int(row[1]) if row and row[0] == 3 else 0

    def wait_shown(self, since_ms: int, timeout_s: float) -> float | None:
        """Seconds from `since_ms` (wall clock) until readings sent later are in the views; None when they do not come."""
        deadline = time.monotonic() + timeout_s
        while self.newest_ms() <= since_ms:
            if time.monotonic() > deadline or self.loader.died():
                return None
            time.sleep(0.02)
        return time.time() - since_ms / 1000

    def positions(self) -> dict[int, int]:
        """How far the engine says that it has read, by partition."""
        with self.connect() as connection:
            return dict(
                connection.execute(
                    "SELECT partition, next_offset FROM rw_catalog.rw_kafka_source_progress WHERE source_name = 'readings_raw'"
                ).fetchall()
            )

    def wait_drained(self, timeout_s: float = 120.0) -> list[str]:
        """Until the views hold what the topic holds, nobody sending; a sentence when they stop before that."""
        ends = self.truth.ends()
        positions: dict[int, int] = {}
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with suppress(psycopg.Error):
                positions = self.positions()
                if positions == ends:
                    return []
            time.sleep(0.05)
        return [f"source: reading stands at {positions}, the topic ends at {ends}"]

    # disks

    def mount(self) -> None:
        """Before the first start: `state.json` says that the directory is the launcher's own all the same."""
        (self.data / "state.json").write_text(json.dumps({"format": DATA_FORMAT}))
        for part in PARTS:
            (self.data / part).mkdir(mode=0o711)
            subprocess.run([*_mount("mode=711"), str(self.data / part)], check=True)

    def fill(self, part: str, spare_bytes: int) -> None:
        """Leave so much room on the disk of broker or engine, which goes on writing meanwhile."""
        for _ in range(50):
            used = shutil.disk_usage(self.data / part).used
            if self._resize(part, used + spare_bytes).returncode == 0:
                return
        raise AssertionError(f"the disk of the {part} could not be made small")

    def make_room(self, part: str) -> None:
        """Make the disk of broker or engine large again: twice what lies on it, so that a long run does not fill it by itself."""
        size = max(DISK_BYTES, 2 * shutil.disk_usage(self.data / part).used)
        assert self._resize(part, size).returncode == 0, (
            f"no {size >> 30} GiB of memory for the disk of {part}"
        )

    def make_room_for_all(self) -> None:
        """As `make_room`, where there are small disks."""
        for part in PARTS if self.small_disks else ():
            self.make_room(part)

    def _resize(self, part: str, size_bytes: int) -> subprocess.CompletedProcess[bytes]:
        command = ["mount", "-o", f"remount,size={max(size_bytes, 4096)}", str(self.data / part)]
        return subprocess.run(command, check=False, capture_output=True)

    # ends

    def keep(self) -> None:
        """Copy what lies on the small disks, when everything has stopped: for whoever looks into a failure."""
        for part in PARTS:
            shutil.copytree(self.data / part, self.directory / "kept" / part, dirs_exist_ok=True)

    def end(self) -> list[str]:
        """Stop everything in order; what is left of it afterwards."""
        if self.up is not None and self.up.poll() is None:
            self.up.terminate()
            try:
                self.up.wait(120)
            except subprocess.TimeoutExpired:
                self.up.kill()
                return ["launcher: does not end within 120 s of SIGTERM"]
        return self.left()

    def left(self) -> list[str]:
        deadline = time.monotonic() + GONE_S
        while found := processes_of(self.data):
            if time.monotonic() > deadline:
                return [f"processes: {len(found)} are left, for example {sorted(found.items())[:3]}"]
            time.sleep(0.05)
        return []


def _mount(options: str) -> list[str]:
    return ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},{options}", "tmpfs"]


def why_no_small_disks(directory: Path) -> str | None:
    """Why no file system can be mounted here; None when it can."""
    probe = directory / "probe"
    probe.mkdir(parents=True)
    try:
        done = subprocess.run([*_mount("mode=711"), str(probe)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"mounting a tmpfs is not permitted: {' '.join(done.stderr.split())}"
        subprocess.run(["umount", str(probe)], check=True)
    except FileNotFoundError:
        return "there is no mount command"
    finally:
        probe.rmdir()
    return None


@contextmanager
def running(stack: Stack) -> Iterator[Stack]:
    """The stack under load; whatever happens, nothing of it is left running or mounted."""
    try:
        if stack.small_disks:
            stack.mount()
        stack.start_up()
        stack.wait_up()
        with stack.connect() as connection:
            stack.sink.open(connection)
        stack.loader.start()
        stack.witness.start()
        yield stack
    finally:
        _clear(stack)


def _clear(stack: Stack) -> None:
    if stack.loader.pid is not None:
        stack.loader.kill()
    for thread in threading.enumerate():
        if thread.name.startswith("chaos "):
            thread.join(60)
    if stack.up is not None and stack.up.poll() is None:
        stack.up.kill()
        stack.up.wait(20)
    stack.left()
    for pid in processes_of(stack.data):  # what survived its guard has been reported by `end`
        with suppress(ProcessLookupError):
            os.kill(pid, 9)
    stack.left()
    stack.sink.close()
    stack.truth.close()
    if stack.small_disks and not stack.passed:
        stack.keep()
    for part in PARTS if stack.small_disks else ():
        subprocess.run(["umount", "-l", str(stack.data / part)], check=False, capture_output=True)
