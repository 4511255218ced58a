"""kill -9 of the broker that the alerts go to, which stays away for a while."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random

from tests.chaos.disturbances.base import now_ms
from tests.chaos.schedule import Parameters
from tests.chaos.stack import Stack


@dataclass(frozen=True, slots=True)
class KillSinkTarget:
    """`away_s`: what is to be delivered waits so long."""

    name: str = "kill sink target"
    weight: int = 1

    def draw(self, random: Random) -> Parameters:
        return {"away_s": round(random.choice((0.0, random.uniform(0, 8))), 2)}

    def missing(self, stack: Stack) -> str | None:
        return None

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        stack.sink.broker.kill()
        time.sleep(parameters["away_s"])
        stack.sink.broker.start()
        return now_ms(), []
