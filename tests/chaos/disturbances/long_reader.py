"""A READ ONLY transaction that stays open: it must go on seeing what it saw, and the rest must go on."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from random import Random

import psycopg

from tests.chaos.disturbances.base import now_ms
from tests.chaos.schedule import Parameters
from tests.chaos.stack import Stack

QUERY = "SELECT (SELECT sum(samples)::bigint FROM readings_10s), (SELECT count(*) FROM readings), (SELECT count(*) FROM messages)"


@dataclass(frozen=True, slots=True)
class LongReader:
    """The reader goes on in a thread: later disturbances may hit it, and then its connection, not its answer, may break."""

    name: str = "long reader"
    weight: int = 1

    def draw(self, random: Random) -> Parameters:
        return {"for_s": round(random.uniform(3, 12), 2), "beside": random.random() < 0.5}

    def missing(self, stack: Stack) -> str | None:
        return None

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        found: list[str] = []
        reader = threading.Thread(
            target=_read, args=(stack, float(parameters["for_s"]), found), name="chaos reader", daemon=True
        )
        reader.start()
        if not parameters["beside"]:
            reader.join(float(parameters["for_s"]) + 60)
        return now_ms(), found


def _read(stack: Stack, for_s: float, found: list[str]) -> None:
    try:
        with stack.connect() as connection:
            connection.execute("BEGIN READ ONLY")
            first = connection.execute(QUERY).fetchone()
            until = time.monotonic() + for_s
            while time.monotonic() < until:
                time.sleep(0.5)
                again = connection.execute(QUERY).fetchone()
                if again != first:
                    found.append(f"long reader: saw {first}, then {again} in the same transaction")
                    return
            connection.execute("COMMIT")
    except psycopg.OperationalError:
        return
