"""The same round trip by every client there is: kafka-python, aiokafka, kcat, Apache Kafka's own console tools."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import uuid
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition as AioPartition
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from tests.broker.conftest import Kafka
from tests.broker.topics import Topics, consume, ends, produce
from tests.support.apache_kafka import run_tool, why_no_kafka

_VALUES = [b'{"n": %d}' % number for number in range(300)]
_KCAT = shutil.which("kcat") or ""


@pytest.fixture
def group() -> str:
    return f"g-{uuid.uuid4().hex[:12]}"


@pytest.mark.parametrize("codec", [None, "gzip"])
def test_kafka_python_produces_and_a_group_reads(
    kafka: Kafka, topics: Topics, group: str, codec: str | None
) -> None:
    name = topics.create(partitions=2)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", compression_type=codec)
    sent = [
        producer.send(name, value, key=b"k", headers=[("h", b"1")], partition=number % 2)
        for number, value in enumerate(_VALUES)
    ]
    assert sorted(future.get(20).offset for future in sent) == sorted(list(range(150)) * 2)
    producer.close()
    consumer = KafkaConsumer(
        name,
        bootstrap_servers=kafka.bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
    )
    try:
        found = [next(consumer) for _ in _VALUES]
        assert sorted(record.value for record in found) == sorted(_VALUES)
        assert {(record.key, tuple(record.headers)) for record in found} == {(b"k", (("h", b"1"),))}
        consumer.commit()
        assert [consumer.committed(TopicPartition(name, number)) for number in range(2)] == [150, 150]
    finally:
        consumer.close()


def test_kafka_python_administers(kafka: Kafka, topics: Topics) -> None:
    name = topics.name()
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    try:
        admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])
        topics.wait_for_leaders(name, 3)
        assert name in admin.list_topics()
        admin.delete_topics([name])
    finally:
        admin.close()


def test_aiokafka_produces_and_a_group_reads(kafka: Kafka, topic: str, group: str) -> None:
    async def round_trip() -> list[bytes]:
        async with AIOKafkaProducer(
            bootstrap_servers=kafka.bootstrap, enable_idempotence=True, compression_type="gzip"
        ) as producer:
            for future in [await producer.send(topic, value) for value in _VALUES]:
                await future
        async with AIOKafkaConsumer(
            topic, bootstrap_servers=kafka.bootstrap, group_id=group, auto_offset_reset="earliest"
        ) as consumer:
            found = [(await consumer.getone()).value for _ in _VALUES]
            await consumer.commit()
            assert await consumer.committed(AioPartition(topic, 0)) == len(_VALUES)
            return found

    assert asyncio.run(asyncio.wait_for(round_trip(), 60)) == _VALUES


def _kcat(kafka: Kafka, *arguments: str, given: bytes = b"") -> bytes:
    command = [_KCAT, "-b", kafka.bootstrap, *arguments]
    ran = subprocess.run(command, input=given, capture_output=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout


@pytest.mark.skipif(not _KCAT, reason="kcat is not installed (Debian: apt-get install kcat)")
def test_kcat_lists_produces_reads_and_asks_by_time(kafka: Kafka, topic: str, group: str) -> None:
    listed = json.loads(_kcat(kafka, "-L", "-J", "-t", topic))
    assert [len(found["partitions"]) for found in listed["topics"]] == [1]
    for codec in ("none", "gzip", "snappy", "lz4"):
        _kcat(kafka, "-P", "-t", topic, "-p", "0", "-z", codec, given=b"\n".join(_VALUES))
    read = _kcat(kafka, "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q")
    assert read.splitlines() == _VALUES * 4
    tail = _kcat(kafka, "-C", "-t", topic, "-p", "0", "-o", "-3", "-e", "-q")
    assert tail.splitlines() == _VALUES[-3:]
    assert f"{topic} [0] offset 0" in _kcat(kafka, "-Q", "-t", f"{topic}:0:1000000000000").decode()
    grouped = _kcat(kafka, "-G", group, "-e", "-q", "-X", "auto.offset.reset=earliest", topic)
    assert grouped.splitlines() == _VALUES * 4


@pytest.fixture
def tool(kafka: Kafka) -> Callable[..., str]:
    """Run one of Apache Kafka's tools on the broker."""
    if reason := why_no_kafka():
        pytest.skip(reason)

    def run(main_class: str, *arguments: str, given: str = "", server: str = "--bootstrap-server") -> str:
        return run_tool(
            f"org.apache.kafka.tools.{main_class}", server, kafka.bootstrap, *arguments, given=given
        )

    return run


