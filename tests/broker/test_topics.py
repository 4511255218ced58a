"""Topics as they are created, grown, emptied and deleted."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import NewPartitions, NewTopic
from kafka.protocol.admin import CreateTopicsRequest

from tests.broker.conftest import Kafka
from tests.broker.topics import Topics, code_of, consume, ends, produce
from tests.broker.wire import EARLIEST, NONE, OFFSET_OUT_OF_RANGE, Wire, batch_of, values_in
from tests.support.processes import wait_until

_SECONDS = 20


def _create(
    topics: Topics, name: str, partitions: int = 1, replicas: int = 1, **options: object
) -> int | None:
    """Kafka's code of the refusal, None when the topic was created."""
    new = NewTopic(
        name, num_partitions=partitions, replication_factor=replicas, config=options.pop("config", {})
    )
    return _refusal(topics.admin.create_topics([new], operation_timeout=_SECONDS, **options)[name])


def _refusal(future: Future) -> int | None:
    error = future.exception(_SECONDS)
    return None if error is None else code_of(error)


def _delete(topics: Topics, name: str) -> int | None:
    return _refusal(topics.admin.delete_topics([name], operation_timeout=_SECONDS)[name])


def test_an_existing_topic_is_not_created_again(topics: Topics, topic: str) -> None:
    assert _create(topics, topic) == KafkaError.TOPIC_ALREADY_EXISTS


def test_an_unknown_topic_is_not_deleted(topics: Topics) -> None:
    assert _delete(topics, topics.name()) == KafkaError.UNKNOWN_TOPIC_OR_PART


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "x" * 250, "a\nb"])
def test_an_invalid_name_is_refused(topics: Topics, name: str) -> None:
    with pytest.raises((KafkaException, ValueError)) as refused:
        topics.admin.create_topics([NewTopic(name, 1, 1)])[name].result(_SECONDS)
    if isinstance(refused.value, KafkaException):
        assert code_of(refused.value) in {KafkaError.TOPIC_EXCEPTION, KafkaError._INVALID_ARG}


def test_the_longest_and_oddest_names_are_taken(kafka: Kafka, topics: Topics) -> None:
    for name in (topics.name() + "._-A9", (topics.name() + "x" * 249)[:249]):
        assert _create(topics, name) is None
        topics.wait_for_leaders(name, 1)
        assert produce(kafka.bootstrap, name, [b"x"]) == [0]
        assert _delete(topics, name) is None


@pytest.mark.parametrize("partitions", [0, -7])
def test_a_bad_number_of_partitions_is_refused(topics: Topics, wire: Wire, partitions: int) -> None:
    name = topics.name()
    new = CreateTopicsRequest.CreatableTopic(
        version=4, name=name, num_partitions=partitions, replication_factor=1, assignments=[], configs=[]
    )
    response = wire.call(CreateTopicsRequest(version=4, topics=[new], timeout_ms=5_000, validate_only=False))
    assert response.topics[0].error_code == KafkaError.INVALID_PARTITIONS
    assert wire.topic_id(name) is None


def test_more_replicas_than_brokers_are_refused(kafka: Kafka, topics: Topics) -> None:
    if kafka.kind == "given":
        pytest.skip("how many brokers it has is not known")
    assert _create(topics, topics.name(), replicas=3) == KafkaError.INVALID_REPLICATION_FACTOR


def test_an_unknown_setting_is_refused(topics: Topics) -> None:
    name = topics.name()
    assert _create(topics, name, config={"no.such.setting": "1"}) == KafkaError.INVALID_CONFIG
    assert _create(topics, name, config={"retention.ms": "soon"}) == KafkaError.INVALID_CONFIG
    assert _create(topics, name) is None


def test_validate_only_creates_nothing(topics: Topics, wire: Wire) -> None:
    name = topics.name()
    assert _create(topics, name, validate_only=True) is None
    assert wire.topic_id(name) is None


def test_the_default_number_of_partitions_and_replicas(topics: Topics) -> None:
    """-1 leaves both to the broker (KIP-464)."""
    name = topics.name()
    assert _create(topics, name, partitions=-1, replicas=-1) is None
    assert len(topics.admin.list_topics(topic=name, timeout=10).topics[name].partitions) >= 1


