"""Several processes killed one after the other, faster than any of them comes back."""

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

TARGETS = ("flow", "wire", "postgres", "broker", "engine", "monitor")


@dataclass(frozen=True, slots=True)
class Storm:
    """A target that is down already when its turn comes is passed over."""

    name: str = "storm"
    weight: int = 2

    def draw(self, random: Random) -> Parameters:
        number = random.randint(2, 6)
        return {
            "targets": ",".join(random.choice(TARGETS) for _ in range(number)),
            "apart_s": round(random.choice((0.0, random.uniform(0, 0.3), random.uniform(0, 2))), 2),
        }

    def missing(self, stack: Stack) -> str | None:
        return None

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        for target in str(parameters["targets"]).split(","):
            pid = stack.pid(target)
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(parameters["apart_s"])
        return now_ms(), []
