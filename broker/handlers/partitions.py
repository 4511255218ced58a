"""CreatePartitions and DeleteRecords."""

from __future__ import annotations

from typing import Any

from broker.node import Node
from broker.refusal import answered


def handle_create_partitions(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Each topic by itself."""
    return {"results": [_widened(node, asked, request.validate_only) for asked in request.topics]}


def _widened(node: Node, asked: Any, validate_only: bool) -> dict[str, Any]:
    def widen() -> None:
        node.topics.check_wider(asked.name, asked.count)
        if not validate_only:
            node.topics.widen(asked.name, asked.count)

    return answered({"name": asked.name}, widen)


def handle_delete_records(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Everything before an offset goes."""
    answer = {
        "topics": [
            {
                "name": topic.name,
                "partitions": [_shortened(node, topic.name, part) for part in topic.partitions],
            }
            for topic in request.topics
        ]
    }
    node.measure_disk()
    return answer


def _shortened(node: Node, topic: str, part: Any) -> dict[str, Any]:
    def shorten() -> dict[str, Any]:
        return {
            "low_watermark": node.topics.partition(topic, part.partition_index).delete_before(part.offset)
        }

    return answered({"partition_index": part.partition_index}, shorten, low_watermark=-1)
