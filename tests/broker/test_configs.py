"""Settings of topics and of the broker: described, changed one by one, refused by name."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, ResourceType

from tests.broker.topics import Sender, Topics, code_of
from tests.support.processes import wait_until

_SECONDS = 20
_COMMON = {
    "cleanup.policy", "compression.type", "max.message.bytes", "message.timestamp.type",
    "retention.bytes", "retention.ms", "segment.bytes",
}  # fmt: skip


def _describe(topics: Topics, name: str, kind: ResourceType = ResourceType.TOPIC) -> dict[str, ConfigEntry]:
    (future,) = topics.admin.describe_configs([ConfigResource(kind, name)]).values()
    return future.result(_SECONDS)


def _alter(
    topics: Topics, name: str, key: str, value: str | None, operation: AlterConfigOpType
) -> int | None:
    """Kafka's code of the refusal, None when the setting was changed."""
    entry = ConfigEntry(key, value, incremental_operation=operation)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    (future,) = topics.admin.incremental_alter_configs([resource]).values()
    error = future.exception(_SECONDS)
    return None if error is None else code_of(error)


def test_a_topics_settings_say_where_they_come_from(topics: Topics) -> None:
    name = topics.create(retention_ms=12_345, cleanup_policy="compact,delete")
    found = _describe(topics, name)
    assert set(found) >= _COMMON
    assert found["retention.ms"].value == "12345"
    assert found["retention.ms"].source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    assert set(found["cleanup.policy"].value.split(",")) == {"compact", "delete"}
    assert found["compression.type"].source == ConfigSource.DEFAULT_CONFIG.value
    assert found["compression.type"].value == "producer"


def test_settings_change_one_by_one(topics: Topics) -> None:
    name = topics.create(retention_bytes=1_000_000)
    default = _describe(topics, name)["retention.ms"].value
    assert _alter(topics, name, "retention.ms", "60000", AlterConfigOpType.SET) is None
    wait_until(lambda: _describe(topics, name)["retention.ms"].value == "60000", what="the new value")
    assert _describe(topics, name)["retention.bytes"].value == "1000000"
    assert _alter(topics, name, "retention.ms", None, AlterConfigOpType.DELETE) is None
    wait_until(lambda: _describe(topics, name)["retention.ms"].value == default, what="the default again")
    assert _describe(topics, name)["retention.bytes"].value == "1000000"


def test_a_list_grows_and_shrinks(topics: Topics) -> None:
    name = topics.create()
    assert _alter(topics, name, "cleanup.policy", "compact", AlterConfigOpType.APPEND) is None
    wait_until(
        lambda: set(_describe(topics, name)["cleanup.policy"].value.split(",")) == {"compact", "delete"},
        what="both policies",
    )
    assert _alter(topics, name, "cleanup.policy", "delete", AlterConfigOpType.SUBTRACT) is None
    wait_until(lambda: _describe(topics, name)["cleanup.policy"].value == "compact", what="one policy")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("no.such.setting", "1"),
        ("retention.ms", "soon"),
        ("cleanup.policy", "burn"),
        ("max.message.bytes", "-1"),
    ],
)
def test_a_bad_setting_is_refused_and_changes_nothing(
    topics: Topics, topic: str, key: str, value: str
) -> None:
    before = {name: entry.value for name, entry in _describe(topics, topic).items()}
    assert _alter(topics, topic, key, value, AlterConfigOpType.SET) == KafkaError.INVALID_CONFIG
    assert {name: entry.value for name, entry in _describe(topics, topic).items()} == before


def test_settings_of_an_unknown_topic_are_refused(topics: Topics) -> None:
    name = topics.name()
    (future,) = topics.admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)]).values()
    assert code_of(future.exception(_SECONDS)) == KafkaError.UNKNOWN_TOPIC_OR_PART
    refused = _alter(topics, name, "retention.ms", "1", AlterConfigOpType.SET)
    assert refused == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_the_broker_describes_its_own_settings(topics: Topics) -> None:
    metadata = topics.admin.list_topics(timeout=10)
    for number in metadata.brokers:
        assert _describe(topics, str(number), ResourceType.BROKER)


def test_the_size_limit_of_messages_follows_the_setting(topics: Topics) -> None:
    name = topics.create(max_message_bytes=5_000)
    sender = Sender(topics.bootstrap)

    def accepted() -> bool:
        delivered = len(sender.delivered)
        sender.send(name, b"x" * 20_000, partition=0)
        sender.flush()
        return len(sender.delivered) > delivered

    assert not accepted()
    assert [error.code() for error, _ in sender.failed] == [KafkaError.MSG_SIZE_TOO_LARGE]
    assert _alter(topics, name, "max.message.bytes", "50000", AlterConfigOpType.SET) is None
    wait_until(accepted, what="the larger limit")
