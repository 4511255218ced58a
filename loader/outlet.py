"""Sends messages to the broker and counts what it acknowledges.

Every message has a delivery report, and only reports count: ``Counts.acknowledged`` is what the broker has,
whatever was queued. The queue is bounded: when it is full the sender waits for room (so a slow broker slows
the loader down, and nothing is dropped), and gives up with ``BrokerAwayError`` once nothing was acknowledged
for ``patience_s`` (5 seconds at most when told to stop).

Assumes a producer as ``loader.kafka`` builds it (idempotent, acks=all); tests pass one of their own. Called
by ``loader.run``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from threading import Event
from typing import Any, Protocol

import numpy as np
import orjson

from loader.errors import BrokerAwayError
from loader.faults import Fault, FaultKind
from loader.malformed import REASON_OF_VARIANT, REASONS
from loader.stream import Kind, Tick

STOPPING_PATIENCE_S = 5.0
LATE_AFTER_MS = 10_000
"""The pipeline's rule: late is a message whose timestamp is more than this after its event time."""


class ProducerLike(Protocol):
    """The part of confluent_kafka.Producer that is used."""

    def produce(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        *,
        on_delivery: Callable[[Any, Any], None],
        timestamp: int,
    ) -> None:
        """Queue a message; BufferError when the queue is full."""

    def poll(self, timeout: float) -> int:
        """Serve delivery reports."""

    def flush(self, timeout: float) -> int:
        """Wait for all reports; returns how many are still missing."""

    def purge(self) -> None:
        """Give up what is still queued or in flight."""

    def __len__(self) -> int:
        """Messages that have no report yet."""


class Bucket(IntEnum):
    """What is counted apart. Malformed ones follow, one bucket per reason."""

    IN_TIME = 0
    LATE = 1
    DUPLICATE = 2
    TRUTH = 3
    MALFORMED = 4


_BUCKETS = Bucket.MALFORMED + len(REASONS)
_MALFORMED_BUCKET = np.array(REASON_OF_VARIANT) + Bucket.MALFORMED


@dataclass(slots=True)
class Counts:
    """What became of the messages, by bucket; ``failed`` are those the broker did not take, by topic."""

    acknowledged: list[int] = field(default_factory=lambda: [0] * _BUCKETS)
    failed: dict[str, int] = field(default_factory=dict)
    first_error: str | None = None

    @property
    def produced(self) -> int:
        """Acknowledged messages on the topic of readings."""
        return sum(self.acknowledged) - self.acknowledged[Bucket.TRUTH]

    @property
    def valid(self) -> int:
        """Acknowledged valid readings, each once."""
        return self.acknowledged[Bucket.IN_TIME] + self.acknowledged[Bucket.LATE]

    @property
    def malformed(self) -> dict[str, int]:
        """Acknowledged malformed messages by the reason for which they must be rejected."""
        return dict(zip(REASONS, self.acknowledged[Bucket.MALFORMED :], strict=True))


class Outlet:
    """The way out of one run. ``stop`` set means: do not wait for room any more."""

    def __init__(
        self, producer: ProducerLike, topic: str, truth_topic: str, stop: Event, patience_s: float
    ) -> None:
        self.counts = Counts(failed={topic: 0, truth_topic: 0})
        self.faults: list[Fault] = []
        self._producer = producer
        self._topic = topic
        self._truth_topic = truth_topic
        self._stop = stop
        self._patience_s = patience_s
        self._reports = [self._report(bucket) for bucket in range(_BUCKETS)]
        self._lost_values: set[bytes] = set()
        self._progress = (-1, time.monotonic())

    @property
    def outstanding(self) -> int:
        """Messages without a report yet."""
        return len(self._producer)

    def send(self, tick: Tick, now_ms: int) -> None:
        """Queue a tick's messages, then the truth of the faults that begin with it, stamped ``now_ms``.

        Raises BrokerAwayError when the broker has stopped taking messages.
        """
        buckets = tick.kinds.astype(np.int64)
        buckets[(tick.kinds == Kind.VALID) | (tick.kinds == Kind.SPIKE)] = Bucket.IN_TIME
        buckets[tick.kinds == Kind.DUPLICATE] = Bucket.DUPLICATE
        buckets[(buckets == Bucket.IN_TIME) & (now_ms - tick.ts_ms > LATE_AFTER_MS)] = Bucket.LATE
        malformed = tick.kinds == Kind.MALFORMED
        buckets[malformed] = _MALFORMED_BUCKET[tick.details[malformed]]
        reports, produce, topic = self._reports, self._producer.produce, self._topic
        sent = 0
        for key, value, bucket in zip(tick.keys, tick.values, buckets.tolist(), strict=True):
            try:
                produce(topic, value, key, on_delivery=reports[bucket], timestamp=now_ms)
            except BufferError:
                if not self._produce_patiently(topic, value, key, reports[bucket], now_ms):
                    break
            sent += 1
        for fault in tick.faults:
            if fault.kind is FaultKind.SPIKE and not _holds(tick.values[:sent], fault):
                continue
            self.faults.append(fault)
            payload = orjson.dumps(fault.to_json())
            key = fault.device_id.encode()
            self._produce_patiently(self._truth_topic, payload, key, reports[Bucket.TRUTH], now_ms)
        self._producer.poll(0)
        self._check_progress()

    def finish(self) -> None:
        """Wait for what is outstanding while reports come in, then give the rest up (as failed)."""
        try:
            while self._producer.flush(0.5):
                self._check_progress()
            self._check_progress()
        finally:
            if len(self._producer):
                self._producer.purge()
                self._producer.flush(1.0)
            self.faults = [fault for fault in self.faults if not _holds(self._lost_values, fault)]

    def _produce_patiently(
        self, topic: str, value: bytes, key: bytes, report: Callable[[Any, Any], None], now_ms: int
    ) -> bool:
        """Queue one message, waiting for room; False if told to stop meanwhile."""
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=report, timestamp=now_ms)
            except BufferError:
                if self._stop.is_set():
                    return False
                self._producer.poll(0.02)
                self._check_progress()
            else:
                return True

    def _report(self, bucket: int) -> Callable[[Any, Any], None]:
        acknowledged = self.counts.acknowledged

        def report(error: Any, message: Any) -> None:
            if error is None:
                acknowledged[bucket] += 1
                return
            self.counts.failed[message.topic()] += 1
            self.counts.first_error = self.counts.first_error or str(error)
            self._lost_values.add(message.value() or b"")

        return report

    def _check_progress(self) -> None:
        done = sum(self.counts.acknowledged)
        now = time.monotonic()
        if self.counts.first_error is not None:
            raise BrokerAwayError(f"the broker did not take a message: {self.counts.first_error}")
        if done != self._progress[0] or not len(self._producer):
            self._progress = (done, now)
            return
        patience_s = min(self._patience_s, STOPPING_PATIENCE_S) if self._stop.is_set() else self._patience_s
        if now - self._progress[1] > patience_s:
            raise BrokerAwayError(
                f"the broker has acknowledged nothing for {patience_s:g} s, "
                f"{len(self._producer)} messages are waiting for it"
            )


def _holds(values: list[bytes] | set[bytes], fault: Fault) -> bool:
    """Whether the reading of a spike is among these messages; no other fault has such a reading."""
    return fault.event_id is not None and any(fault.event_id.encode() in value for value in values)
