"""Create and list the product's topics.

Assumes a reachable Kafka protocol broker, given by its bootstrap servers. A topic that exists is left as it
is; its partition count is checked, since keys move when it changes. Callers: the launcher, `tailrace
topics`, tests.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from tailrace.config import TOPICS, Topic
from tailrace.errors import TailraceError

ANSWER_S: Final = 10.0
LEAST_SEGMENT_MS: Final = 10_000
LEAST_SEGMENT_BYTES: Final = 1 << 20
MOST_SEGMENT_BYTES: Final = 256 << 20


class TopicError(TailraceError):
    """The broker refused or did not answer, or a topic is not as wanted."""

    sqlstate = "08006"


@dataclass(frozen=True, slots=True)
class TopicState:
    """What the broker says of one topic; `created` tells that this call made it."""

    name: str
    partitions: int
    created: bool = False


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "socket.timeout.ms": 10_000})


def retention_settings(seconds: int | None, size_bytes: int | None) -> dict[str, str]:
    """A topic's settings that keep its messages for so long, and about so many bytes of each partition; None: the broker's.

    A broker deletes whole segments, so these are made short enough: at least eight in the time, at least four in the size.
    """
    settings = {}
    if seconds is not None:
        settings["retention.ms"] = str(seconds * 1000)
        settings["segment.ms"] = str(max(seconds * 1000 // 8, LEAST_SEGMENT_MS))
    if size_bytes is not None:
        settings["retention.bytes"] = str(size_bytes)
        settings["segment.bytes"] = str(min(max(size_bytes // 4, LEAST_SEGMENT_BYTES), MOST_SEGMENT_BYTES))
    return settings


def configure_topics(bootstrap: str, settings: Mapping[str, str], topics: Iterable[Topic] = TOPICS) -> None:
    """Change settings of existing topics; others stay as they are. Raises TopicError."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in settings.items()
    ]
    resources = [
        ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=entries) for topic in topics
    ]
    admin = _admin(bootstrap)
    for resource, future in admin.incremental_alter_configs(resources).items():
        try:
            future.result(timeout=ANSWER_S)
        except KafkaException as error:
            raise TopicError(
                f"the settings of topic {resource.name} could not be changed",
                detail=str(error),
                hint="leave out --topic-retention and --topic-retention-bytes, or set them with the broker's own tools",
            ) from error


def parse_topic(text: str) -> Topic:
    """A topic of NAME or NAME:PARTITIONS. Raises TopicError.

    >>> parse_topic("shop.orders:3")
    Topic(name='shop.orders', partitions=3, settings=())
    """
    name, _, partitions = text.partition(":")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name) or not re.fullmatch(r"[1-9]\d{0,3}|", partitions):
        raise TopicError(
            f"{text} is not a topic",
            sqlstate="22023",
            detail="wanted NAME or NAME:PARTITIONS; a name has letters, digits, dots, underscores and dashes",
            hint="three partitions: tailrace topics create shop.orders:3",
        )
    return Topic(name, int(partitions or 1))


def create_topics(bootstrap: str, topics: Iterable[Topic] = TOPICS) -> list[TopicState]:
    """Create what is missing. Raises TopicError when a topic exists with another number of partitions."""
    wanted = {topic.name: topic for topic in topics}
    admin = _admin(bootstrap)
    existing = _describe(admin, bootstrap)
    missing = [topic for name, topic in wanted.items() if name not in existing]
    for name, future in (admin.create_topics([_new(topic) for topic in missing]) if missing else {}).items():
        try:
            future.result(timeout=ANSWER_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicError(f"topic {name} could not be created", detail=str(error)) from error
    for name, topic in wanted.items():
        if name in existing and existing[name] != topic.partitions:
            raise TopicError(
                f"topic {name} has {existing[name]} partitions",
                detail=f"wanted {topic.partitions}",
                hint="delete the topic, or use another broker",
            )
    made = {topic.name for topic in missing}
    return [TopicState(topic.name, topic.partitions, topic.name in made) for topic in wanted.values()]


def list_topics(bootstrap: str) -> list[TopicState]:
    """All topics of the broker but its internal ones, by name."""
    found = _describe(_admin(bootstrap), bootstrap)
    return [TopicState(name, count) for name, count in sorted(found.items()) if not name.startswith("__")]


def wait_for_broker(
    bootstrap: str,
    *,
    timeout_s: float = 20.0,
    alive: Callable[[], bool] = lambda: True,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return as soon as the broker answers a metadata request; raise TopicError after `timeout_s` or when
    not alive.
    """
    admin = _admin(bootstrap)
    until = clock() + timeout_s
    while True:
        try:
            admin.list_topics(timeout=0.5)
        except KafkaException as error:
            if clock() > until or not alive():
                raise TopicError(
                    f"no Kafka broker answers at {bootstrap}",
                    detail=str(error),
                    hint="start it, or give another address with --kafka",
                ) from error
        else:
            return


def _new(topic: Topic) -> NewTopic:
    return NewTopic(
        topic.name, num_partitions=topic.partitions, replication_factor=1, config=dict(topic.settings)
    )


def _describe(admin: AdminClient, bootstrap: str) -> dict[str, int]:
    try:
        known: dict[str, Any] = admin.list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        raise TopicError(
            f"no Kafka broker answers at {bootstrap}",
            detail=str(error),
            hint="start it, or give another address with --kafka",
        ) from error
    return {name: len(entry.partitions) for name, entry in known.items()}
