"""SIGSTOP, and SIGCONT some time later: a process that hangs, a machine that is suspended, a disk that does not answer."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import psutil

from tests.chaos.disturbances.base import now_ms
from tests.chaos.schedule import Parameters
from tests.chaos.stack import Stack

OTHERS = ("flow", "postgres", "engine", "broker")


@dataclass(frozen=True, slots=True)
class Pause:
    """PostgreSQL is stopped with all its backends, everything else alone. `kill`: another process, killed half-way: what goes on
    afterwards finds that a successor has taken over, or that its peer is a new one.
    """

    target: str
    weight: int = 1

    @property
    def name(self) -> str:
        return f"pause {self.target}"

    def draw(self, random: Random) -> Parameters:
        pause_s = round(random.uniform(0.3, 6.0), 2)
        others = [name for name in OTHERS if name != self.target]
        return {"pause_s": pause_s, "kill": random.choice(others) if random.random() < 0.3 else ""}

    def missing(self, stack: Stack) -> str | None:
        if self.target == "delivery" and stack.pid("delivery") is None:
            return "this engine has no delivery process"
        return None

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        pids = [stack.wait_pid(self.target)]
        if self.target == "postgres":
            pids += [child.pid for child in psutil.Process(pids[0]).children(recursive=True)]
        try:
            _signal(pids, signal.SIGSTOP)
            time.sleep(parameters["pause_s"] / 2)
            if parameters["kill"] and (other := stack.pid(str(parameters["kill"]))) is not None:
                _signal([other], signal.SIGKILL)
            time.sleep(parameters["pause_s"] / 2)
        finally:
            _signal(pids, signal.SIGCONT)
        return now_ms(), []


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
