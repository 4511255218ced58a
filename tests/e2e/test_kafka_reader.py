"""The Kafka reader against a real broker (the embedded one): nothing lost, nothing twice, no generation mixed
with another.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicCollection
from confluent_kafka.admin import AdminClient, NewTopic

from engine.connectors.external import load
from engine.connectors.formats import Format
from engine.connectors.kafka import (
    BrokerUnreachableError,
    KafkaReader,
    TopicChangedError,
    TopicMissingError,
    probe_topic,
    read_range,
    start_positions,
)
from engine.connectors.source import Batch, Position, SourceColumn, SourceSpec, source_spec
from tests.support.processes import free_port, wait_until
from tests.support.registry import avro, registry

_COLUMNS = (
    SourceColumn("data", "bytea", "field"),
    SourceColumn("p", "integer", "partition"),
    SourceColumn("o", "bigint", "offset"),
)


class Broker:
    """A broker on a port of its own, which can be killed, made to forget, and started again there."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._log = log
        self._data_dir = log.with_suffix(".data")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = ["--data-dir", str(self._data_dir), "--port", str(self.port)]
        command = [sys.executable, "-m", "broker", *arguments]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, 20, f"broker at {self.bootstrap}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """Lose all topics, as a broker does whose disk is replaced; only while it is killed."""
        shutil.rmtree(self._data_dir)

    def create(self, topic: str, partitions: int = 2) -> None:
        admin = self._admin()
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(10)

    def delete(self, topic: str) -> None:
        admin = self._admin()
        admin.delete_topics([topic])[topic].result(10)

    def produce(self, topic: str, values: list[str], partition: int | None = None) -> None:
        """Produce in turn to partitions 0 and 1, or all to one; returns when all are acknowledged."""
        failed: list[object] = []
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 1, "log_level": 0})
        for index, value in enumerate(values):
            producer.produce(
                topic,
                value.encode(),
                partition=index % 2 if partition is None else partition,
                on_delivery=lambda error, _: failed.append(error) if error else None,
            )
            producer.poll(0)
        assert producer.flush(20) == 0
        assert not failed

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def _answers(self) -> bool:
        try:
            return bool(self._admin().list_topics(timeout=1).brokers)
        except Exception:
            return False


@dataclass
class Reading:
    """A started reader and all that was taken from it."""

    reader: KafkaReader
    wake: threading.Event
    batches: list[Batch] = field(default_factory=list)

    def take_until(self, done: Callable[[], bool], timeout_s: float = 15, max_rows: int = 1_000_000) -> None:
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, (len(self.values()), self.reader.status())
            self.wake.wait(0.05)
            self.wake.clear()
            while batch := self.reader.take(max_rows):
                self.batches.append(batch)

    def values(self) -> list[str]:
        return [row[0].decode() for batch in self.batches for row in batch.rows]

    def ids(self) -> list[tuple[str, str]]:
        return [(each.old_id, each.new_id) for batch in self.batches for each in batch.new_generations]


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker.log")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def read() -> Iterator[Callable[..., Reading]]:
    """Start a reader; it is stopped after the test."""
    readers: list[KafkaReader] = []

    def start(spec: SourceSpec, positions: dict[int, Position] | None = None, **limits: int) -> Reading:
        wake = threading.Event()
        reader = KafkaReader(spec, positions or {}, wake=wake, **limits)
        readers.append(reader)
        reader.start()
        return Reading(reader, wake)

    yield start
    for reader in readers:
        reader.stop()


def raw(broker: Broker, topic: str = "t", startup: str = "earliest") -> SourceSpec:
    options = {
        "connector": "kafka",
        "topic": topic,
        "properties.bootstrap.server": broker.bootstrap,
        "scan.startup.mode": startup,
    }
    return source_spec("s", _COLUMNS, options, Format(encode="bytes"))


def numbered(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_everything_once_in_partition_order_with_positions(
    own_broker: Broker, read: Callable[..., Reading]
) -> None:
    own_broker.create("t")
    own_broker.produce("t", numbered("a", 5_000))
    spec = raw(own_broker)
    reading = read(spec, start_positions(spec))
    reading.take_until(lambda: len(reading.values()) >= 5_000, max_rows=700)
    own_broker.produce("t", numbered("b", 100))
    reading.take_until(lambda: len(reading.values()) >= 5_100)
    assert sorted(reading.values()) == sorted(numbered("a", 5_000) + numbered("b", 100))
    next_offset = {0: 0, 1: 0}
    for batch in reading.batches:
        assert len(batch.rows) <= 700 or batch is reading.batches[-1]
        for _, partition, offset in batch.rows:
            assert offset == next_offset[partition]
            next_offset[partition] += 1
        for partition, position in batch.positions.items():
            assert position.offset == next_offset[partition]
    assert next_offset == {0: 2_550, 1: 2_550}
    partitions, error = reading.reader.status()
    assert error is None
    assert [each.next_offset for each in partitions] == [2_550, 2_550]


def test_goes_on_from_positions(own_broker: Broker, read: Callable[..., Reading]) -> None:
    own_broker.create("t")
    own_broker.produce("t", numbered("a", 10), partition=0)
    topic_id, partitions = probe_topic(raw(own_broker))
    assert partitions == [0, 1]
    reading = read(raw(own_broker), {0: Position(topic_id, 0, 7)})
    reading.take_until(lambda: len(reading.values()) >= 3)
    assert reading.values() == ["a7", "a8", "a9"]
    assert reading.ids() == []


def test_latest_is_the_true_end(own_broker: Broker) -> None:
    """Some brokers list the base offset of the last batch + 1 as the end."""
    own_broker.create("t", 3)
    own_broker.produce("t", numbered("a", 50), partition=0)
    own_broker.produce("t", numbered("a", 1), partition=1)
    positions = start_positions(raw(own_broker, startup="latest"))
    assert {each: position.offset for each, position in positions.items()} == {0: 50, 1: 1, 2: 0}


@pytest.mark.parametrize("count", [3, 500])
def test_a_broker_that_lost_its_topics_starts_a_generation(
    own_broker: Broker, read: Callable[..., Reading], count: int, caplog: pytest.LogCaptureFixture
) -> None:
    """kill -9 and a start on the same port: fewer messages than before, and more."""
    caplog.set_level("INFO", "engine.connectors")
    own_broker.create("t")
    own_broker.produce("t", numbered("old", 100))
    spec = raw(own_broker)
    before = start_positions(spec)
    reading = read(spec, before)
    reading.take_until(lambda: len(reading.values()) >= 100)
    own_broker.kill()
    own_broker.forget()
    wait_until(lambda: reading.reader.status()[1] is not None, 10, "an error in status")
    own_broker.start()
    wait_until(
        lambda: "does not exist" in (reading.reader.status()[1] or ""), 10, "a missing topic in status"
    )
    own_broker.create("t")
    own_broker.produce("t", numbered("new", count))
    reading.take_until(lambda: len(reading.values()) >= 100 + count)
    topic_id, _ = probe_topic(spec)
    assert sorted(reading.values()) == sorted(numbered("old", 100) + numbered("new", count))
    assert reading.ids() == [(before[0].topic_id, topic_id)]
    for batch in reading.batches:
        assert len({row[0][:3] for row in batch.rows}) <= 1
        assert len({position.topic_id for position in batch.positions.values()}) <= 1
    assert reading.reader.status()[1] is None
    assert sum("no Kafka broker answers" in each.message for each in caplog.records) <= 2


def test_topic_recreated_while_the_reader_was_down(own_broker: Broker, read: Callable[..., Reading]) -> None:
    own_broker.create("t")
    own_broker.produce("t", numbered("old", 10))
    spec = raw(own_broker)
    old_id, _ = probe_topic(spec)
    own_broker.delete("t")
    own_broker.create("t", 3)
    own_broker.produce("t", numbered("new", 10))
    reading = read(spec, {0: Position(old_id, 0, 5), 1: Position(old_id, 1, 5)})
    reading.take_until(lambda: len(reading.values()) >= 10)
    assert sorted(reading.values()) == sorted(numbered("new", 10))
    new_id, _ = probe_topic(spec)
    assert reading.ids() == [(old_id, new_id)]
    assert set(reading.batches[0].positions) == {0, 1, 2}


def test_an_offset_beyond_the_end_is_not_waited_for(
    own_broker: Broker, read: Callable[..., Reading], caplog: pytest.LogCaptureFixture
) -> None:
    own_broker.create("t")
    own_broker.produce("t", numbered("a", 10), partition=0)
    topic_id, _ = probe_topic(raw(own_broker))
    reading = read(raw(own_broker), {0: Position(topic_id, 0, 50), 1: Position(topic_id, 1, 0)})
    wait_until(lambda: reading.reader.status()[0][0].next_offset == 10, 10, "the position to move to the end")
    own_broker.produce("t", numbered("b", 3), partition=0)
    reading.take_until(lambda: len(reading.values()) >= 3)
    assert reading.values() == ["b0", "b1", "b2"]
    assert "ends at 10, before the offset to read" in caplog.text


def test_pending_rows_are_bounded_and_nothing_is_lost(
    own_broker: Broker, read: Callable[..., Reading]
) -> None:
    own_broker.create("t")
    own_broker.produce("t", numbered("a", 30_000))
    spec = raw(own_broker)
    reading = read(spec, start_positions(spec), max_pending_rows=5_000)
    pending = reading.reader._pending
    wait_until(lambda: pending.rows >= 5_000, 10, "the reader to fill its queue")
    assert pending.rows < 5_000 + 2_000
    reading.take_until(lambda: len(reading.values()) >= 30_000, max_rows=1_000)
    assert sorted(reading.values()) == sorted(numbered("a", 30_000))


def test_pending_bytes_are_bounded(own_broker: Broker, read: Callable[..., Reading]) -> None:
    own_broker.create("t")
    own_broker.produce("t", [f"{number:0>10000}" for number in range(2_000)])
    spec = raw(own_broker)
    reading = read(spec, start_positions(spec), max_pending_bytes=1 << 20)
    wait_until(lambda: reading.reader._pending.size_bytes >= 1 << 20, 10, "the reader to fill its queue")
    assert len(reading.reader._pending._entries[0].decoded.rows) <= 2_000
    reading.take_until(lambda: len(reading.values()) >= 2_000)
    assert len(set(reading.values())) == 2_000


def test_read_range_is_exact(own_broker: Broker) -> None:
    own_broker.create("t", 3)
    own_broker.produce("t", numbered("a", 10_000))
    spec = raw(own_broker)
    topic_id, _ = probe_topic(spec)
    start = {0: Position(topic_id, 0, 100)}
    end = {0: Position(topic_id, 0, 3_000), 1: Position(topic_id, 1, 4_321), 2: Position(topic_id, 2, 0)}
    batches = list(read_range(spec, start, end, 1_000))
    assert [len(batch.rows) for batch in batches[:-1]] == [1_000] * 7
    assert len(batches[-1].rows) == 221
    rows = sorted((row[1], row[2]) for batch in batches for row in batch.rows)
    assert rows == [(0, n) for n in range(100, 3_000)] + [(1, n) for n in range(4_321)]
    assert batches[-1].positions == end


def test_read_range_refuses_what_is_not_there(own_broker: Broker) -> None:
    own_broker.create("t")
    own_broker.produce("t", numbered("a", 10), partition=0)
    spec = raw(own_broker)
    topic_id, _ = probe_topic(spec)
    with pytest.raises(TopicChangedError, match="does not hold"):
        list(read_range(spec, {}, {0: Position("another", 0, 10)}, 100))
    with pytest.raises(TopicChangedError) as refused:
        list(read_range(spec, {}, {0: Position(topic_id, 0, 11)}, 100))
    assert refused.value.detail == "partition 0 ends at 10, not at 11"


def test_missing_topic_and_missing_broker_are_told_apart(own_broker: Broker) -> None:
    with pytest.raises(TopicMissingError, match="create it first"):
        probe_topic(raw(own_broker, "nowhere"))
    spec = replace(raw(own_broker), bootstrap=f"127.0.0.1:{free_port()}")
    begun = time.monotonic()
    with pytest.raises(BrokerUnreachableError, match=r"start the broker, or correct properties\.bootstrap"):
        probe_topic(spec)
    assert time.monotonic() - begun < 15


def test_describe_gives_a_new_id_to_a_recreated_topic(own_broker: Broker) -> None:
    """What the generations rest on."""
    admin = AdminClient({"bootstrap.servers": own_broker.bootstrap})
    own_broker.create("t")
    first = admin.describe_topics(TopicCollection(["t"]))["t"].result(10).topic_id
    own_broker.delete("t")
    own_broker.create("t")
    assert str(admin.describe_topics(TopicCollection(["t"]))["t"].result(10).topic_id) != str(first)


def test_a_schema_registry_that_is_away_holds_the_topic_back(
    own_broker: Broker, read: Callable[..., Reading], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.connectors.registry._PAUSES_S", ())
    own_broker.create("t", 1)
    old = {"type": "record", "name": "R", "fields": [{"name": "n", "type": "int"}]}
    new = {**old, "fields": [*old["fields"], {"name": "more", "type": "string"}]}
    producer = Producer({"bootstrap.servers": own_broker.bootstrap, "linger.ms": 1, "log_level": 0})
    with registry() as schemas:
        format_ = Format("plain", "avro", {"schema.registry": schemas.url})
        first = schemas.register("t-value", old)
        options = {"connector": "kafka", "topic": "t", "properties.bootstrap.server": own_broker.bootstrap}
        spec = source_spec(
            "s", [SourceColumn("n", "integer", "field")], options, format_, schema=load(format_, "t")
        )
        second = schemas.register("t-value", new)
        schemas.away = True
        for n in range(20):
            producer.produce("t", avro(first, old, {"n": n}))
        producer.produce("t", avro(second, new, {"n": 20, "more": "x"}))
        producer.produce("t", b"no message")
        producer.produce("t", avro(first, old, {"n": 21}))
        assert producer.flush(20) == 0
        reading = read(spec)
        wait_until(
            lambda: "no schema registry answers" in (reading.reader.status()[1] or ""),
            15,
            "the reader's error",
        )
        assert all(row[0] < 20 for batch in reading.batches for row in batch.rows)
        schemas.away = False
        reading.take_until(lambda: sum(len(b.rows) + b.skipped for b in reading.batches) == 23)
        assert [row[0] for batch in reading.batches for row in batch.rows] == list(range(22))
        assert [(r.offset, "magic byte" in r.reason) for b in reading.batches for r in b.rejects] == [
            (21, True)
        ]
        assert reading.reader.status()[1] is None
