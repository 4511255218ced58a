"""The flow's wall clock jumps, forward or back; half of the time it comes back later. Barrier time must not go back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from random import Random

from tests.chaos.disturbances.base import now_ms
from tests.chaos.schedule import Parameters
from tests.chaos.stack import Stack


@dataclass(frozen=True, slots=True)
class ClockJump:
    name: str = "clock jump"
    weight: int = 1

    def draw(self, random: Random) -> Parameters:
        by_s = round(random.choice((-1, 1)) * 10 ** random.uniform(0, 2.3), 1)
        return {"by_s": by_s, "for_s": round(random.uniform(1, 4), 2), "back": random.random() < 0.5}

    def missing(self, stack: Stack) -> str | None:
        return None

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        before = _barrier_time(stack)
        _set(stack, parameters["by_s"])
        time.sleep(parameters["for_s"])
        between = _barrier_time(stack)
        if parameters["back"]:
            _set(stack, 0)
        ended = now_ms()
        stack.wait_shown(ended, 30)
        times = [before, between, _barrier_time(stack)]
        return ended, [] if times == sorted(times) else [f"barrier time went back: {times}"]


def _set(stack: Stack, offset_s: float) -> None:
    new = stack.clock_file.with_suffix(".new")
    new.write_text(f"{offset_s}\n", encoding="ascii")
    new.replace(stack.clock_file)


def _barrier_time(stack: Stack) -> datetime:
    with stack.connect() as connection:
        row = connection.execute("SELECT barrier_time FROM rw_catalog.rw_barrier").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found
