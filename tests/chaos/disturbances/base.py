"""What a disturbance is. A member says how it is drawn, why it cannot be done here, and does it."""

from __future__ import annotations

import time
from random import Random
from typing import Protocol

from tests.chaos.schedule import Parameters
from tests.chaos.stack import Stack


class Disturbance(Protocol):
    """One kind. `weight`: how often it lies in each bag of the schedule."""

    @property
    def name(self) -> str: ...

    @property
    def weight(self) -> int: ...

    def draw(self, random: Random) -> Parameters:
        """Parameters for one time, JSON-ready."""

    def missing(self, stack: Stack) -> str | None:
        """Why it cannot be done on this stack; None when it can."""

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        """Do it. Returns when it was over, from which recovery counts (ms of the wall clock), and what went wrong meanwhile."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000
