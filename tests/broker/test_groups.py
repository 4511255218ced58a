"""Consumer groups: joining, sharing, leaving, dying, and the offsets they commit."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    TopicPartition,
)
from confluent_kafka.admin import ConsumerGroupListing
from kafka.protocol.consumer import HeartbeatRequest, JoinGroupRequest, OffsetCommitRequest

from tests.broker.conftest import Kafka
from tests.broker.member import SESSION_MS
from tests.broker.topics import Topics, code_of, ends, poll_until, produce
from tests.broker.wire import NONE, Wire
from tests.support.processes import wait_until

_SECONDS = 20
_ILLEGAL_GENERATION = 22
_UNKNOWN_MEMBER_ID = 25
_MEMBER_ID_REQUIRED = 79


@pytest.fixture
def group() -> str:
    return f"g-{uuid.uuid4().hex[:12]}"


@contextmanager
def _member(kafka: Kafka, group: str, *topics: str, **config: Any) -> Iterator[Consumer]:
    """A consumer that has subscribed; it is assigned something when it is polled."""
    settings = {
        "bootstrap.servers": kafka.bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": SESSION_MS,
        "heartbeat.interval.ms": 200,
        "fetch.wait.max.ms": 50,
    }
    consumer = Consumer({**settings, **{key.replace("_", "."): value for key, value in config.items()}})
    consumer.subscribe(list(topics))
    try:
        yield consumer
    finally:
        consumer.close()


def _share(consumer: Consumer) -> int:
    return len(consumer.assignment())


def test_the_first_member_is_assigned_at_once(kafka: Kafka, topics: Topics, group: str) -> None:
    name = topics.create(partitions=3)
    begun = time.monotonic()
    with _member(kafka, group, name) as member:
        poll_until([member], lambda: _share(member) == 3, _SECONDS, "all partitions")
        if kafka.ours:  # no wait for more members: Apache Kafka's is 3 s unless configured
            assert time.monotonic() - begun < 1


@pytest.mark.parametrize("strategy", ["range", "roundrobin", "cooperative-sticky"])
def test_two_members_share_and_one_that_leaves_hands_over(
    kafka: Kafka, topics: Topics, group: str, strategy: str
) -> None:
    name = topics.create(partitions=4)
    options = {"partition_assignment_strategy": strategy}
    with _member(kafka, group, name, **options) as first:
        poll_until([first], lambda: _share(first) == 4, _SECONDS, "the first has all")
        with _member(kafka, group, name, **options) as second:
            both = [first, second]
            poll_until(both, lambda: [_share(member) for member in both] == [2, 2], _SECONDS, "two each")
            held = {(part.topic, part.partition) for member in both for part in member.assignment()}
            assert held == {(name, partition) for partition in range(4)}
        poll_until([first], lambda: _share(first) == 4, _SECONDS, "the first has all again")


def test_a_member_that_dies_is_replaced_when_its_session_is_over(
    kafka: Kafka, topics: Topics, group: str
) -> None:
    name = topics.create(partitions=4)
    command = [sys.executable, "-m", "tests.broker.member", kafka.bootstrap, group, name]
    with (
        _member(kafka, group, name) as survivor,
        subprocess.Popen(command, stdout=subprocess.DEVNULL) as mortal,
    ):
        try:
            poll_until([survivor], lambda: _share(survivor) == 2, _SECONDS, "two members")
        finally:
            mortal.kill()
        killed_at = time.monotonic()
        poll_until([survivor], lambda: _share(survivor) == 4, _SECONDS, "the survivor has all")
        assert time.monotonic() - killed_at > 1  # not before its session could be over
        for partition in range(4):
            produce(kafka.bootstrap, name, [b"x"], partition=partition)
        found: set[int] = set()
        while len(found) < 4:
            if (message := survivor.poll(_SECONDS)) is not None:
                found.add(message.partition())


def test_every_message_reaches_one_member_of_a_group_and_all_groups(kafka: Kafka, topics: Topics) -> None:
    name = topics.create(partitions=4)
    groups = [f"g-{uuid.uuid4().hex[:12]}" for _ in range(2)]
    for partition in range(4):
        produce(kafka.bootstrap, name, [b"%d-%d" % (partition, n) for n in range(50)], partition=partition)
    expected = sorted(b"%d-%d" % (partition, n) for partition in range(4) for n in range(50))
    for number in groups:
        with _member(kafka, number, name) as member:
            assert sorted(_read(member, 200)) == expected


def _read(member: Consumer, count: int) -> list[bytes]:
    """Values of the next messages; fails the test when they do not come, or more than those do."""
    found: list[bytes] = []
    deadline = time.monotonic() + _SECONDS
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} messages came"
        for message in member.consume(count, 0.2):
            assert message.error() is None
            found.append(message.value())
    assert not member.consume(1, 0.3)
    assert len(found) == count
    return found


def test_committed_offsets_outlive_the_members(kafka: Kafka, topic: str, group: str) -> None:
    produce(kafka.bootstrap, topic, [b"%d" % n for n in range(20)])
    with _member(kafka, group, topic) as member:
        found: list[bytes] = []
        while len(found) < 7:
            if (message := member.poll(_SECONDS)) is not None:
                found.append(message.value())
        member.commit(offsets=[TopicPartition(topic, 0, 7, metadata="seven")], asynchronous=False)
    with _member(kafka, group, topic) as member:
        (committed,) = member.committed([TopicPartition(topic, 0)], _SECONDS)
        assert (committed.offset, committed.metadata) == (7, "seven")
        message = member.poll(_SECONDS)
        assert message.offset() == 7


def test_what_was_never_committed_is_said_to_be_so(kafka: Kafka, topic: str, group: str) -> None:
    with _member(kafka, group, topic) as member:
        (committed,) = member.committed([TopicPartition(topic, 0)], _SECONDS)
        assert committed.offset == -1001  # OFFSET_INVALID
        assert committed.error is None


def test_lag_shown_is_lag_counted(kafka: Kafka, topics: Topics, group: str) -> None:
    name = topics.create(partitions=2)
    for partition, count in enumerate((30, 50)):
        produce(kafka.bootstrap, name, [b"x"] * count, partition=partition)
    places = [TopicPartition(name, 0, 12), TopicPartition(name, 1, 50)]
    with _member(kafka, group, name) as member:
        poll_until([member], lambda: _share(member) == 2, _SECONDS, "an assignment")
        member.commit(offsets=places, asynchronous=False)
    shown = _offsets(topics, group)
    lag = {part: ends(kafka.bootstrap, name, part)[1] - offset for (_, part), offset in shown.items()}
    assert lag == {0: 18, 1: 0}
    with _member(kafka, group, name) as member:
        came = poll_until([member], lambda: _share(member) == 2, _SECONDS, "an assignment")
        _read(member, sum(lag.values()) - len(came))


def _offsets(topics: Topics, group: str) -> dict[tuple[str, int], int]:
    """What the group has committed, as the admin's client reads it."""
    (future,) = topics.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
    return {(part.topic, part.partition): part.offset for part in future.result(_SECONDS).topic_partitions}


