"""Fetch: long polls, byte limits, ranges and the high watermark."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from kafka.protocol.consumer import FetchRequest

from tests.broker.conftest import Kafka
from tests.broker.topics import Topics, consume, ends, produce
from tests.broker.wire import (
    NONE,
    OFFSET_OUT_OF_RANGE,
    UNKNOWN_TOPIC_OR_PARTITION,
    Wire,
    batch_of,
    fetch_request,
    produce_request,
    values_in,
)
from tests.support.broker import BrokerProcess


def test_with_nothing_to_read_the_answer_comes_at_max_wait(topic: str, wire: Wire) -> None:
    begun = time.monotonic()
    part = wire.fetch(topic, 0, max_wait_ms=300)
    assert time.monotonic() - begun >= 0.29
    assert (part.error_code, part.high_watermark, values_in(part.records)) == (NONE, 0, [])


def test_a_long_poll_is_answered_when_a_message_comes(kafka: Kafka, topic: str, wire: Wire) -> None:
    """Well before max_wait_ms, and a second connection is served meanwhile."""
    wire.send(fetch_request(topic, 0, max_wait_ms=25_000))
    with Wire(kafka.bootstrap) as other:
        time.sleep(0.2)  # nothing tells from outside that the poll is parked
        assert other.produce(topic, batch_of([b"now"])).error_code == NONE
        produced_at = time.monotonic()
    part = wire.receive().responses[0].partitions[0]
    assert values_in(part.records) == [(0, b"now")]
    assert time.monotonic() - produced_at < 10


def test_a_long_poll_over_many_partitions_is_answered_by_any(
    kafka: Kafka, topics: Topics, wire: Wire
) -> None:
    name = topics.create(partitions=3)
    request = fetch_request(name, 0, max_wait_ms=25_000)
    (template,) = request.topics[0].partitions
    request.topics[0].partitions = [
        FetchRequest.FetchTopic.FetchPartition(
            version=request.version,
            partition=partition,
            current_leader_epoch=-1,
            fetch_offset=0,
            last_fetched_epoch=-1,
            log_start_offset=-1,
            partition_max_bytes=template.partition_max_bytes,
        )
        for partition in range(3)
    ]
    wire.send(request)
    with Wire(kafka.bootstrap) as other:
        assert other.produce(name, batch_of([b"here"]), partition=2).error_code == NONE
    parts = {part.partition_index: values_in(part.records) for part in wire.receive().responses[0].partitions}
    assert parts[2] == [(0, b"here")]
    assert not parts.get(0)
    assert not parts.get(1)


def test_min_bytes_holds_the_answer_back(kafka: Kafka, topic: str, wire: Wire) -> None:
    batch = batch_of([b"x" * 1000])
    wire.send(fetch_request(topic, 0, max_wait_ms=25_000, min_bytes=3 * len(batch)))
    with Wire(kafka.bootstrap) as other:
        for _ in range(3):
            assert other.produce(topic, batch).error_code == NONE
    assert len(values_in(wire.receive().responses[0].partitions[0].records)) == 3


def test_a_message_that_comes_together_with_the_poll_is_not_missed(own_broker: BrokerProcess) -> None:
    """Both requests lie in the sockets when our broker looks at them: the poll first, then the message."""
    name = Topics(own_broker.bootstrap).create()
    with Wire(own_broker.bootstrap) as poller, Wire(own_broker.bootstrap) as sender:
        assert sender.produce(name, batch_of([b"0"])).error_code == NONE
        for offset in range(1, 6):
            assert poller.fetch(name, offset - 1).error_code == NONE
            begun = time.monotonic()
            os.kill(own_broker.pid, signal.SIGSTOP)
            poller.send(fetch_request(name, offset, max_wait_ms=20_000))
            sender.send(produce_request(name, batch_of([b"%d" % offset])))
            os.kill(own_broker.pid, signal.SIGCONT)
            assert values_in(poller.receive().responses[0].partitions[0].records)[0][0] == offset
            assert sender.receive().responses[0].partition_responses[0].error_code == NONE
            assert time.monotonic() - begun < 10


def test_a_client_that_leaves_in_a_long_poll_harms_nobody(kafka: Kafka, topic: str, wire: Wire) -> None:
    with Wire(kafka.bootstrap) as leaving:
        leaving.send(fetch_request(topic, 0, max_wait_ms=25_000))
    assert wire.produce(topic, batch_of([b"x"])).error_code == NONE
    assert len(values_in(wire.fetch(topic, 0).records)) == 1


def test_a_partitions_byte_limit_cuts_the_answer(topic: str, wire: Wire) -> None:
    for _ in range(10):
        wire.produce(topic, batch_of([b"x" * 1000]))
    part = wire.fetch(topic, 0, partition_max_bytes=3_500)
    assert 1 <= len(values_in(part.records)) <= 3
    assert part.high_watermark == 10
    assert len(bytes(part.records)) <= 3_500


def test_the_requests_byte_limit_cuts_the_answer(topic: str, wire: Wire) -> None:
    for _ in range(10):
        wire.produce(topic, batch_of([b"x" * 1000]))
    assert 1 <= len(values_in(wire.fetch(topic, 0, max_bytes=3_500).records)) <= 3


@pytest.mark.parametrize("limit", ["max_bytes", "partition_max_bytes"])
def test_a_first_batch_over_the_limit_comes_whole(topic: str, wire: Wire, limit: str) -> None:
    """Else a reader would never get past it (KIP-74)."""
    wire.produce(topic, batch_of([b"x" * 50_000]))
    wire.produce(topic, batch_of([b"next"]))
    part = wire.fetch(topic, 0, **{limit: 100})
    assert [len(value or b"") for _, value in values_in(part.records)] == [50_000]


def test_reading_goes_on_from_the_middle_of_a_batch(kafka: Kafka, topic: str, wire: Wire) -> None:
    wire.produce(topic, batch_of([b"%d" % number for number in range(10)]))
    found = consume(kafka.bootstrap, topic, 3, offset=7)
    assert [(message.offset(), message.value()) for message in found] == [(7, b"7"), (8, b"8"), (9, b"9")]


@pytest.mark.parametrize("offset", [-5, 4, 1_000])
def test_an_offset_that_does_not_exist_is_out_of_range(topic: str, wire: Wire, offset: int) -> None:
    wire.produce(topic, batch_of([b"a", b"b", b"c"]))
    part = wire.fetch(topic, offset, max_wait_ms=20_000)
    assert part.error_code == OFFSET_OUT_OF_RANGE
    at_the_end = wire.fetch(topic, 3)
    assert (at_the_end.error_code, values_in(at_the_end.records)) == (NONE, [])


def test_a_consumer_out_of_range_is_told_or_starts_over(kafka: Kafka, topic: str) -> None:
    produce(kafka.bootstrap, topic, [b"a", b"b"])
    with pytest.raises(KafkaException):
        consume(kafka.bootstrap, topic, 1, offset=99)
    found = consume(kafka.bootstrap, topic, 2, offset=99, auto_offset_reset="earliest")
    assert [message.value() for message in found] == [b"a", b"b"]


def test_fetch_of_an_unknown_topic_is_refused(topics: Topics, topic: str, wire: Wire) -> None:
    for name, partition in ((topics.name(), 0), (topic, 5)):
        part = wire.fetch(name, 0, partition=partition, max_wait_ms=20_000)
        assert part.error_code == UNKNOWN_TOPIC_OR_PARTITION


def test_the_high_watermark_is_exact(topic: str, wire: Wire) -> None:
    total = 0
    for count in (1, 3, 7, 1):
        wire.produce(topic, batch_of([b"x"] * count))
        total += count
        part = wire.fetch(topic, total - 1)
        assert (part.high_watermark, part.last_stable_offset, part.log_start_offset) == (total, total, 0)


def test_the_high_watermark_never_runs_ahead_of_what_can_be_read(kafka: Kafka, topic: str) -> None:
    """Readers race a writer: whatever lies below a watermark that was told is there when asked for."""

    def write() -> None:
        with Wire(kafka.bootstrap) as writer:
            for _ in range(40):
                for _ in range(5):
                    writer.send(produce_request(topic, batch_of([b"x" * 100] * 5)))
                for _ in range(5):
                    assert writer.receive().responses[0].partition_responses[0].error_code == NONE

    thread = threading.Thread(target=write)
    thread.start()
    offset = 0
    with Wire(kafka.bootstrap) as reader:
        while offset < 1_000:
            part = reader.fetch(topic, offset, max_wait_ms=100)
            assert part.error_code == NONE
            told = part.high_watermark
            found = [number for number, _ in values_in(part.records) if number >= offset]
            assert found == list(range(offset, offset + len(found)))
            offset += len(found)
            if told > offset:
                assert values_in(reader.fetch(topic, told - 1).records)[-1][0] >= told - 1
    thread.join()
    assert ends(kafka.bootstrap, topic) == (0, 1_000)


def test_consumers_watermarks_agree_with_the_log(kafka: Kafka, topic: str) -> None:
    produce(kafka.bootstrap, topic, [b"x"] * 123)
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": "unused", "auto.offset.reset": "earliest"}
    )
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        seen = 0
        while seen < 123:
            seen += len(consumer.consume(123, 5))
        assert consumer.get_watermark_offsets(TopicPartition(topic, 0), cached=True)[1] == 123
    finally:
        consumer.close()
