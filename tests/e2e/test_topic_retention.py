"""Topics with a retention of their own, and a recount of one that no longer holds everything."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from tailrace.config import READINGS, TRUTH
from tailrace.topics import configure_topics, create_topics, retention_settings
from tailrace.up.closing import recount_topic
from tailrace.verify.reconcile import Counts, account_differences
from tailrace.verify.recount import Recount, Shortened, expired
from tests.support.broker import BrokerProcess
from tests.support.processes import wait_until


@pytest.fixture
def short_broker(tmp_path: Path) -> object:
    with BrokerProcess(tmp_path, "--upkeep-ms", "100") as running:
        yield running.bootstrap


def settings_of(bootstrap: str, topic: str) -> dict[str, str]:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    (future,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return {name: entry.value for name, entry in future.result(10).items()}


def test_settings_of_new_and_old_topics(short_broker: str) -> None:
    create_topics(short_broker)
    before = settings_of(short_broker, READINGS.name)
    configure_topics(short_broker, retention_settings(3600, None))
    after = settings_of(short_broker, READINGS.name)
    assert after["retention.ms"] == "3600000"
    assert after["segment.ms"] == "450000"
    assert after["retention.bytes"] == before["retention.bytes"]
    configure_topics(short_broker, retention_settings(None, 1 << 30))
    for topic in (READINGS, TRUTH):
        kept = settings_of(short_broker, topic.name)
        assert (kept["retention.ms"], kept["retention.bytes"]) == ("3600000", str(1 << 30))
        assert kept["segment.bytes"] == str(256 << 20)


def test_a_recount_says_what_is_gone(short_broker: str) -> None:
    create_topics(short_broker)
    producer = Producer({"bootstrap.servers": short_broker, "log_level": 0})
    for number in range(30):
        producer.produce(READINGS.name, b"no json", partition=number % 3)
    assert producer.flush(10) == 0
    whole = recount_topic(short_broker, {}, 30, lambda _count: None)
    assert isinstance(whole, Recount)
    assert whole.messages == 30
    configure_topics(short_broker, {"retention.ms": "1"})
    wait_until(lambda: expired(short_broker, READINGS.name, {}) == 30, 10, "retention to take all")
    gone = recount_topic(short_broker, {0: 4}, 30, lambda _count: None)
    assert gone == Shortened(26)
    assert "26 messages" in str(gone)


def test_the_account_of_a_run_that_the_topic_outlived() -> None:
    views = Counts(messages=10, ingested=7, rejected=2, duplicates=1, late=0, rejects={"not_json": 2})
    assert account_differences(10, views, None, shortened=True) == []
    assert account_differences(11, views, None, shortened=True) != []
    assert account_differences(10, views, None) == ["the topic could not be read again"]
