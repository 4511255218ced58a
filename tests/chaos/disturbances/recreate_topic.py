"""The topic is deleted and made again, when the views have all of it: its offsets start again at 0, and nothing is confused."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random

from confluent_kafka.admin import AdminClient

from tailrace.config import READINGS
from tailrace.topics import create_topics
from tests.chaos.disturbances.base import now_ms
from tests.chaos.schedule import Parameters
from tests.chaos.stack import Stack


@dataclass(frozen=True, slots=True)
class RecreateTopic:
    """`away_s`: how long there is no such topic."""

    name: str = "re-create topic"
    weight: int = 1

    def draw(self, random: Random) -> Parameters:
        return {"away_s": round(random.choice((0.0, random.uniform(0, 4))), 2)}

    def missing(self, stack: Stack) -> str | None:
        return None

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        found = stack.loader.stop()
        stack.witness.pause()
        found += stack.wait_drained()
        stack.truth.read_on()
        if found:
            return now_ms(), found
        admin = AdminClient({"bootstrap.servers": stack.bootstrap, "log_level": 0})
        admin.delete_topics([READINGS.name])[READINGS.name].result(20)
        time.sleep(parameters["away_s"])
        create_topics(stack.bootstrap, [READINGS])
        stack.truth.next_generation()
        stack.loader.start()
        stack.witness.go_on()
        return now_ms(), []
