"""Reads a Kafka source for ever, in a thread of its own, ahead of the flow and in step with the topic's
generations.

The thread reads and decodes while the database works; the flow takes what waits, without waiting itself.
Guarantees:
- a batch holds rows of one generation (gate.py), its positions are those after its last row;
- a re-created topic, or a memory-only broker that started again, is a new generation, read from its first
  offset;
- an offset below the first is moved up and one beyond the end is moved back to it, with an error in the log;
- a broker that is away is tried again for ever, with back-off, logged once;
- at most `max_pending_rows` rows and `max_pending_bytes` bytes wait (one read of librdkafka's 16 MB queue may
  come on top).

When all connections are lost the consumer is closed at once (librdkafka waits at least 375 ms before it
connects again) and a new one is opened after the topic was looked up. This also keeps clear of a crash:
librdkafka (2.3-2.16) dies of a null pointer when Tansu answers a fetch of a topic that is gone. Deleting a
topic on a *running* Tansu still ends the flow's process that way; the supervisor starts it again and it goes
on as above.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from engine.connectors.ahead import ReadsAhead
from engine.connectors.decode import Decoded, Decoder
from engine.connectors.gate import Gate
from engine.connectors.source import NewGeneration, Position, SourceSpec
from engine.connectors.topic import Topic, TopicState, open_consumer, refused
from tailrace.errors import TailraceError

_log = logging.getLogger(__name__)

_READ_MESSAGES: Final = 2_000
_LOOK_UP_TIMEOUT_S: Final = 2.0
_POLL_S: Final = 0.05
_BACK_OFF_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_LASTED_S: Final = 10.0  # a consumer that read this long was no failed attempt: back-off starts anew
_END_CHECK_S: Final = 1.0
_REPORT_SKIPPED_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """How far one partition has been read. `high_offset` is the end the broker last told, None when it has
    not yet.
    """

    topic_id: str
    partition: int
    next_offset: int
    high_offset: int | None


class KafkaReader(ReadsAhead):
    """Reads from `positions` on; partitions not in it from their first offset. `wake` is set when input
    waits.
    """

    def __init__(
        self,
        spec: SourceSpec,
        positions: Mapping[int, Position],
        *,
        wake: threading.Event,
        max_pending_rows: int = 50_000,
        max_pending_bytes: int = 64 << 20,
    ) -> None:
        super().__init__(spec, positions, wake)
        self._max_rows = max_pending_rows
        self._max_bytes = max_pending_bytes
        self._decoder = Decoder(spec)
        self._topic = Topic(spec)
        self._high: dict[int, int] = {}  # from here on guarded by the lock
        self._error: str | None = None
        self._unreported = 0
        self._reported_at = float("-inf")

    def status(self) -> tuple[list[PartitionStatus], str | None]:
        """Each partition's progress, and what keeps reading from going on at the moment, if anything does."""
        with self._lock:
            partitions = [
                PartitionStatus(each.topic_id, number, each.offset, self._high.get(number))
                for number, each in sorted(self._positions.items())
            ]
            return partitions, self._error

    def ends(self, timeout_s: float = 1.0) -> dict[int, tuple[str, int]]:
        """By partition, the topic's id and the offset its next message will get, asked from the broker now.

        For any thread. Raises BrokerUnreachableError or TopicMissingError.
        """
        with self._lock:
            topic_ids = {number: each.topic_id for number, each in self._positions.items()}
        listed = self._topic.latest(topic_ids, timeout_s)
        return {number: (topic_ids[number], end) for number, end in listed.items()}

    def _read(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            begun = time.monotonic()
            try:
                self._read_generation()
                failures = 0
            except TailraceError as error:
                if time.monotonic() - begun > _LASTED_S:
                    failures = 0
                self._report(error)
                self._stopping.wait(_BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)])
                failures += 1

    def _read_generation(self) -> None:
        """Look the topic up and read it with one consumer, until there is a reason to look it up again."""
        state = self._topic.describe(_LOOK_UP_TIMEOUT_S, self._stopping)
        self._adopt(state)
        gate = Gate(self._topic, state, lambda through: self._let_through(state.topic_id, through))
        lost = threading.Event()

        def on_error(error: KafkaError) -> None:
            if error.code() == KafkaError._ALL_BROKERS_DOWN:
                lost.set()

        consumer = open_consumer(self.spec, {}, on_error)
        try:
            next_offset = {number: each.offset for number, each in self._positions.items()}
            consumer.assign([TopicPartition(self.spec.topic, *each) for each in next_offset.items()])
            self._recovered()
            end_check = _EndCheck(self.spec.topic, consumer, next_offset)
            while not self._stopping.is_set() and gate.broken is None:
                wait_s = min(_POLL_S, gate.tick(time.monotonic()))
                messages = self._poll(consumer, gate, wait_s)
                if lost.is_set():
                    raise refused(self.spec, KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN)))
                if messages:
                    decoded = self._decoder.decode(messages)
                    next_offset.update(decoded.after)
                    gate.add(decoded)
                beyond = end_check.tick(time.monotonic())
                with self._lock:
                    self._high.update(end_check.high)
                for partition, end in beyond.items():
                    self._move(partition, end, f"ends at {end}, before the offset to read")
                if beyond:
                    return
        finally:
            gate.close()
            consumer.close()
        if isinstance(gate.broken, TailraceError):
            raise gate.broken
        if gate.broken:
            _log.info("source %s: %s", self.spec.name, gate.broken)

    def _poll(self, consumer: Consumer, gate: Gate, wait_s: float) -> list[Message]:
        """The messages that are there, waiting for the first at most `wait_s`; none while enough is
        pending.
        """
        with self._lock:
            rows, size_bytes = self._pending.rows, self._pending.size_bytes
        if rows + gate.rows >= self._max_rows or size_bytes + gate.size_bytes >= self._max_bytes:
            self._stopping.wait(wait_s)
            return []
        first = consumer.poll(wait_s)
        if first is None:
            return []
        messages: list[Message] = [first, *consumer.consume(_READ_MESSAGES - 1, 0)]
        failed = [message for message in messages if message.error() is not None]
        if not failed:
            return messages
        error = failed[0].error()
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            self._correct({message.partition() for message in failed})
        raise refused(self.spec, KafkaException(error))

    def _adopt(self, state: TopicState) -> None:
        """Bring the positions in line with the topic as it is; a new generation starts at its first
        offsets.
        """
        known = {
            number: each
            for number, each in self._positions.items()
            if each.topic_id == state.topic_id and number in state.partitions
        }
        first = self._topic.starts(set(state.partitions) - set(known))
        fresh = {number: Position(state.topic_id, number, offset) for number, offset in first.items()}
        old_ids = sorted({each.topic_id for each in self._positions.values()} - {state.topic_id})
        generations = [NewGeneration(self.spec.topic, old_id, state.topic_id) for old_id in old_ids]
        with self._lock:
            self._positions = {**known, **fresh}
            self._high = {}
            if generations:
                self._pending.append(state.topic_id, Decoded([], [], [], first, 0), generations)
        for each in generations:
            _log.warning(
                "source %s: topic %s was re-created (id %s, before %s): reading it from its first offsets",
                self.spec.name,
                each.topic,
                each.new_id,
                each.old_id,
            )
        if generations:
            self._wake.set()

    def _let_through(self, topic_id: str, through: Sequence[Decoded]) -> None:
        """Called by the gate, in the client's thread."""
        skipped = sum(decoded.skipped for decoded in through)
        with self._lock:
            for decoded in through:
                self._pending.append(topic_id, decoded)
                for partition, offset in decoded.after.items():
                    self._positions[partition] = Position(topic_id, partition, offset)
            self._unreported += skipped
            now = time.monotonic()
            if self._unreported and now > self._reported_at + _REPORT_SKIPPED_S:
                _log.warning(
                    "source %s: skipped %d messages that cannot be read",
                    self.spec.name,
                    self._unreported,
                )
                self._unreported, self._reported_at = 0, now
        self._wake.set()

    def _correct(self, partitions: set[int]) -> None:
        """The broker says that a position is outside of what it holds: find out on which side."""
        first, end = self._topic.starts(partitions), self._topic.ends(partitions)
        for partition in partitions:
            offset = self._positions[partition].offset
            if offset < first[partition]:
                lost = first[partition] - offset
                self._move(
                    partition, first[partition], f"no longer holds {lost} offsets before {first[partition]}"
                )
            elif offset > end[partition]:
                self._move(partition, end[partition], f"ends at {end[partition]}, before the offset to read")

    def _move(self, partition: int, offset: int, reason: str) -> None:
        with self._lock:
            before = self._positions[partition]
            self._positions[partition] = Position(before.topic_id, partition, offset)
        text = f"partition {partition} of {self.spec.topic} {reason}, {before.offset}: reading on at {offset}"
        _log.error("source %s: %s", self.spec.name, text)

    def _report(self, error: TailraceError) -> None:
        with self._lock:
            known, self._error = self._error, str(error)
        if known != self._error and not self._stopping.is_set():
            _log.warning(
                "%s: trying again until it works%s", error, f" [{error.detail}]" if error.detail else ""
            )

    def _recovered(self) -> None:
        with self._lock:
            known, self._error = self._error, None
        if known is not None:
            _log.info("source %s: reading again", self.spec.name)


class _EndCheck:
    """Finds partitions whose next offset lies beyond their end, which some brokers (Tansu) never say.

    The end is the high watermark that came with the last fetch. It may be older than the last message, so
    that a partition is only blamed when it was beyond twice in a row without moving.
    """

    def __init__(self, topic: str, consumer: Consumer, next_offset: Mapping[int, int]) -> None:
        self._consumer = consumer
        self._topic = topic
        self._next_offset = next_offset
        self._due_at = 0.0
        self._suspects: dict[int, int] = {}
        self.high: dict[int, int] = {}

    def tick(self, now: float) -> dict[int, int]:
        """Every second: by partition that is beyond its end, that end."""
        if now < self._due_at:
            return {}
        self._due_at = now + _END_CHECK_S
        suspects: dict[int, int] = {}
        for partition, offset in self._next_offset.items():
            high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)[
                1
            ]
            if high >= 0:
                self.high[partition] = max(high, 0)
                if high < offset:
                    suspects[partition] = offset
        beyond = {
            each: self.high[each] for each, offset in suspects.items() if self._suspects.get(each) == offset
        }
        self._suspects = suspects
        return beyond
