"""What our broker keeps: over kill -9 under load, a torn tail, an orderly restart and a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import ConfigResource, ResourceType

from tests.broker.topics import Sender, Topics, consume, consume_to_end, ends, produce
from tests.broker.wire import (
    NONE,
    OUT_OF_ORDER_SEQUENCE_NUMBER,
    Wire,
    batch_of,
    fetch_request,
    produce_request,
)
from tests.support.broker import BrokerProcess
from tests.support.processes import alive

_SECONDS = 20


def _created(broker: BrokerProcess, partitions: int = 1, **config: str | int) -> str:
    return Topics(broker.bootstrap).create(partitions, **config)  # goes with its broker


def test_kill_9_under_load_loses_and_doubles_nothing(own_broker: BrokerProcess) -> None:
    """One idempotent producer goes on across three kills: every message is there once, in order."""
    name = _created(own_broker, partitions=2)
    sender = Sender(own_broker.bootstrap, enable_idempotence=True, message_timeout_ms=60_000, linger_ms=2)
    sent = 0
    for _ in range(3):
        acknowledged = len(sender.delivered)
        while len(sender.delivered) < acknowledged + 5_000:
            for _ in range(100):
                sender.send(name, b"%d" % sent, partition=sent % 2)
                sent += 1
            sender.poll(0.005)
        own_broker.kill()
        for _ in range(200):
            sender.send(name, b"%d" % sent, partition=sent % 2)
            sent += 1
        own_broker.start()
    sender.flush(60)
    assert not sender.failed
    assert len(sender.delivered) == sent
    for partition in range(2):
        found = [int(message.value()) for message in consume_to_end(own_broker.bootstrap, name, partition)]
        assert found == list(range(partition, sent, 2))


def test_kill_9_loses_nothing_that_was_acknowledged_to_a_plain_producer(own_broker: BrokerProcess) -> None:
    name = _created(own_broker)
    sender = Sender(own_broker.bootstrap, acks="all", message_timeout_ms=2_000)
    number = 0
    while len(sender.delivered) < 5_000:
        for _ in range(100):
            sender.send(name, b"%d" % number, partition=0)
            number += 1
        sender.poll(0.005)
    own_broker.kill()
    sender.flush()
    own_broker.start()
    there = {message.offset(): message.value() for message in consume_to_end(own_broker.bootstrap, name)}
    acknowledged = {message.offset(): message.value() for message in sender.delivered}
    assert acknowledged.items() <= there.items()
    assert sorted(there) == list(range(len(there)))


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_all_that_was_set_up_is_there_after_a_restart(own_broker: BrokerProcess, how: str) -> None:
    topics = Topics(own_broker.bootstrap)
    name = topics.create(partitions=3, retention_ms=12_345_000)
    gone = topics.create()
    topics.admin.delete_topics([gone])[gone].result(_SECONDS)
    group = f"g-{uuid.uuid4().hex[:8]}"
    produce(own_broker.bootstrap, name, [b"%d" % n for n in range(10)], partition=1)
    (future,) = topics.admin.delete_records([TopicPartition(name, 1, 4)]).values()
    future.result(_SECONDS)
    place = ConsumerGroupTopicPartitions(group, [TopicPartition(name, 1, 7, "note")])
    (future,) = topics.admin.alter_consumer_group_offsets([place]).values()
    future.result(_SECONDS)
    with Wire(own_broker.bootstrap) as wire:
        topic_id = wire.topic_id(name)
    cluster_id = topics.admin.list_topics(timeout=10).cluster_id

    if how == "kill":
        own_broker.kill()
        own_broker.start()
    else:
        assert own_broker.stop() == 0
        own_broker.start()

    topics = Topics(own_broker.bootstrap)
    metadata = topics.admin.list_topics(timeout=10)
    assert metadata.cluster_id == cluster_id
    assert sorted(metadata.topics[name].partitions) == [0, 1, 2]
    assert gone not in metadata.topics
    with Wire(own_broker.bootstrap) as wire:
        assert wire.topic_id(name) == topic_id
    assert ends(own_broker.bootstrap, name, 1) == (4, 10)
    (future,) = topics.admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)]).values()
    assert future.result(_SECONDS)["retention.ms"].value == "12345000"
    asked = ConsumerGroupTopicPartitions(group)
    (future,) = topics.admin.list_consumer_group_offsets([asked]).values()
    (committed,) = future.result(_SECONDS).topic_partitions
    assert (committed.partition, committed.offset, committed.metadata) == (1, 7, "note")


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_a_duplicate_is_known_after_a_restart(own_broker: BrokerProcess, how: str) -> None:
    name = _created(own_broker)
    with Wire(own_broker.bootstrap) as wire:
        producer = wire.new_producer()
        batches = [batch_of([b"%d" % n, b"x"], producer=producer, sequence=2 * n) for n in range(4)]
        for batch in batches[:3]:
            assert wire.produce(name, batch).error_code == NONE
    getattr(own_broker, "kill" if how == "kill" else "stop")()
    own_broker.start()
    with Wire(own_broker.bootstrap) as wire:
        again = wire.produce(name, batches[2])
        assert (again.error_code, again.base_offset) == (NONE, 4)
        gap = batch_of([b"gap"], producer=producer, sequence=99)
        assert wire.produce(name, gap).error_code == OUT_OF_ORDER_SEQUENCE_NUMBER
        assert wire.produce(name, batches[3]).base_offset == 6
        assert wire.new_producer()[0] != producer[0]
        assert wire.fetch(name, 0).high_watermark == 8


def test_more_segments_than_files_may_be_open(own_broker: BrokerProcess) -> None:
    """A long log of small segments is no reason to run out of file descriptors, now or at the next start."""
    name = _created(own_broker, segment_bytes=1_024)
    value = b"x" * 1_000
    with Wire(own_broker.bootstrap) as wire:
        for begun in range(0, 2_500, 100):
            for _ in range(100):
                wire.send(produce_request(name, batch_of([value])))
            offsets = [wire.receive().responses[0].partition_responses[0].base_offset for _ in range(100)]
            assert offsets == list(range(begun, begun + 100))
    own_broker.restart()
    found = consume_to_end(own_broker.bootstrap, name)
    assert [message.offset() for message in found] == list(range(2_500))
    assert psutil.Process(own_broker.pid).num_fds() < 1_000


@pytest.mark.parametrize("commit", [True, False])
def test_an_open_transaction_is_ended_after_a_kill(own_broker: BrokerProcess, commit: bool) -> None:
    with Wire(own_broker.bootstrap) as wire:
        if 26 not in wire.versions():
            pytest.skip("the broker announces no transactions")
    name = _created(own_broker)
    producer = Producer({"bootstrap.servers": own_broker.bootstrap, "transactional.id": "across"})
    producer.init_transactions(_SECONDS)
    producer.begin_transaction()
    producer.produce(name, b"before", partition=0)
    assert producer.flush(_SECONDS) == 0
    own_broker.kill()
    own_broker.start()
    producer.produce(name, b"after", partition=0)
    assert producer.flush(_SECONDS) == 0
    if commit:
        producer.commit_transaction(_SECONDS)
    else:
        producer.abort_transaction(_SECONDS)
    produce(own_broker.bootstrap, name, [b"plain"])
    expected = [b"before", b"after", b"plain"] if commit else [b"plain"]
    found = consume(own_broker.bootstrap, name, len(expected), isolation_level="read_committed")
    assert [message.value() for message in found] == expected


def _segment_with(broker: BrokerProcess, marker: bytes) -> Path:
    """The file of the data directory in which the marker was written."""
    files = [path for path in broker.data_dir.rglob("*") if path.is_file()]
    (found,) = [path for path in files if marker in path.read_bytes()]
    return found


def _with_log(broker: BrokerProcess) -> tuple[str, Path]:
    """A topic of ten batches, each of one message, in a broker that is then killed; and its file."""
    name = _created(broker)
    with Wire(broker.bootstrap) as wire:
        for number in range(10):
            assert wire.produce(name, batch_of([b"marker-%d" % number])).error_code == NONE
    broker.kill()
    return name, _segment_with(broker, b"marker-9")


def _goes_on_at(broker: BrokerProcess, name: str, offset: int) -> None:
    """The log holds just the messages below the offset, in order, and takes the next one there."""
    assert ends(broker.bootstrap, name) == (0, offset)
    found = [message.value() for message in consume_to_end(broker.bootstrap, name)]
    assert found == [b"marker-%d" % number for number in range(offset)]
    assert produce(broker.bootstrap, name, [b"next"]) == [offset]
    assert [message.value() for message in consume(broker.bootstrap, name, 1, offset=offset)] == [b"next"]


@pytest.mark.parametrize("rest", [1, 11, 40, 70])
def test_a_batch_that_was_half_written_is_cut_off(own_broker: BrokerProcess, rest: int) -> None:
    name, segment = _with_log(own_broker)
    with segment.open("ab") as log:
        log.write((10).to_bytes(8, "big") + batch_of([b"torn"])[8:rest])
    own_broker.start()
    _goes_on_at(own_broker, name, 10)


def test_zeros_at_the_end_are_cut_off(own_broker: BrokerProcess) -> None:
    """As a file system leaves them that had grown the file before the data came."""
    name, segment = _with_log(own_broker)
    with segment.open("ab") as log:
        log.write(bytes(5_000))
    own_broker.start()
    _goes_on_at(own_broker, name, 10)


def test_a_last_batch_that_was_damaged_is_cut_off(own_broker: BrokerProcess) -> None:
    name, segment = _with_log(own_broker)
    data = bytearray(segment.read_bytes())
    data[data.rindex(b"marker-9")] ^= 0xFF
    segment.write_bytes(data)
    own_broker.start()
    _goes_on_at(own_broker, name, 9)


def test_a_second_broker_on_the_same_directory_is_refused(own_broker: BrokerProcess) -> None:
    command = [sys.executable, "-m", "broker", "--data-dir", str(own_broker.data_dir), "--port", "0"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert second.returncode != 0
    assert "READY" not in second.stdout
    assert str(own_broker.data_dir) in second.stderr
    assert "Traceback" not in second.stderr
    assert own_broker.running()


def test_an_orderly_stop_answers_no_parked_fetch_late(own_broker: BrokerProcess) -> None:
    """It ends at once though a client waits for messages, with exit code 0."""
    name = _created(own_broker)
    with Wire(own_broker.bootstrap) as wire:
        wire.send(fetch_request(name, 0, max_wait_ms=60_000))
        begun = time.monotonic()
        assert own_broker.stop() == 0
        assert time.monotonic() - begun < 8


def test_a_restart_stops_nothing_of_a_running_reader(own_broker: BrokerProcess) -> None:
    name = _created(own_broker)
    produce(own_broker.bootstrap, name, [b"before"])
    consumer = Consumer(
        {"bootstrap.servers": own_broker.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"}
        | {"session.timeout.ms": 6_000, "reconnect.backoff.max.ms": 200}
    )
    try:
        consumer.subscribe([name])
        found: list[bytes] = []
        _read_on(consumer, found, b"before")
        own_broker.restart()
        produce(own_broker.bootstrap, name, [b"after"])
        _read_on(consumer, found, b"after")
        assert found[0] == b"before"
        assert found[-1] == b"after"
    finally:
        consumer.close()


def _read_on(consumer: Consumer, found: list[bytes], until: bytes) -> None:
    deadline = time.monotonic() + 40
    while until not in found:
        assert time.monotonic() < deadline, f"{until!r} did not come"
        if (message := consumer.poll(0.2)) is not None and message.error() is None:
            found.append(message.value())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB; skipped where none may be mounted."""
    where = tmp_path / "small"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(where)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield where
    subprocess.run(["umount", str(where)], check=True)


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(12 << 20))
    with BrokerProcess(small_disk) as broker:
        name = _created(broker, retention_ms=-1)
        acknowledged = _fill(broker, name)
        assert alive(broker.pid)
        _there(broker, name, acknowledged)
        filler.unlink()
        offset = produce(broker.bootstrap, name, [b"room again"], message_timeout_ms=15_000)[0]
        assert offset >= len(acknowledged)
        _there(broker, name, {**acknowledged, offset: b"room again"})
        broker.kill()
        broker.start()
        _there(broker, name, {**acknowledged, offset: b"room again"})