def _listed(topics: Topics) -> dict[str, ConsumerGroupListing]:
    return {found.group_id: found for found in topics.admin.list_consumer_groups().result(_SECONDS).valid}


def test_groups_are_listed_and_described(kafka: Kafka, topics: Topics, group: str) -> None:
    name = topics.create(partitions=2)
    with _member(kafka, group, name, client_id="described") as member:
        poll_until([member], lambda: _share(member) == 2, _SECONDS, "an assignment")
        assert _listed(topics)[group].state == ConsumerGroupState.STABLE
        (future,) = topics.admin.describe_consumer_groups([group]).values()
        found = future.result(_SECONDS)
        assert (found.state, found.partition_assignor) == (ConsumerGroupState.STABLE, "range")
        (described,) = found.members
        assert described.client_id == "described"
        assert described.host
        held = {(part.topic, part.partition) for part in described.assignment.topic_partitions}
        assert held == {(name, 0), (name, 1)}
    (future,) = topics.admin.describe_consumer_groups([group]).values()
    assert future.result(_SECONDS).state in {ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD}


def test_a_group_with_members_is_not_deleted_and_an_empty_one_is(
    kafka: Kafka, topics: Topics, group: str
) -> None:
    name = topics.create()
    produce(kafka.bootstrap, name, [b"x"] * 3)

    def delete(which: str) -> int | None:
        (future,) = topics.admin.delete_consumer_groups([which], request_timeout=_SECONDS).values()
        error = future.exception(_SECONDS)
        return None if error is None else code_of(error)

    with _member(kafka, group, name) as member:
        poll_until([member], lambda: _share(member) == 1, _SECONDS, "an assignment")
        member.commit(offsets=[TopicPartition(name, 0, 2)], asynchronous=False)
        assert delete(group) == KafkaError.NON_EMPTY_GROUP
    wait_until(lambda: delete(group) is None, _SECONDS, "the group is empty and deleted")
    assert group not in _listed(topics)
    assert delete(group) == KafkaError.GROUP_ID_NOT_FOUND
    with _member(kafka, group, name) as member:
        assert member.committed([TopicPartition(name, 0)], _SECONDS)[0].offset == -1001


