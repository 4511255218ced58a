"""A disk without room, under PostgreSQL or under the broker; some time later there is room again.

The file system is a tmpfs of its own that is made exactly as small as what lies on it, which needs the right to mount.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.chaos.disturbances.base import now_ms
from tests.chaos.schedule import Parameters
from tests.chaos.stack import Stack


@dataclass(frozen=True, slots=True)
class FullDisk:
    """`spare_kb`: how much may still be written before nothing more can be. `kill`: a process that has to start again on it."""

    part: str
    weight: int = 1

    @property
    def name(self) -> str:
        return f"full disk {self.part}"

    def draw(self, random: Random) -> Parameters:
        kill = random.choice(
            ("", "", "flow", "postgres", "engine") if self.part == "engine" else ("", "broker")
        )
        return {
            "full_s": round(random.uniform(1, 6), 2),
            "spare_kb": random.choice((0, 64, 1024)),
            "kill": kill,
        }

    def missing(self, stack: Stack) -> str | None:
        return None if stack.small_disks else "no small disks here"

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        try:
            stack.fill(self.part, 1024 * int(parameters["spare_kb"]))
            time.sleep(parameters["full_s"])
            if parameters["kill"] and (pid := stack.pid(str(parameters["kill"]))) is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                time.sleep(parameters["full_s"])
        finally:
            stack.make_room(self.part)
        return now_ms(), []
