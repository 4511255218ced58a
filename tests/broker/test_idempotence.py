"""The idempotent producer: what is sent twice is written once, and nothing is written out of order."""

from __future__ import annotations

import pytest

from tests.broker.conftest import Kafka
from tests.broker.topics import consume, produce
from tests.broker.wire import (
    DUPLICATE_SEQUENCE_NUMBER,
    INVALID_PRODUCER_EPOCH,
    NONE,
    OUT_OF_ORDER_SEQUENCE_NUMBER,
    Wire,
    batch_of,
    values_in,
)

_LAST_SEQUENCE = 2**31 - 1


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_idempotent_producer(kafka: Kafka, topic: str, codec: str) -> None:
    values = [b"%d" % number for number in range(2000)]
    offsets = produce(kafka.bootstrap, topic, values, enable_idempotence=True, compression_type=codec)
    assert offsets == list(range(2000))
    assert [message.value() for message in consume(kafka.bootstrap, topic, 2000)] == values


def test_producers_have_ids_of_their_own(wire: Wire) -> None:
    ids = [wire.new_producer() for _ in range(5)]
    assert len({number for number, _ in ids}) == 5
    assert {epoch for _, epoch in ids} == {0}


def test_a_batch_sent_again_is_answered_with_its_first_offset(topic: str, wire: Wire) -> None:
    producer = wire.new_producer()
    batches = [batch_of([b"%d" % n, b"b"], producer=producer, sequence=2 * n) for n in range(5)]
    for repeat in range(3):  # the last five batches are known
        for number, batch in enumerate(batches):
            found = wire.produce(topic, batch)
            assert (found.error_code, found.base_offset) == (NONE, 2 * number), repeat
    assert len(values_in(wire.fetch(topic, 0).records)) == 10


def test_an_old_duplicate_is_not_written_again(topic: str, wire: Wire) -> None:
    """Beyond the last five batches the offset is forgotten; written again it must not be."""
    producer = wire.new_producer()
    batches = [batch_of([b"%d" % n], producer=producer, sequence=n) for n in range(20)]
    for batch in batches:
        assert wire.produce(topic, batch).error_code == NONE
    found = wire.produce(topic, batches[0])
    assert found.error_code in {NONE, DUPLICATE_SEQUENCE_NUMBER, OUT_OF_ORDER_SEQUENCE_NUMBER}
    assert wire.fetch(topic, 0).high_watermark == 20


def test_a_gap_is_refused_until_it_is_filled(topic: str, wire: Wire) -> None:
    producer = wire.new_producer()
    first, second, third = (batch_of([b"%d" % n], producer=producer, sequence=n) for n in range(3))
    assert wire.produce(topic, first).error_code == NONE
    assert wire.produce(topic, third).error_code == OUT_OF_ORDER_SEQUENCE_NUMBER
    assert [wire.produce(topic, batch).base_offset for batch in (second, third)] == [1, 2]
    assert values_in(wire.fetch(topic, 0).records) == [(0, b"0"), (1, b"1"), (2, b"2")]


def test_sequences_are_counted_by_producer_and_partition(topics, wire: Wire) -> None:
    name = topics.create(partitions=2)
    for producer in (wire.new_producer(), wire.new_producer()):
        for partition in range(2):
            found = wire.produce(name, batch_of([b"x"], producer=producer, sequence=0), partition=partition)
            assert found.error_code == NONE
    assert [wire.fetch(name, 0, partition=partition).high_watermark for partition in range(2)] == [2, 2]


def test_a_higher_epoch_begins_at_0_and_fences_the_lower(topic: str, wire: Wire) -> None:
    number, epoch = wire.new_producer()
    old, new = (number, epoch), (number, epoch + 1)
    assert wire.produce(topic, batch_of([b"a"], producer=old, sequence=0)).error_code == NONE
    unstarted = wire.produce(topic, batch_of([b"b"], producer=new, sequence=1))
    assert unstarted.error_code == OUT_OF_ORDER_SEQUENCE_NUMBER
    assert wire.produce(topic, batch_of([b"b"], producer=new, sequence=0)).error_code == NONE
    fenced = wire.produce(topic, batch_of([b"c"], producer=old, sequence=1))
    assert fenced.error_code == INVALID_PRODUCER_EPOCH
    assert values_in(wire.fetch(topic, 0).records) == [(0, b"a"), (1, b"b")]


def test_sequences_go_round_after_the_highest_number(topic: str, wire: Wire) -> None:
    """A producer that the partition does not know yet may begin anywhere: here three before the wrap."""
    producer = wire.new_producer()
    for batch, offset in (
        (batch_of([b"a", b"b"], producer=producer, sequence=_LAST_SEQUENCE - 2), 0),
        (batch_of([b"c", b"d"], producer=producer, sequence=_LAST_SEQUENCE), 2),
        (batch_of([b"e"], producer=producer, sequence=1), 4),
    ):
        found = wire.produce(topic, batch)
        assert (found.error_code, found.base_offset) == (NONE, offset)
    assert [value for _, value in values_in(wire.fetch(topic, 0).records)] == [b"a", b"b", b"c", b"d", b"e"]