def test_offsets_are_set_from_outside(kafka: Kafka, topics: Topics, topic: str, group: str) -> None:
    produce(kafka.bootstrap, topic, [b"%d" % n for n in range(10)])
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 4)])
    (future,) = topics.admin.alter_consumer_group_offsets([wanted]).values()
    assert future.result(_SECONDS).topic_partitions[0].error is None
    assert _offsets(topics, group) == {(topic, 0): 4}
    with _member(kafka, group, topic) as member:
        assert member.poll(_SECONDS).offset() == 4


def test_a_new_topic_that_a_pattern_matches_is_read(kafka: Kafka, topics: Topics, group: str) -> None:
    first = topics.create()
    stem = first[:-4]
    with _member(kafka, group, f"^{stem}.*", topic_metadata_refresh_interval_ms=300) as member:
        poll_until([member], lambda: _share(member) == 1, _SECONDS, "the first topic")
        second = f"{stem}-other"
        topics.adopt(second)
        poll_until([member], lambda: _share(member) == 2, _SECONDS, "both topics")


def _join(wire: Wire, group: str, member: str = "") -> Any:
    protocol = JoinGroupRequest.JoinGroupRequestProtocol(
        version=5, name="range", metadata=b"\0\0\0\0\0\0\0\0\0\0"
    )
    return wire.call(
        JoinGroupRequest(
            version=5,
            group_id=group,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=SESSION_MS,
            member_id=member,
            group_instance_id=None,
            protocol_type="consumer",
            protocols=[protocol],
        )
    )


def _heartbeat(wire: Wire, group: str, generation: int, member: str) -> int:
    request = HeartbeatRequest(
        version=3, group_id=group, generation_id=generation, member_id=member, group_instance_id=None
    )
    return int(wire.call(request).error_code)


def _commit(wire: Wire, topic: str, group: str, generation: int, member: str) -> int:
    of = OffsetCommitRequest.OffsetCommitRequestTopic
    part = of.OffsetCommitRequestPartition(
        version=7, partition_index=0, committed_offset=0, committed_leader_epoch=-1, committed_metadata=None
    )
    request = OffsetCommitRequest(
        version=7,
        group_id=group,
        generation_id_or_member_epoch=generation,
        member_id=member,
        group_instance_id=None,
        topics=[of(version=7, name=topic, partitions=[part])],
    )
    return int(wire.call(request).topics[0].partitions[0].error_code)


def test_strangers_and_past_generations_are_turned_away(topic: str, wire: Wire, group: str) -> None:
    asked = _join(wire, group)
    assert asked.error_code == _MEMBER_ID_REQUIRED  # KIP-394
    joined = _join(wire, group, asked.member_id)
    assert (joined.error_code, joined.leader) == (NONE, joined.member_id)
    member, generation = joined.member_id, joined.generation_id
    assert _heartbeat(wire, group, generation, "stranger") == _UNKNOWN_MEMBER_ID
    assert _heartbeat(wire, group, generation + 1, member) == _ILLEGAL_GENERATION
    assert _commit(wire, topic, group, generation, "stranger") == _UNKNOWN_MEMBER_ID
    assert _commit(wire, topic, group, generation + 1, member) == _ILLEGAL_GENERATION
    assert _join(wire, group, "stranger").error_code == _UNKNOWN_MEMBER_ID
