"""What is deleted for its age or the log's size, and what compaction keeps."""

from __future__ import annotations

import random
import time

from confluent_kafka import Message

from tests.broker.conftest import Kafka
from tests.broker.topics import Sender, Topics, consume, consume_to_end, ends, produce
from tests.support.processes import wait_until

_SEGMENT_BYTES = 1 << 20  # the least that Apache Kafka takes
_PATIENCE_S = 60  # how long housekeeping may be in coming


def _kilobytes(count: int, seed: int) -> list[bytes]:
    numbers = random.Random(seed)
    return [numbers.randbytes(1_000) for _ in range(count)]


def test_a_log_over_its_size_loses_its_oldest_segments(kafka: Kafka, topics: Topics) -> None:
    name = topics.create(segment_bytes=_SEGMENT_BYTES, retention_bytes=2 * _SEGMENT_BYTES)
    values = _kilobytes(6_000, seed=1)
    produce(kafka.bootstrap, name, values)
    wait_until(lambda: ends(kafka.bootstrap, name)[0] >= 2_500, _PATIENCE_S, "retention by size")
    low, high = ends(kafka.bootstrap, name)
    assert high == 6_000
    assert high - low >= 2 * _SEGMENT_BYTES // 1_100, "more was deleted than the setting says"
    found = consume(kafka.bootstrap, name, high - low, offset=low)
    assert [message.value() for message in found] == values[low:]


def test_messages_past_their_time_are_deleted_with_their_segment(kafka: Kafka, topics: Topics) -> None:
    """By create time: the old segments go, the one with fresh messages stays."""
    name = topics.create(segment_bytes=_SEGMENT_BYTES, retention_ms=3_600_000)
    now_ms = int(time.time() * 1000)
    sender = Sender(kafka.bootstrap)
    for value in _kilobytes(3_000, seed=2):
        sender.send(name, value, timestamp=now_ms - 7_200_000, partition=0)
    for value in _kilobytes(1_500, seed=3):
        sender.send(name, value, timestamp=now_ms, partition=0)
    sender.flush()
    wait_until(lambda: ends(kafka.bootstrap, name)[0] >= 1_500, _PATIENCE_S, "retention by time")
    low, high = ends(kafka.bootstrap, name)
    assert high == 4_500
    assert low <= 3_000, "fresh messages were deleted"
    assert consume(kafka.bootstrap, name, high - low, offset=low)[-1].offset() == 4_499


def test_without_limits_nothing_is_deleted(kafka: Kafka, topics: Topics) -> None:
    name = topics.create(segment_bytes=_SEGMENT_BYTES, retention_ms=-1, retention_bytes=-1)
    bounded = topics.create(segment_bytes=_SEGMENT_BYTES, retention_bytes=_SEGMENT_BYTES)
    values = _kilobytes(4_000, seed=4)
    produce(kafka.bootstrap, name, values)
    produce(kafka.bootstrap, bounded, values)
    wait_until(lambda: ends(kafka.bootstrap, bounded)[0] > 0, _PATIENCE_S, "housekeeping has been")
    assert ends(kafka.bootstrap, name) == (0, 4_000)


def test_compaction_keeps_the_last_value_of_every_key(kafka: Kafka, topics: Topics) -> None:
    name = topics.create(
        cleanup_policy="compact",
        segment_bytes=_SEGMENT_BYTES,
        min_cleanable_dirty_ratio="0.01",
        delete_retention_ms=0,
    )
    sender = Sender(kafka.bootstrap, acks="all")
    numbers = random.Random(5)
    last: dict[bytes, bytes | None] = {}
    for number in range(6_000):
        key = b"key-%d" % numbers.randrange(50)
        last[key] = None if number > 5_900 and number % 10 == 0 else b"%d:" % number + numbers.randbytes(500)
        sender.send(name, last[key], key=key, partition=0)
    sender.flush()

    def readable() -> list[Message]:
        found = consume_to_end(kafka.bootstrap, name, offset=ends(kafka.bootstrap, name)[0])
        return found if len(found) < 5_000 else []

    found = wait_until(readable, _PATIENCE_S, "compaction")
    offsets = [message.offset() for message in found]
    assert offsets == sorted(set(offsets))
    assert offsets[-1] == 5_999, "offsets are kept, the last one too"
    kept: dict[bytes, bytes | None] = {}
    for message in found:
        kept[message.key()] = message.value()
    assert {key: value for key, value in kept.items() if value is not None} == {
        key: value for key, value in last.items() if value is not None
    }


def test_compaction_wants_keys(kafka: Kafka, topics: Topics) -> None:
    name = topics.create(cleanup_policy="compact")
    sender = Sender(kafka.bootstrap)
    sender.send(name, b"no key", partition=0)
    sender.flush()
    assert len(sender.failed) == 1
    sender.send(name, b"with key", key=b"k", partition=0)
    sender.flush()
    assert len(sender.delivered) == 1
