"""Count a topic again, message by message, from given offsets to its real end.

Job: the independent account of what the broker holds. Assumes that nobody produces any more (or that
`at_least` says how many messages are known to exist). Does not trust the broker's high watermark:
some brokers report the base offset of the last batch plus one, so the end is where nothing more comes for a
while. Assigns partitions itself: joining a consumer group takes seconds and leaves a group behind.
Callers: the launcher's report, `tailrace topics`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, TopicPartition

from tailrace.errors import TailraceError
from tailrace.verify.classify import classify

QUIET_S: Final = 2.0
TAIL_S: Final = 5.0
BATCH: Final = 5_000


class BrokerError(TailraceError):
    """The Kafka side did not answer."""

    sqlstate = "08006"


@dataclass(slots=True)
class Recount:
    """What a topic holds: `messages` = `valid` + `duplicates` + the sum of `rejects`."""

    messages: int = 0
    valid: int = 0
    duplicates: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    _seen: set[str] = field(default_factory=set, repr=False)

    @property
    def rejected(self) -> int:
        """Messages of any reject reason."""
        return sum(self.rejects.values())

    def add(self, payload: bytes | None) -> None:
        """Count one message; the first of an event id is valid, each further one a duplicate."""
        self.messages += 1
        verdict = classify(payload)
        if verdict.reason is not None:
            self.rejects[verdict.reason.value] += 1
        elif verdict.event_id in self._seen:
            self.duplicates += 1
        else:
            self._seen.add(str(verdict.event_id))
            self.valid += 1

    def as_json(self) -> dict[str, Any]:
        """The counts, for the report."""
        return {
            "messages": self.messages,
            "ingested": self.valid,
            "rejected": self.rejected,
            "duplicates": self.duplicates,
            "rejects": dict(sorted(self.rejects.items())),
        }


@dataclass(frozen=True, slots=True)
class Shortened:
    """The topic no longer holds the first `missing` of the messages that were to be counted: its retention took them."""

    missing: int

    def __str__(self) -> str:
        return f"the topic no longer holds {self.missing:,} messages of this run (its retention): they cannot be recounted"


def open_consumer(bootstrap: str, group: str, **settings: Any) -> Any:
    """A consumer that commits nothing and joins no group; `group` is only a name the protocol wants."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
            "log_level": 0,
            **settings,
        }
    )


def partitions_of(consumer: Any, topic: str, *, timeout_s: float = 10.0) -> list[int]:
    """The topic's partition numbers, ascending. Raises BrokerError."""
    try:
        known = consumer.list_topics(timeout=timeout_s).topics.get(topic)
    except Exception as error:
        raise BrokerError(
            f"the broker did not describe topic {topic}", detail=str(error), hint="is the broker running?"
        ) from error
    if known is None or known.error is not None:
        raise TailraceError(
            f"topic {topic} does not exist", sqlstate="42P01", hint="run: tailrace topics create"
        )
    return sorted(known.partitions)


def read_to_end(
    bootstrap: str,
    topic: str,
    take: Callable[[Any], None],
    *,
    start: Mapping[int, int] | None = None,
    until: Mapping[int, int] | None = None,
    at_least: int = 0,
    timeout_s: float = 120.0,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Hand every message from `start` (partition -> offset; default: the beginning) on to `take`; give
    their number.

    Ends when nothing came for 2 s and at least `at_least` messages were read, or after `timeout_s` without
    one. With `until` (partition -> offset behind the last one wanted) it ends as soon as it is there, and
    hands on nothing beyond: others may go on producing.
    """
    consumer = open_consumer(bootstrap, "tailrace-verify")
    try:
        partitions = partitions_of(consumer, topic)
        following = {number: (start or {}).get(number, 0) for number in partitions}
        consumer.assign([TopicPartition(topic, number, offset) for number, offset in following.items()])
        count = 0
        last_at = clock()
        while True:
            taken = 0
            if until is not None and all(following[number] >= until.get(number, 0) for number in partitions):
                return count
            for message in _messages(consumer.consume(num_messages=BATCH, timeout=0.2)):
                number, offset = message.partition(), message.offset()
                following[number] = offset + 1
                if until is None or offset < until.get(number, 0):
                    take(message)
                    taken += 1
            count += taken
            now = clock()
            if taken:
                last_at = now
            elif now - last_at > (QUIET_S if count >= at_least else timeout_s):
                return count
    finally:
        consumer.close()


def _messages(batch: Iterable[Any]) -> Iterable[Any]:
    for message in batch:
        error = message.error()
        if error is None:
            yield message
        elif error.code() != KafkaError._PARTITION_EOF and not error.retriable():
            raise BrokerError("reading the topic failed", detail=str(error), hint="is the broker running?")


def recount(
    bootstrap: str,
    topic: str,
    *,
    start: Mapping[int, int] | None = None,
    until: Mapping[int, int] | None = None,
    at_least: int = 0,
    timeout_s: float = 20.0,
    on_progress: Callable[[int], None] | None = None,
) -> Recount:
    """Read the topic and classify each message; see `read_to_end`. `on_progress` gets the number read, now
    and then.
    """
    result = Recount()

    def take(message: Any) -> None:
        result.add(message.value())
        if on_progress is not None and result.messages % 20_000 == 0:
            on_progress(result.messages)

    read_to_end(bootstrap, topic, take, start=start, until=until, at_least=at_least, timeout_s=timeout_s)
    return result


def expired(bootstrap: str, topic: str, start: Mapping[int, int]) -> int:
    """How many of the messages from `start` on the topic no longer holds."""
    consumer = open_consumer(bootstrap, "tailrace-verify")
    try:
        firsts = {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10.0)[0]
            for number in partitions_of(consumer, topic)
        }
    finally:
        consumer.close()
    return sum(max(first - start.get(number, 0), 0) for number, first in firsts.items())


def real_ends(bootstrap: str, topic: str) -> dict[int, int]:
    """Partition -> offset behind the last message, at a moment during this call, whoever goes on producing.

    Found by reading on from the reported high watermark until the broker has no more, 5 s at most.
    """
    consumer = open_consumer(bootstrap, "tailrace-verify", **{"enable.partition.eof": True})
    try:
        ends = {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10.0)[1]
            for number in partitions_of(consumer, topic)
        }
        open_ = {number for number, end in ends.items() if end}
        consumer.assign([TopicPartition(topic, number, ends[number]) for number in open_])
        until = time.monotonic() + TAIL_S
        while open_ and time.monotonic() < until:
            for message in consumer.consume(num_messages=BATCH, timeout=0.1):
                number, error = message.partition(), message.error()
                if error is None and number in open_:
                    ends[number] = max(ends[number], message.offset() + 1)
                elif error is not None and error.code() == KafkaError._PARTITION_EOF:
                    open_.discard(number)
    finally:
        consumer.close()
    return ends
