"""Where alerts go: a second broker that is disturbed like everything else, and the account of what arrived there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import KafkaError, TopicPartition

from tailrace.config import Topic
from tailrace.topics import create_topics
from tailrace.verify.recount import open_consumer
from tests.chaos.account import unalerted
from tests.support.broker import BrokerProcess

TOPIC = Topic("chaos.alerts", 1)
NAME = "chaos_alerts"
COLUMNS = ("anomaly_id", "rule", "device_id", "metric", "value", "detail")
ARRIVAL_S = 60.0


class SinkTarget:
    """`open` once the engine is up; `check` when nobody sends any more."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.broker = BrokerProcess(directory)

    def open(self, connection: psycopg.Connection[Any]) -> None:
        self.broker.start()
        create_topics(self.broker.bootstrap, [TOPIC])
        connection.execute(
            f"CREATE SINK {NAME} FROM anomalies WITH (connector = 'kafka', topic = '{TOPIC.name}', "
            f"properties.bootstrap.server = '{self.broker.bootstrap}', primary_key = 'anomaly_id') "
            "FORMAT UPSERT ENCODE JSON KEY ENCODE TEXT"
        )

    def check(self, connection: psycopg.Connection[Any]) -> list[str]:
        """Each anomaly at least once on the topic, and the newest message of each key what the view holds."""
        deadline = time.monotonic() + ARRIVAL_S
        while True:
            view = {
                row[0]: row
                for row in connection.execute(f"SELECT {', '.join(COLUMNS)} FROM anomalies")  # type: ignore[call-overload]
            }
            found = unalerted(view, self._messages())
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.5)

    def _messages(self) -> list[tuple[str, tuple[Any, ...] | None]]:
        """Key and row, in order; None is a tombstone."""
        consumer = open_consumer(self.broker.bootstrap, "tailrace-chaos", **{"enable.partition.eof": True})
        found: list[tuple[str, tuple[Any, ...] | None]] = []
        deadline = time.monotonic() + ARRIVAL_S
        try:
            consumer.assign([TopicPartition(TOPIC.name, 0, 0)])
            while time.monotonic() < deadline:
                for message in consumer.consume(10_000, 0.5):
                    if message.error() is not None:
                        if message.error().code() == KafkaError._PARTITION_EOF:
                            return found
                        continue
                    value = message.value()
                    document = None if value is None else json.loads(value)
                    row = None if document is None else tuple(document[name] for name in COLUMNS)
                    found.append((message.key().decode(), row))
        finally:
            consumer.close()
        raise AssertionError(f"{TOPIC.name} was not read to its end within {ARRIVAL_S:g} s")

    def close(self) -> None:
        if self.broker.pid and self.broker.running():
            self.broker.kill()
