"""Metadata, FindCoordinator, DescribeCluster: one node, which leads and coordinates everything."""

from __future__ import annotations

from typing import Any

from broker.batch import LEADER_EPOCH
from broker.node import NODE_ID, Node
from broker.refusal import answered
from broker.topics import Topic


def handle_metadata(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """All topics, or those named; a topic is made by asking only where the broker is told so (--auto-create)."""
    asked = request.topics
    if asked is None or (request.__version__ == 0 and not asked):
        found = [_topic(topic) for topic in node.topics.by_name.values()]
    else:
        may_create = getattr(request, "allow_auto_topic_creation", True) and node.options.auto_create
        found = [_asked(node, entry, may_create) for entry in asked]
    return {
        "brokers": [_broker(node)],
        "cluster_id": node.ids.cluster_id,
        "controller_id": NODE_ID,
        "topics": found,
    }


def _asked(node: Node, entry: Any, may_create: bool) -> dict[str, Any]:
    def find() -> dict[str, Any]:
        if entry.name is None:
            return _topic(node.topics.by_id(entry.topic_id))
        if may_create and entry.name not in node.topics.by_name:
            node.topics.create(entry.name, node.options.default_partitions, {})
        return _topic(node.topics.topic(entry.name))

    named = {"name": entry.name}
    return answered({**named, "topic_id": entry.topic_id} if entry.name is None else named, find)


def _topic(topic: Topic) -> dict[str, Any]:
    return {
        "name": topic.name,
        "topic_id": topic.id,
        "partitions": [
            {
                "partition_index": partition.index,
                "leader_id": NODE_ID,
                "leader_epoch": LEADER_EPOCH,
                "replica_nodes": [NODE_ID],
                "isr_nodes": [NODE_ID],
            }
            for partition in topic.partitions
        ],
    }


def _broker(node: Node) -> dict[str, Any]:
    return {"node_id": NODE_ID, "broker_id": NODE_ID, "host": node.host, "port": node.port}


def handle_find_coordinator(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """This node, for any group and any transaction."""
    here = _broker(node)
    keys = getattr(request, "coordinator_keys", ())
    return {**here, "coordinators": [{"key": key, **here} for key in keys]}


def handle_describe_cluster(node: Node, _request: Any, _client: Any) -> dict[str, Any]:
    """The cluster of one."""
    return {"cluster_id": node.ids.cluster_id, "controller_id": NODE_ID, "brokers": [_broker(node)]}
