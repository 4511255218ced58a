"""Topics for tests, and what is in them, by way of confluent-kafka."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.broker.wire import LATEST, NONE, Wire
from tests.support.processes import wait_until

_TIMEOUT_S = 20.0


class Topics:
    """Makes topics under names of their own and deletes them at the end. A context manager."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        self._made: list[str] = []

    def __enter__(self) -> Topics:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._made:
            return
        for future in self.admin.delete_topics(self._made, operation_timeout=_TIMEOUT_S).values():
            if (error := future.exception(_TIMEOUT_S)) and code_of(error) != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise error

    def name(self) -> str:
        """A new name, of a topic that is not created here but is deleted if the test has."""
        self._made.append(f"t-{uuid.uuid4().hex[:12]}")
        return self._made[-1]

    def create(self, partitions: int = 1, **config: str | int) -> str:
        """Create a topic, wait until it can be used, and return its name; `max_message_bytes=` and the like."""
        return self.adopt(self.name(), partitions, **config)

    def adopt(self, name: str, partitions: int = 1, **config: str | int) -> str:
        """Create a topic under a name that the test has chosen."""
        if name not in self._made:
            self._made.append(name)
        settings = {key.replace("_", "."): str(value) for key, value in config.items()}
        new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=settings)
        self.admin.create_topics([new], operation_timeout=_TIMEOUT_S)[name].result(_TIMEOUT_S)
        self.wait_for_leaders(name, partitions)
        return name

    def wait_for_leaders(self, name: str, partitions: int) -> None:
        """Return when every partition answers: Apache Kafka creates a topic before its leaders know of it."""
        with Wire(self.bootstrap) as wire:
            for partition in range(partitions):
                wait_until(
                    lambda number=partition: (
                        wire.list_offset(name, LATEST, partition=number).error_code == NONE
                    ),
                    _TIMEOUT_S,
                    f"a leader of {name}/{partition}",
                )


def code_of(error: BaseException) -> int:
    """Kafka's code of an exception of confluent-kafka."""
    assert isinstance(error, KafkaException), repr(error)
    return int(error.args[0].code())


class Sender:
    """A producer that keeps the delivery reports in the order they came."""

    def __init__(self, bootstrap: str, **config: Any) -> None:
        self.delivered: list[Message] = []
        self.failed: list[tuple[KafkaError, Message]] = []
        settings = {key.replace("_", "."): value for key, value in config.items()}
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "linger.ms": 0, "log_level": 2, **settings}
        )

    def send(self, topic: str, value: bytes | None, **options: Any) -> None:
        self._producer.produce(topic, value, on_delivery=self._on_delivery, **options)
        self._producer.poll(0)

    def flush(self, timeout_s: float = _TIMEOUT_S) -> None:
        """Wait for all reports; fails the test when some are missing after the time-out."""
        assert self._producer.flush(timeout_s) == 0, "messages without a delivery report"

    def poll(self, timeout_s: float) -> None:
        self._producer.poll(timeout_s)

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.delivered.append(message)
        else:
            self.failed.append((error, message))


def produce(
    bootstrap: str, topic: str, values: Sequence[bytes], partition: int = 0, **config: Any
) -> list[int]:
    """Produce the values with acks=all to one partition; their offsets."""
    sender = Sender(bootstrap, **config)
    for value in values:
        sender.send(topic, value, partition=partition)
    sender.flush()
    assert not sender.failed, sender.failed
    return [message.offset() for message in sender.delivered]


@contextmanager
def reader(bootstrap: str, topic: str, partition: int, offset: int, **config: Any) -> Iterator[Consumer]:
    """A consumer, without a group, that is about to read a partition from an offset on."""
    settings = {key.replace("_", "."): value for key, value in config.items()}
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "unused",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
            **settings,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, partition, offset)])
        yield consumer
    finally:
        consumer.close()


def consume(
    bootstrap: str, topic: str, count: int, partition: int = 0, offset: int = 0, **config: Any
) -> list[Message]:
    """Read exactly `count` messages of a partition from an offset on; fails the test when they do not come."""
    found: list[Message] = []
    deadline = time.monotonic() + _TIMEOUT_S
    with reader(bootstrap, topic, partition, offset, **config) as consumer:
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages came"
            found += _messages(consumer.consume(count - len(found), 0.5))
    return found


def consume_to_end(bootstrap: str, topic: str, partition: int = 0, offset: int = 0) -> list[Message]:
    """Read all that a partition holds from an offset on, however many those are."""
    found: list[Message] = []
    deadline = time.monotonic() + _TIMEOUT_S
    with reader(bootstrap, topic, partition, offset) as consumer:
        while True:
            assert time.monotonic() < deadline, f"no end after {len(found)} messages"
            came = consumer.consume(1_000, 0.5)
            found += _messages(came)
            if any(message.error() for message in came):
                return found


def _messages(came: list[Message]) -> list[Message]:
    """Without the mark of the end; raises KafkaException for any other error."""
    for message in came:
        if (error := message.error()) and error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
    return [message for message in came if message.error() is None]


def ends(bootstrap: str, topic: str, partition: int = 0) -> tuple[int, int]:
    """First offset and the offset after the last, as the broker says now."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused"})
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), _TIMEOUT_S, cached=False)
        return low, high
    finally:
        consumer.close()


def poll_until(
    consumers: Sequence[Consumer], condition: Callable[[], bool], timeout_s: float, what: str
) -> list[Message]:
    """Poll the consumers in turn until the condition holds; the messages that came meanwhile."""
    found: list[Message] = []
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        for consumer in consumers:
            message = consumer.poll(0.05)
            if message is not None:
                assert message.error() is None, message.error()
                found.append(message)
    return found
