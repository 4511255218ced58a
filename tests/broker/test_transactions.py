"""Transactions: they work, or a client that wants them is told at once that there are none."""

from __future__ import annotations

import time
import uuid

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from tests.broker.conftest import Kafka
from tests.broker.topics import code_of, consume, ends, poll_until, produce
from tests.broker.wire import Wire

_END_TXN = 26
_SECONDS = 20


def _transactional(kafka: Kafka, name: str = "") -> Producer:
    return Producer(
        {"bootstrap.servers": kafka.bootstrap, "transactional.id": name or f"x-{uuid.uuid4().hex[:12]}"}
    )


@pytest.fixture
def offered(wire: Wire) -> None:
    """Skip where the broker announces no transactions; then the refusal below is what is tested."""
    if _END_TXN not in wire.versions():
        pytest.skip("the broker announces no transactions")


def test_where_there_are_none_the_client_is_told_so(kafka: Kafka, topic: str, wire: Wire) -> None:
    if _END_TXN in wire.versions():
        pytest.skip("the broker announces transactions")
    producer = _transactional(kafka)
    begun = time.monotonic()
    with pytest.raises(KafkaException) as refused:
        producer.init_transactions(_SECONDS)
    assert time.monotonic() - begun < _SECONDS / 2, "refused only by the client's own time-out"
    assert not refused.value.args[0].retriable()
    assert code_of(refused.value) != KafkaError._TIMED_OUT
    assert produce(kafka.bootstrap, topic, [b"others are served"]) == [0]


@pytest.mark.usefixtures("offered")
def test_what_is_committed_is_read_and_what_is_aborted_is_not(kafka: Kafka, topic: str) -> None:
    producer = _transactional(kafka)
    producer.init_transactions(_SECONDS)
    for word, commit in ((b"aborted", False), (b"committed", True), (b"aborted too", False), (b"also", True)):
        producer.begin_transaction()
        for _ in range(3):
            producer.produce(topic, word, partition=0)
        if commit:
            producer.commit_transaction(_SECONDS)
        else:
            producer.flush(_SECONDS)
            producer.abort_transaction(_SECONDS)
    found = consume(kafka.bootstrap, topic, 6, isolation_level="read_committed")
    assert [message.value() for message in found] == [b"committed"] * 3 + [b"also"] * 3
    everything = consume(kafka.bootstrap, topic, 12, isolation_level="read_uncommitted")
    assert [message.value() for message in everything].count(b"aborted") == 3
    assert ends(kafka.bootstrap, topic) == (0, 16)  # with one marker for each end


@pytest.mark.usefixtures("offered")
def test_an_open_transaction_is_not_read(kafka: Kafka, topic: str, wire: Wire) -> None:
    producer = _transactional(kafka)
    producer.init_transactions(_SECONDS)
    producer.begin_transaction()
    producer.produce(topic, b"not yet", partition=0)
    assert producer.flush(_SECONDS) == 0
    part = wire.fetch(topic, 0)
    assert (part.high_watermark, part.last_stable_offset) == (1, 0)
    producer.commit_transaction(_SECONDS)
    (message,) = consume(kafka.bootstrap, topic, 1, isolation_level="read_committed")
    assert message.value() == b"not yet"


@pytest.mark.usefixtures("offered")
def test_a_second_producer_of_the_same_id_fences_the_first(kafka: Kafka, topic: str) -> None:
    name = f"x-{uuid.uuid4().hex[:12]}"
    first, second = _transactional(kafka, name), _transactional(kafka, name)
    first.init_transactions(_SECONDS)
    first.begin_transaction()
    first.produce(topic, b"first", partition=0)
    assert first.flush(_SECONDS) == 0
    second.init_transactions(_SECONDS)
    with pytest.raises(KafkaException) as fenced:
        first.commit_transaction(_SECONDS)
    assert fenced.value.args[0].fatal()
    second.begin_transaction()
    second.produce(topic, b"second", partition=0)
    second.commit_transaction(_SECONDS)
    (message,) = consume(kafka.bootstrap, topic, 1, isolation_level="read_committed")
    assert message.value() == b"second"


@pytest.mark.usefixtures("offered")
def test_offsets_are_committed_with_the_transaction_or_not(kafka: Kafka, topic: str) -> None:
    produce(kafka.bootstrap, topic, [b"x"] * 5)
    group = f"g-{uuid.uuid4().hex[:12]}"
    producer = _transactional(kafka)
    producer.init_transactions(_SECONDS)
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": group, "auto.offset.reset": "earliest"}
        | {"enable.auto.commit": False, "isolation.level": "read_committed"}
    )
    try:
        consumer.subscribe([topic])
        poll_until([consumer], lambda: bool(consumer.assignment()), _SECONDS, "an assignment")
        for offset, commit in ((3, True), (5, False)):
            producer.begin_transaction()
            place = [TopicPartition(topic, 0, offset)]
            producer.send_offsets_to_transaction(place, consumer.consumer_group_metadata(), _SECONDS)
            if commit:
                producer.commit_transaction(_SECONDS)
            else:
                producer.abort_transaction(_SECONDS)
        (committed,) = consumer.committed([TopicPartition(topic, 0)], _SECONDS)
        assert committed.offset == 3
    finally:
        consumer.close()
