"""ListOffsets and OffsetForLeaderEpoch: where a partition begins, ends, and stands at a time."""

from __future__ import annotations

from typing import Any, Final

from broker.batch import LEADER_EPOCH
from broker.log import Found
from broker.node import Node
from broker.partition import Partition
from broker.refusal import ErrorCode, Refusal, answered, disk

_LATEST: Final = -1
_EARLIEST: Final = (-2, -4)
"""Of all, and of what lies on local disks, which is the same here."""
_MAX_TIMESTAMP: Final = -3


def handle_list_offsets(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """For committed readers the end is the last stable offset."""
    committed_only = getattr(request, "isolation_level", 0) == 1
    return {
        "topics": [
            {
                "name": topic.name,
                "partitions": [_listed(node, topic.name, part, committed_only) for part in topic.partitions],
            }
            for topic in request.topics
        ]
    }


def _listed(node: Node, topic: str, part: Any, committed_only: bool) -> dict[str, Any]:
    def find() -> dict[str, Any]:
        if getattr(part, "current_leader_epoch", -1) > LEADER_EPOCH:
            raise Refusal(ErrorCode.unknown_leader_epoch)
        partition = node.topics.partition(topic, part.partition_index)
        with disk():
            found = _find(partition, part.timestamp, committed_only)
        return {**found._asdict(), "leader_epoch": LEADER_EPOCH} if found else {}

    return answered({"partition_index": part.partition_index}, find)


def _find(partition: Partition, timestamp: int, committed_only: bool) -> Found | None:
    end = partition.stable_offset if committed_only else partition.high_watermark
    if timestamp == _LATEST:
        return Found(end, -1)
    if timestamp in _EARLIEST:
        return Found(partition.log.start_offset, -1)
    try:
        if timestamp == _MAX_TIMESTAMP:
            return partition.log.latest_time(end)
        if timestamp < 0:
            raise Refusal(ErrorCode.unsupported_version, f"timestamp {timestamp} means nothing here")
        return partition.log.find_time(timestamp, end)
    except ValueError as error:
        raise Refusal(ErrorCode.corrupt_message, str(error)) from error


def handle_offset_for_leader_epoch(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """There is one epoch only, and it ends where the log does."""
    return {
        "topics": [
            {
                "topic": topic.topic,
                "partitions": [_epoch_end(node, topic.topic, part) for part in topic.partitions],
            }
            for topic in request.topics
        ]
    }


def _epoch_end(node: Node, topic: str, part: Any) -> dict[str, Any]:
    def end() -> dict[str, Any]:
        partition = node.topics.partition(topic, part.partition)
        if part.leader_epoch != LEADER_EPOCH:
            return {}
        return {"leader_epoch": LEADER_EPOCH, "end_offset": partition.high_watermark}

    return answered({"partition": part.partition}, end)
