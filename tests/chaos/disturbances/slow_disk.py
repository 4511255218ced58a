"""A disk that is slow for engine or broker: the kernel lets their processes write no more than so much a second.

Linux throttles a control group's writes to a block device (blkio.throttle.* of cgroup v1, io.max of v2), fsync included.
That needs the right to make a control group, and data that lies on a block device: a tmpfs has no speed to take away.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil

from tests.chaos.disturbances.base import now_ms
from tests.chaos.schedule import Parameters
from tests.chaos.stack import Stack
from tests.support.processes import wait_until

_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class SlowDisk:
    """`kb_s`: what may be written a second. `kill`: a process that has to start again on the slow disk."""

    part: str
    weight: int = 1

    @property
    def name(self) -> str:
        return f"slow disk {self.part}"

    def draw(self, random: Random) -> Parameters:
        kill = random.choice(
            ("", "", "flow", "postgres", "engine") if self.part == "engine" else ("", "broker")
        )
        return {
            "slow_s": round(random.uniform(2, 8), 2),
            "kb_s": random.choice((64, 256, 1024)),
            "kill": kill,
        }

    def missing(self, stack: Stack) -> str | None:
        if _device(stack.data / self.part) is None:
            return "the data lie in memory, not on a disk"
        return _why_no_group()

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        device = _device(stack.data / self.part)
        assert device is not None
        group = _Group(f"tailrace-chaos-{os.getpid()}", device, 1024 * int(parameters["kb_s"]))
        group.make()
        try:
            self._take(stack, group)
            time.sleep(parameters["slow_s"] / 2)
            if parameters["kill"] and (pid := stack.pid(str(parameters["kill"]))) is not None:
                with suppress(ProcessLookupError):
                    os.kill(
                        pid, signal.SIGKILL
                    )  # what its guard or supervisor starts for it is in the group from birth
            time.sleep(parameters["slow_s"] / 2)
        finally:
            group.remove()
        return now_ms(), []

    def _take(self, stack: Stack, group: _Group) -> None:
        """Everything of the part that runs, and so whatever it starts."""
        process = psutil.Process(stack.wait_pid(self.part))
        for each in (process, *process.parents()[:1], *process.children(recursive=True)):
            if each.pid != os.getpid() and each.pid != (stack.up.pid if stack.up else None):
                group.add(each.pid)


@dataclass(frozen=True, slots=True)
class _Group:
    """A control group whose writes to `device` ("major:minor") are throttled."""

    name: str
    device: str
    bytes_s: int

    @property
    def _parent(self) -> Path:
        return _ROOT / "blkio" if (_ROOT / "blkio").is_dir() else _ROOT

    @property
    def _path(self) -> Path:
        return self._parent / self.name

    def make(self) -> None:
        self._path.mkdir()
        old = self._path / "blkio.throttle.write_bps_device"
        if old.exists():
            old.write_text(f"{self.device} {self.bytes_s}")
        else:
            (self._path / "io.max").write_text(f"{self.device} wbps={self.bytes_s}")

    def add(self, pid: int) -> None:
        with suppress(OSError):  # it has ended
            (self._path / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        """Give its processes back to the parent, which is not throttled. What they wait for goes on at its old speed first."""
        wait_until(self._is_empty, 60, "the throttled processes to leave their group")
        self._path.rmdir()

    def _is_empty(self) -> bool:
        for pid in (self._path / "cgroup.procs").read_text().split():
            with suppress(OSError):
                (self._parent / "cgroup.procs").write_text(pid)
        return not (self._path / "cgroup.procs").read_text()


def _device(path: Path) -> str | None:
    """The block device on which a path lies, as "major:minor" of the whole disk; None for memory."""
    found = path.stat().st_dev
    number = f"{os.major(found)}:{os.minor(found)}"
    node = Path(f"/sys/dev/block/{number}")
    if not node.exists():
        return None
    if (node / "partition").exists():  # only whole disks are throttled
        return (node.resolve().parent / "dev").read_text().strip()
    return number


def _why_no_group() -> str | None:
    group = _Group(f"tailrace-chaos-probe-{os.getpid()}", "0:0", 0)
    try:
        group._path.mkdir()
        throttles = any((group._path / f).exists() for f in ("blkio.throttle.write_bps_device", "io.max"))
        group._path.rmdir()
    except OSError as error:
        return f"no control group can be made: {error.strerror}"
    return None if throttles else "control groups do not throttle disks here"
