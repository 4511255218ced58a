"""OffsetCommit, OffsetFetch and OffsetDelete: how far groups have read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from broker.node import Node
from broker.offsets import Committed, TopicPartition
from broker.refusal import ErrorCode, Refusal

MAX_METADATA_CHARACTERS: Final = 4096


def handle_offset_commit(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """All partitions in one write."""
    changes: dict[TopicPartition, Committed | None] = {}
    codes = commit_codes(node, request.topics, changes)
    try:
        generation = request.generation_id_or_member_epoch
        _check_member(node, request, generation)
        node.offsets.put(request.group_id, changes)
    except Refusal as refusal:
        codes = dict.fromkeys(codes, refusal.code)
    return {"topics": committed_topics(request.topics, codes)}


def commit_codes(
    node: Node, topics: Any, changes: dict[TopicPartition, Committed | None]
) -> dict[TopicPartition, ErrorCode]:
    """Judge each partition; what may be committed is put into `changes`."""
    codes: dict[TopicPartition, ErrorCode] = {}
    for topic in topics:
        for part in topic.partitions:
            place = (topic.name, part.partition_index)
            codes[place] = _commit_code(node, place, part)
            if codes[place] is ErrorCode.none:
                changes[place] = Committed(part.committed_offset, part.committed_metadata or "")
    return codes


def _commit_code(node: Node, place: TopicPartition, part: Any) -> ErrorCode:
    if len(part.committed_metadata or "") > MAX_METADATA_CHARACTERS:
        return ErrorCode.offset_metadata_too_large
    try:
        node.topics.partition(*place)
    except Refusal as refusal:
        return refusal.code
    return ErrorCode.none


def committed_topics(topics: Any, codes: dict[TopicPartition, ErrorCode]) -> list[dict[str, Any]]:
    """The answer to a commit."""
    return [
        {
            "name": topic.name,
            "partitions": [
                {
                    "partition_index": part.partition_index,
                    "error_code": codes[topic.name, part.partition_index],
                }
                for part in topic.partitions
            ],
        }
        for topic in topics
    ]


def _check_member(node: Node, request: Any, generation: int) -> None:
    group = node.group(request.group_id)
    if group is not None:
        group.check_commit(request.member_id, getattr(request, "group_instance_id", None), generation)
    elif generation >= 0:
        raise Refusal(ErrorCode.illegal_generation)


def handle_offset_fetch(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Of one group or, from version 8 on, of several."""
    stable = getattr(request, "require_stable", False)
    if hasattr(request, "groups"):
        return {
            "groups": [
                {"group_id": asked.group_id, "topics": _fetched(node, asked.group_id, asked.topics, stable)}
                for asked in request.groups
            ]
        }
    return {"topics": _fetched(node, request.group_id, request.topics, stable)}


def _fetched(node: Node, group_id: str, topics: Any, stable: bool) -> list[dict[str, Any]]:
    if topics is None:
        known: dict[str, list[int]] = {}
        for name, index in node.offsets.by_group.get(group_id, {}):
            known.setdefault(name, []).append(index)
        asked: Iterable[tuple[str, Iterable[int]]] = known.items()
    else:
        asked = [(topic.name, topic.partition_indexes) for topic in topics]
    return [
        {"name": name, "partitions": [_position(node, group_id, (name, index), stable) for index in indexes]}
        for name, indexes in asked
    ]


def _position(node: Node, group_id: str, place: TopicPartition, stable: bool) -> dict[str, Any]:
    if stable and node.transactions.is_pending(group_id, place):
        code = ErrorCode.unstable_offset_commit
        return {"partition_index": place[1], "committed_offset": -1, "metadata": "", "error_code": code}
    offset, metadata = node.offsets.get(group_id, place) or Committed(-1)
    return {"partition_index": place[1], "committed_offset": offset, "metadata": metadata}


def handle_offset_delete(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Only of topics that no member of the group reads."""
    group = node.groups.get(request.group_id)
    if group is None and request.group_id not in node.offsets.by_group:
        return {"error_code": ErrorCode.group_id_not_found}
    if group is not None and group.members:
        code = ErrorCode.group_subscribed_to_topic
    else:
        code = ErrorCode.none
        places = [(topic.name, part.partition_index) for topic in request.topics for part in topic.partitions]
        try:
            node.offsets.put(request.group_id, dict.fromkeys(places))
        except Refusal as refusal:
            code = refusal.code
    codes = {
        (topic.name, part.partition_index): code for topic in request.topics for part in topic.partitions
    }
    return {"topics": committed_topics(request.topics, codes)}
