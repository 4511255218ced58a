"""Produce: acknowledgements, compression, everything a message carries, and limits on its size."""

from __future__ import annotations

import random

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, KafkaError

from tests.broker.conftest import Kafka
from tests.broker.topics import Sender, Topics, consume, ends, produce
from tests.broker.wire import (
    CORRUPT_MESSAGE,
    MESSAGE_TOO_LARGE,
    NONE,
    UNKNOWN_TOPIC_OR_PARTITION,
    Wire,
    batch_of,
    produce_request,
    values_in,
)
from tests.support.processes import wait_until

_READING = b'{"device_id":"dev-000123","metric":"temperature","value":21.37}'


@pytest.mark.parametrize("acks", ["1", "all"])
def test_acknowledged_messages_have_consecutive_offsets(kafka: Kafka, topic: str, acks: str) -> None:
    values = [b"%d" % number for number in range(1000)]
    assert produce(kafka.bootstrap, topic, values, acks=acks) == list(range(1000))
    assert [message.value() for message in consume(kafka.bootstrap, topic, 1000)] == values


def test_acks_0_is_not_answered_and_written(kafka: Kafka, topic: str, wire: Wire) -> None:
    wire.send(produce_request(topic, batch_of([b"unanswered"]), acks=0))
    assert wire.versions()  # the next response on this connection is the next request's
    wait_until(lambda: ends(kafka.bootstrap, topic) == (0, 1), what="the message is there")


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compressed_batches_come_back_as_they_were(kafka: Kafka, topic: str, codec: str) -> None:
    values = [_READING + b"%d" % number for number in range(500)]
    produce(kafka.bootstrap, topic, values, compression_type=codec, linger_ms=50)
    assert [message.value() for message in consume(kafka.bootstrap, topic, 500, check_crcs=True)] == values


def test_codecs_mix_in_one_partition(kafka: Kafka, topic: str) -> None:
    values = []
    for codec in ("zstd", "none", "gzip", "lz4", "snappy"):
        values += (chosen := [codec.encode() * 20 for _ in range(5)])
        produce(kafka.bootstrap, topic, chosen, compression_type=codec, linger_ms=20)
    assert [message.value() for message in consume(kafka.bootstrap, topic, 25)] == values


def test_keys_headers_timestamps_and_nulls_come_back(kafka: Kafka, topic: str) -> None:
    sender = Sender(kafka.bootstrap)
    headers = [("trace", b"\x00\xff"), ("trace", b"again"), ("empty", b""), ("null", None), ("näme", b"1")]
    sender.send(topic, b"value", key=b"key", headers=headers, timestamp=1_700_000_000_123, partition=0)
    sender.send(topic, None, key=b"tombstone", timestamp=1_600_000_000_000, partition=0)
    sender.send(topic, b"", key=b"", partition=0)
    sender.flush()
    first, second, third = consume(kafka.bootstrap, topic, 3)
    assert (first.key(), first.value(), first.headers()) == (b"key", b"value", headers)
    assert first.timestamp() == (TIMESTAMP_CREATE_TIME, 1_700_000_000_123)
    assert (second.key(), second.value(), second.headers()) == (b"tombstone", None, None)
    assert second.timestamp() == (TIMESTAMP_CREATE_TIME, 1_600_000_000_000)
    assert (third.key(), third.value()) == (b"", b"")


def test_log_append_time_is_the_brokers_clock(kafka: Kafka, topics: Topics) -> None:
    name = topics.create(message_timestamp_type="LogAppendTime")
    sender = Sender(kafka.bootstrap)
    sender.send(name, b"value", timestamp=1_700_000_000_123, partition=0)
    sender.flush()
    (message,) = consume(kafka.bootstrap, name, 1)
    kind, time_ms = message.timestamp()
    assert kind == TIMESTAMP_LOG_APPEND_TIME
    assert time_ms > 1_700_000_000_123
    assert sender.delivered[0].timestamp() == (kind, time_ms)


def test_keys_choose_the_partition_and_order_holds_within(kafka: Kafka, topics: Topics) -> None:
    name = topics.create(partitions=4)
    sender = Sender(kafka.bootstrap)
    for number in range(400):
        sender.send(name, b"%d" % number, key=b"device-%d" % (number % 16))
    sender.flush()
    seen: dict[bytes, list[int]] = {}
    for partition in range(4):
        low, high = ends(kafka.bootstrap, name, partition)
        for message in consume(kafka.bootstrap, name, high - low, partition):
            seen.setdefault(message.key(), []).append(int(message.value()))
    assert seen == {b"device-%d" % key: list(range(key, 400, 16)) for key in range(16)}


def test_a_message_of_several_megabytes(kafka: Kafka, topics: Topics) -> None:
    name = topics.create(max_message_bytes=8 << 20)
    value = random.Random(1).randbytes(5 << 20)
    produce(kafka.bootstrap, name, [b"before", value, b"after"], message_max_bytes=8 << 20)
    found = consume(kafka.bootstrap, name, 3, fetch_message_max_bytes=1 << 20)
    assert [message.value() for message in found] == [b"before", value, b"after"]


def test_a_message_over_the_topics_limit_is_refused_and_the_next_is_not(kafka: Kafka, topics: Topics) -> None:
    name = topics.create(max_message_bytes=10_000)
    sender = Sender(kafka.bootstrap)
    sender.send(name, b"x" * 20_000, partition=0)
    sender.flush()
    sender.send(name, b"x" * 5_000, partition=0)
    sender.flush()
    assert [error.code() for error, _ in sender.failed] == [KafkaError.MSG_SIZE_TOO_LARGE]
    assert [message.offset() for message in sender.delivered] == [0]


def test_the_limit_is_on_the_batch(topics: Topics, wire: Wire) -> None:
    name = topics.create(max_message_bytes=1_000)
    just, over = batch_of([b"x" * 900]), batch_of([b"x" * 600] * 2)
    assert len(just) <= 1_000
    assert wire.produce(name, over).error_code == MESSAGE_TOO_LARGE
    accepted = wire.produce(name, just)
    assert (accepted.error_code, accepted.base_offset) == (NONE, 0)


def test_a_damaged_batch_is_refused(topic: str, wire: Wire) -> None:
    whole = batch_of([b"value"])
    damaged = whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:]
    assert wire.produce(topic, damaged).error_code == CORRUPT_MESSAGE
    accepted = wire.produce(topic, whole)
    assert (accepted.error_code, accepted.base_offset) == (NONE, 0)
    assert values_in(wire.fetch(topic, 0).records) == [(0, b"value")]


def test_unknown_topic_and_partition_are_refused(topics: Topics, topic: str, wire: Wire) -> None:
    assert wire.produce(topics.name(), batch_of([b"x"])).error_code == UNKNOWN_TOPIC_OR_PARTITION
    assert wire.produce(topic, batch_of([b"x"]), partition=7).error_code == UNKNOWN_TOPIC_OR_PARTITION
    assert wire.produce(topic, batch_of([b"x"])).error_code == NONE
