"""CreateTopics and DeleteTopics."""

from __future__ import annotations

from collections import Counter
from typing import Any

from broker.node import NODE_ID, Node
from broker.refusal import ErrorCode, Refusal, answered
from broker.topic_config import TopicConfig, checked


def handle_create_topics(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Each topic by itself: one refused does not hinder the others."""
    times = Counter(asked.name for asked in request.topics)
    return {"topics": [_created(node, asked, request, times[asked.name]) for asked in request.topics]}


def _created(node: Node, asked: Any, request: Any, times: int) -> dict[str, Any]:
    def create() -> dict[str, Any]:
        if times > 1:
            raise Refusal(ErrorCode.invalid_request, "the topic is named twice")
        count = _partitions(node, asked)
        overrides = {entry.name: checked(entry.name, entry.value) for entry in asked.configs}
        node.topics.check_new(asked.name, count)
        topic = None if request.validate_only else node.topics.create(asked.name, count, overrides)
        return {
            "topic_id": topic.id if topic else None,
            "num_partitions": count,
            "replication_factor": 1,
            "configs": [
                {"name": name, "value": value, "config_source": 1 if name in overrides else 5}
                for name, value in TopicConfig(overrides).values.items()
            ],
        }

    return answered({"name": asked.name}, create, configs=[])


def _partitions(node: Node, asked: Any) -> int:
    """How many, from the number or from the assignment."""
    if asked.assignments:
        if any(tuple(entry.broker_ids) != (NODE_ID,) for entry in asked.assignments):
            raise Refusal(ErrorCode.invalid_replica_assignment, f"the only node is {NODE_ID}")
        if sorted(entry.partition_index for entry in asked.assignments) != list(
            range(len(asked.assignments))
        ):
            raise Refusal(ErrorCode.invalid_replica_assignment, "partitions must be numbered from 0")
        return len(asked.assignments)
    if asked.replication_factor not in (-1, 1):
        raise Refusal(ErrorCode.invalid_replication_factor, "there is one node: replication factor 1")
    return node.options.default_partitions if asked.num_partitions == -1 else int(asked.num_partitions)


def handle_delete_topics(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """By name or, from version 6 on, by id."""
    if hasattr(request, "topic_names"):
        return {"responses": [_deleted(node, name, None) for name in request.topic_names]}
    return {"responses": [_deleted(node, asked.name, asked.topic_id) for asked in request.topics]}


def _deleted(node: Node, name: str | None, topic_id: Any) -> dict[str, Any]:
    def delete() -> dict[str, Any]:
        topic = node.topics.by_id(topic_id) if name is None else node.topics.topic(name)
        node.delete_topic(topic.name)
        return {"name": topic.name, "topic_id": topic.id}

    return answered({"name": name, "topic_id": topic_id}, delete)