@pytest.mark.slow
def test_kafka_topics(kafka: Kafka, topics: Topics, tool: Callable[..., str]) -> None:
    name = topics.name()
    tool("TopicCommand", "--create", "--topic", name, "--partitions", "2", "--config", "retention.ms=60000")
    assert name in tool("TopicCommand", "--list").splitlines()
    described = tool("TopicCommand", "--describe", "--topic", name)
    assert "PartitionCount: 2" in described
    assert "retention.ms=60000" in described
    tool("TopicCommand", "--alter", "--topic", name, "--partitions", "5")
    topics.wait_for_leaders(name, 5)
    assert "PartitionCount: 5" in tool("TopicCommand", "--describe", "--topic", name)
    tool("TopicCommand", "--delete", "--topic", name)
    assert name not in tool("TopicCommand", "--list").splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_kafka_console_producer(kafka: Kafka, topic: str, tool: Callable[..., str], codec: str) -> None:
    """Apache Kafka's own client writes with each codec, idempotently as is its default; librdkafka reads."""
    lines = "".join(f"key-{number}:value-{number}\n" for number in range(200))
    tool(
        "ConsoleProducer", "--topic", topic, "--compression-codec", codec,
        "--property", "parse.key=true", "--property", "key.separator=:", given=lines,
    )  # fmt: skip
    found = consume(kafka.bootstrap, topic, 200, check_crcs=True)
    assert [message.value() for message in found] == [b"value-%d" % number for number in range(200)]
    assert ends(kafka.bootstrap, topic) == (0, 200)


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_kafka_console_consumer_and_groups(
    kafka: Kafka, topic: str, group: str, tool: Callable[..., str], codec: str
) -> None:
    """librdkafka writes; Apache Kafka's own client reads in a group, whose lag its tool then shows."""
    produce(kafka.bootstrap, topic, _VALUES, compression_type=codec, linger_ms=20)
    read = tool(
        "consumer.ConsoleConsumer", "--topic", topic, "--from-beginning", "--max-messages", "300",
        "--timeout-ms", "30000", "--group", group,
    )  # fmt: skip
    assert read.encode().splitlines() == _VALUES
    produce(kafka.bootstrap, topic, [b"x"] * 7)
    assert group in tool("consumer.group.ConsumerGroupCommand", "--list").splitlines()
    shown = tool("consumer.group.ConsumerGroupCommand", "--describe", "--group", group)
    row = next(line.split() for line in shown.splitlines() if line.startswith(group))
    assert row[1:6] == [topic, "0", "300", "307", "7"]
    tool(
        "consumer.group.ConsumerGroupCommand", "--group", group, "--topic", topic,
        "--reset-offsets", "--to-earliest", "--execute",
    )  # fmt: skip
    shown = tool("consumer.group.ConsumerGroupCommand", "--describe", "--group", group)
    assert next(line.split() for line in shown.splitlines() if line.startswith(group))[3:6] == [
        "0",
        "307",
        "307",
    ]
    tool("consumer.group.ConsumerGroupCommand", "--delete", "--group", group)
    assert group not in tool("consumer.group.ConsumerGroupCommand", "--list").splitlines()


@pytest.mark.slow
def test_kafka_get_offsets_and_delete_records(
    kafka: Kafka, topic: str, tool: Callable[..., str], tmp_path
) -> None:
    produce(kafka.bootstrap, topic, _VALUES)
    assert tool("GetOffsetShell", "--topic", topic).strip() == f"{topic}:0:300"
    wanted = tmp_path / "offsets.json"
    wanted.write_text(
        json.dumps({"partitions": [{"topic": topic, "partition": 0, "offset": 120}], "version": 1})
    )
    tool("DeleteRecordsCommand", "--offset-json-file", str(wanted))
    assert tool("GetOffsetShell", "--topic", topic, "--time", "earliest").strip() == f"{topic}:0:120"


@pytest.mark.slow
def test_kafka_configs(kafka: Kafka, topic: str, tool: Callable[..., str]) -> None:
    def configs(*arguments: str) -> str:
        server = ("--bootstrap-server", kafka.bootstrap, "--entity-type", "topics", "--entity-name", topic)
        return run_tool("kafka.admin.ConfigCommand", *server, *arguments)

    configs("--alter", "--add-config", "retention.ms=77000")
    assert "retention.ms=77000" in configs("--describe")
    configs("--alter", "--delete-config", "retention.ms")
    assert "retention.ms" not in configs("--describe")
