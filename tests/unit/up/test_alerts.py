"""Alerts against the view: what agrees, what each difference is called, and whose keys do not count."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from confluent_kafka import Producer

from tailrace.config import Topic
from tailrace.topics import create_topics
from tailrace.verify.alerts import Alert, AlertReader, Alerts, compare

AT = datetime(2026, 1, 1, 2, 0, 0, 500, tzinfo=timezone(timedelta(hours=1)))
ROW = {"anomaly_id": "a", "ts": AT, "value": 1.5, "metric": None}
SUNK = {"anomaly_id": "a", "ts": "2026-01-01T01:00:00.000500Z", "value": 1.5, "metric": None}


def test_equal_states_agree() -> None:
    found = compare({"a": ROW}, {"a": Alert(50, SUNK)}, 3, 100)
    assert found == Alerts(anomalies=1, keys=1, messages=3, earlier=0)
    assert found.agree
    assert found.problems == []


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ({}, "anomalies without an alert: 1 (a)"),
        ({"a": Alert(0, {**SUNK, "value": 2})}, "alerts that differ from the view: 1 (a)"),
        ({"a": Alert(0, SUNK), "b": Alert(100, {})}, "alerts that the view does not hold: 1 (b)"),
    ],
)
def test_differences_are_named(topic: dict[str, Alert], said: str) -> None:
    found = compare({"a": ROW}, topic, 1, 100)
    assert not found.agree
    assert found.problems == [said]


def test_what_an_earlier_deployment_left_is_counted_apart() -> None:
    found = compare({}, {"old": Alert(99.9, {})}, 1, 100)
    assert (found.agree, found.earlier, found.as_json()["earlier"]) == (True, 1, 1)


def test_the_reader_keeps_the_newest_of_each_key_and_reads_on(broker: str) -> None:
    topic = f"alerts.{uuid.uuid4().hex[:8]}"
    create_topics(broker, [Topic(topic, 2, (("cleanup.policy", "compact"),))])
    producer = Producer({"bootstrap.servers": broker})

    def send(key: str, value: dict[str, int] | None) -> None:
        producer.produce(topic, None if value is None else json.dumps(value).encode(), key.encode())
        assert producer.flush(10) == 0

    reader = AlertReader(broker, topic)
    try:
        send("a", {"v": 1})
        send("b", {"v": 1})
        send("a", {"v": 2})
        reader.read()
        assert {k: a.document for k, a in reader.newest.items()} == {"a": {"v": 2}, "b": {"v": 1}}
        assert abs(reader.newest["a"].at_s - datetime.now(UTC).timestamp()) < 60
        send("b", None)
        while reader.messages < 4:
            reader.read()
        assert list(reader.newest) == ["a"]
    finally:
        reader.close()