def test_a_log_at_its_limit_refuses_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path, "--max-disk", "4M", "--upkeep-ms", "200") as broker:
        topics = Topics(broker.bootstrap)
        name = topics.create(retention_ms=-1)
        acknowledged = _fill(broker, name)
        _there(broker, name, acknowledged)
        (future,) = topics.admin.delete_records([TopicPartition(name, 0, -1)]).values()
        end = future.result(_SECONDS).low_watermark
        offset = produce(broker.bootstrap, name, [b"room again"], message_timeout_ms=15_000)[0]
        assert offset == end
        _there(broker, name, {offset: b"room again"}, end)


def _fill(broker: BrokerProcess, name: str) -> dict[int, bytes]:
    """Produce until a message has not been taken; value by offset of what was acknowledged."""
    sender = Sender(broker.bootstrap, message_timeout_ms=3_000, compression_type="none")
    for number in range(400):
        sender.send(name, b"%04d" % number + os.urandom(100_000), partition=0)
        sender.flush()
        if sender.failed:
            break
    assert sender.failed, "the disk is full and everything was acknowledged"
    assert sender.delivered
    return {message.offset(): message.value() for message in sender.delivered}


def _there(broker: BrokerProcess, name: str, acknowledged: dict[int, bytes], start: int = 0) -> None:
    read = consume_to_end(broker.bootstrap, name, offset=start)
    found = {message.offset(): message.value() for message in read}
    assert acknowledged.items() <= found.items()
