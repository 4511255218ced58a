"""The broker as a process, through confluent-kafka: what is written can be read, and still after kill -9."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

COUNT = 3_000


def _started(data_dir: Path) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "broker", "--data-dir", str(data_dir), "--port", "0"]
    broker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert broker.stdout is not None
    line = broker.stdout.readline()
    assert line.startswith("READY "), line
    return broker, line.split()[1]


def _end(broker: subprocess.Popen[str], *, kill: bool) -> int:
    (broker.kill if kill else broker.terminate)()
    assert broker.stdout is not None
    broker.stdout.close()
    return broker.wait(10)


def _read(address: str, topic: str) -> list[bytes | None]:
    settings = {"bootstrap.servers": address, "group.id": "reader", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings | {"enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes | None] = []
    while len(values) < COUNT:
        messages = consumer.consume(COUNT, 10)
        assert messages, f"only {len(values)} messages came"
        values += [message.value() for message in messages]
    end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5)
    consumer.close()
    assert end == (0, COUNT)
    return values


def test_what_is_acknowledged_outlives_kill_9_and_an_orderly_stop(tmp_path: Path) -> None:
    broker, address = _started(tmp_path)
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic("t", 1, 1)])["t"].result(10)
    refused: list[object] = []
    producer = Producer({"bootstrap.servers": address, "enable.idempotence": True})
    wanted = [b"message %d" % number for number in range(COUNT)]
    for value in wanted:
        producer.produce("t", value, on_delivery=lambda error, _: refused.append(error) if error else None)
    assert producer.flush(10) == 0
    assert refused == []
    assert _end(broker, kill=True) == -9

    broker, address = _started(tmp_path)
    assert _read(address, "t") == wanted
    assert _end(broker, kill=False) == 0

    broker, address = _started(tmp_path)
    assert _read(address, "t") == wanted
    assert _end(broker, kill=False) == 0