def test_a_deleted_topic_is_gone_and_comes_back_empty_with_a_new_id(
    kafka: Kafka, topics: Topics, wire: Wire
) -> None:
    name = topics.create()
    first = wire.topic_id(name)
    assert first
    produce(kafka.bootstrap, name, [b"old"] * 10)
    assert _delete(topics, name) is None
    wait_until(lambda: wire.topic_id(name) is None, what="the topic is gone")
    assert name not in topics.admin.list_topics(timeout=10).topics
    assert _create(topics, name) is None
    topics.wait_for_leaders(name, 1)
    second = wire.topic_id(name)
    assert second
    assert second != first
    assert ends(kafka.bootstrap, name) == (0, 0)
    assert produce(kafka.bootstrap, name, [b"new"]) == [0]
    assert [message.value() for message in consume(kafka.bootstrap, name, 1)] == [b"new"]


def test_partitions_are_added_and_never_removed(kafka: Kafka, topics: Topics) -> None:
    name = topics.create(partitions=2)
    produce(kafka.bootstrap, name, [b"x"], partition=1)

    def grow(total: int) -> int | None:
        return _refusal(topics.admin.create_partitions([NewPartitions(name, total)])[name])

    assert grow(4) is None
    wait_until(
        lambda: len(topics.admin.list_topics(topic=name, timeout=10).topics[name].partitions) == 4,
        what="four partitions",
    )
    topics.wait_for_leaders(name, 4)
    assert produce(kafka.bootstrap, name, [b"y"], partition=3) == [0]
    assert [message.value() for message in consume(kafka.bootstrap, name, 1, partition=1)] == [b"x"]
    assert grow(4) == KafkaError.INVALID_PARTITIONS
    assert grow(1) == KafkaError.INVALID_PARTITIONS


def test_partitions_of_an_unknown_topic(topics: Topics) -> None:
    name = topics.name()
    future = topics.admin.create_partitions([NewPartitions(name, 2)])[name]
    assert _refusal(future) == KafkaError.UNKNOWN_TOPIC_OR_PART


def _delete_records(topics: Topics, name: str, before: int) -> Future:
    place = TopicPartition(name, 0, before)
    (future,) = topics.admin.delete_records([place], request_timeout=_SECONDS).values()
    return future


def test_deleted_records_cannot_be_read(kafka: Kafka, topics: Topics, topic: str, wire: Wire) -> None:
    for number in range(10):
        wire.produce(topic, batch_of([b"%d" % number]))
    assert _delete_records(topics, topic, 6).result(_SECONDS).low_watermark == 6
    assert ends(kafka.bootstrap, topic) == (6, 10)
    assert wire.list_offset(topic, EARLIEST).offset == 6
    assert wire.fetch(topic, 5).error_code == OFFSET_OUT_OF_RANGE
    part = wire.fetch(topic, 6)
    assert (part.error_code, part.log_start_offset) == (NONE, 6)
    assert [pair for pair in values_in(part.records) if pair[0] >= 6] == [
        (n, b"%d" % n) for n in range(6, 10)
    ]
    found = consume(kafka.bootstrap, topic, 4, offset=0, auto_offset_reset="earliest")
    assert [message.offset() for message in found] == [6, 7, 8, 9]


def test_deletion_within_a_batch_hides_what_is_before(
    kafka: Kafka, topics: Topics, topic: str, wire: Wire
) -> None:
    wire.produce(topic, batch_of([b"%d" % number for number in range(10)]))
    assert _delete_records(topics, topic, 4).result(_SECONDS).low_watermark == 4
    found = consume(kafka.bootstrap, topic, 6, offset=4)
    assert [message.offset() for message in found] == [4, 5, 6, 7, 8, 9]
    assert wire.fetch(topic, 3).error_code == OFFSET_OUT_OF_RANGE


def test_all_records_are_deleted_and_offsets_go_on(kafka: Kafka, topics: Topics, topic: str) -> None:
    """-1 (confluent: OFFSET_END) stands for the end."""
    produce(kafka.bootstrap, topic, [b"x"] * 5)
    assert _delete_records(topics, topic, -1).result(_SECONDS).low_watermark == 5
    assert ends(kafka.bootstrap, topic) == (5, 5)
    assert produce(kafka.bootstrap, topic, [b"y"]) == [5]


def test_deleting_beyond_the_end_is_refused(kafka: Kafka, topics: Topics, topic: str) -> None:
    produce(kafka.bootstrap, topic, [b"x"] * 5)
    assert _refusal(_delete_records(topics, topic, 6)) == KafkaError.OFFSET_OUT_OF_RANGE
    assert ends(kafka.bootstrap, topic) == (0, 5)
