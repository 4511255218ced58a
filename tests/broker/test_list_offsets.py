"""ListOffsets: the ends of a partition, and the offset that belongs to a time."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.broker.conftest import Kafka
from tests.broker.topics import Sender, Topics
from tests.broker.wire import EARLIEST, LATEST, NONE, UNKNOWN_TOPIC_OR_PARTITION, Wire, batch_of

_START_MS = 1_000 * (int(time.time()) - 3_600)  # not so long ago that retention deletes it
_MAX_TIMESTAMP = -3


def test_an_empty_partition_begins_and_ends_at_0(topic: str, wire: Wire) -> None:
    for asked in (EARLIEST, LATEST):
        found = wire.list_offset(topic, asked)
        assert (found.error_code, found.offset, found.timestamp) == (NONE, 0, -1)
    assert wire.list_offset(topic, 0).offset == -1


@pytest.mark.parametrize(
    ("after_ms", "offset"),
    [(-1, 0), (0, 0), (1, 3), (1_000, 3), (1_001, 6), (2_000, 6), (2_001, -1), (1 << 40, -1)],
)
def test_the_first_message_at_or_after_a_time(topic: str, wire: Wire, after_ms: int, offset: int) -> None:
    for number in range(3):
        wire.produce(topic, batch_of([b"x"] * 3, timestamp_ms=_START_MS + 1_000 * number))
    found = wire.list_offset(topic, _START_MS + after_ms)
    assert (found.error_code, found.offset) == (NONE, offset)
    if offset >= 0:
        assert found.timestamp == _START_MS + 1_000 * (offset // 3)
    else:
        assert found.timestamp == -1


def test_a_time_within_a_batch_is_found_exactly(kafka: Kafka, topic: str) -> None:
    """Compressed too: the batch has to be opened."""
    sender = Sender(kafka.bootstrap, linger_ms=100, compression_type="lz4")
    for number in range(200):
        sender.send(topic, b"x" * 50, timestamp=_START_MS + number, partition=0)
    sender.flush()
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "unused"})
    try:
        for wanted in (0, 1, 57, 199):
            (found,) = consumer.offsets_for_times([TopicPartition(topic, 0, _START_MS + wanted)], 10)
            assert found.offset == wanted
        (found,) = consumer.offsets_for_times([TopicPartition(topic, 0, _START_MS + 200)], 10)
        assert found.offset == -1  # confluent's name for "the end"
    finally:
        consumer.close()


def test_times_need_not_rise(topic: str, wire: Wire) -> None:
    """A late message does not hide what follows: the first one at or after the time is what counts."""
    for offset_ms in (5_000, 1_000, 7_000, 2_000):
        wire.produce(topic, batch_of([b"x"], timestamp_ms=_START_MS + offset_ms))
    assert [wire.list_offset(topic, _START_MS + after).offset for after in (500, 1_500, 6_000, 7_001)] == [
        0,
        0,
        2,
        -1,
    ]


def test_the_message_of_the_latest_time(topic: str, wire: Wire) -> None:
    """Version 7 on (KIP-734)."""
    if 7 not in wire.versions()[2]:
        pytest.skip("the broker does not announce ListOffsets v7")
    for offset_ms in (5_000, 9_000, 7_000):
        wire.produce(topic, batch_of([b"x"], timestamp_ms=_START_MS + offset_ms))
    found = wire.list_offset(topic, _MAX_TIMESTAMP, version=7)
    assert (found.error_code, found.offset, found.timestamp) == (NONE, 1, _START_MS + 9_000)


def test_unknown_topic_and_partition_are_refused(topics: Topics, topic: str, wire: Wire) -> None:
    for name, partition in ((topics.name(), 0), (topic, 5)):
        assert wire.list_offset(name, LATEST, partition=partition).error_code == UNKNOWN_TOPIC_OR_PARTITION
