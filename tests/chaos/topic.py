"""The truth: every message of the topic of readings, generation by generation, judged by `tailrace.verify`."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from tailrace.config import READINGS
from tailrace.verify.classify import classify
from tailrace.verify.recount import open_consumer
from tests.chaos.account import Message

_ANSWER_S = 60.0


class TopicTruth:
    """Read on whenever asked; `generations` holds one list of messages per topic that bore the name, the last one being read."""

    def __init__(self, bootstrap: str) -> None:
        self.generations: list[list[Message]] = [[]]
        self._bootstrap = bootstrap
        self._consumer: Any = None
        self._next: dict[int, int] = {}

    def messages(self) -> list[Message]:
        return [message for generation in self.generations for message in generation]

    def closed(self) -> dict[int, int]:
        """Messages by partition in generations that are over."""
        found = dict.fromkeys(range(READINGS.partitions), 0)
        for generation in self.generations[:-1]:
            for message in generation:
                found[message.partition] += 1
        return found

    def ends(self) -> dict[int, int]:
        """By partition, the offset that the next message will get."""
        return {number: self._watermarks(number)[1] for number in range(READINGS.partitions)}

    def read_on(self) -> None:
        """Read up to where the topic ends now. Raises AssertionError when that does not come."""
        ends = self.ends()
        for partition in ends:
            self._next.setdefault(partition, 0)
        self._consumer.assign([TopicPartition(READINGS.name, p, offset) for p, offset in self._next.items()])
        deadline = time.monotonic() + _ANSWER_S
        generation = self.generations[-1]
        while any(self._next[p] < end for p, end in ends.items()):
            assert time.monotonic() < deadline, f"the topic ends at {ends} and was read to {self._next} only"
            for message in self._consumer.consume(10_000, 0.5):
                if message.error() is not None:
                    continue
                deadline = time.monotonic() + _ANSWER_S
                partition, offset = message.partition(), message.offset()
                verdict = classify(message.value())
                reason = None if verdict.reason is None else verdict.reason.value
                generation.append(
                    Message(partition, offset, message.timestamp()[1], verdict.event_id, reason)
                )
                self._next[partition] = offset + 1
        self._consumer.unassign()
        # what came behind the ends belongs to the truth too, and stays

    def next_generation(self) -> None:
        """The topic was deleted and made again."""
        self.close()
        self._next = {}
        self.generations.append([])

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _watermarks(self, partition: int) -> tuple[int, int]:
        deadline = time.monotonic() + _ANSWER_S
        while True:
            if self._consumer is None:
                self._consumer = open_consumer(
                    self._bootstrap, "tailrace-chaos", **{"fetch.wait.max.ms": 100}
                )
            try:
                found: tuple[int, int] = self._consumer.get_watermark_offsets(
                    TopicPartition(READINGS.name, partition), timeout=5.0
                )
            except KafkaException:
                assert time.monotonic() < deadline, f"the broker did not say where partition {partition} ends"
                self.close()
            else:
                return found
