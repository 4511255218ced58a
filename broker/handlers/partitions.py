"""CreatePartitions and DeleteRecords."""

from __future__ import annotations

from typing import Any

from broker.node import Node
from broker.refusal import ErrorCode, Refusal


def handle_create_partitions(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Each topic by itself."""
    return {"results": [_widened(node, asked, request.validate_only) for asked in request.topics]}


def _widened(node: Node, asked: Any, validate_only: bool) -> dict[str, Any]:
    try:
        node.topics.check_wider(asked.name, asked.count)
        if not validate_only:
            node.topics.widen(asked.name, asked.count)
    except Refusal as refusal:
        return {"name": asked.name, "error_code": refusal.code, "error_message": refusal.message}
    except OSError as error:
        return {
            "name": asked.name,
            "error_code": ErrorCode.kafka_storage_error,
            "error_message": str(error),
        }
    return {"name": asked.name}


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
    try:
        low = node.topics.partition(topic, part.partition_index).delete_before(part.offset)
    except Refusal as refusal:
        return {"partition_index": part.partition_index, "low_watermark": -1, "error_code": refusal.code}
    return {"partition_index": part.partition_index, "low_watermark": low}
