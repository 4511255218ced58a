"""InitProducerId, and the four requests of a transaction."""

from __future__ import annotations

import time
from typing import Any

from broker.handlers.group_offsets import commit_codes, committed_topics
from broker.node import Node
from broker.offsets import Committed, TopicPartition
from broker.refusal import ErrorCode, Refusal, answered


def handle_init_producer_id(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """A fresh id for an idempotent producer; the same id with a higher epoch for a transactional one."""

    def begin() -> dict[str, Any]:
        if request.transactional_id is None:
            return {"producer_id": node.ids.next(), "producer_epoch": 0}
        timeout_ms = round(request.transaction_timeout.total_seconds() * 1000)
        producer_id, epoch = node.transactions.begin_producer(request.transactional_id, timeout_ms)
        return {"producer_id": producer_id, "producer_epoch": epoch}

    return answered({}, begin, producer_id=-1, producer_epoch=-1)


def handle_add_partitions_to_txn(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """All of them or, when one is refused, none."""
    topics = request.v3_and_below_topics
    codes: dict[TopicPartition, ErrorCode] = {}
    for topic in topics:
        for index in topic.partitions:
            codes[topic.name, index] = _existence(node, topic.name, index)
    if any(codes.values()):
        codes = {place: code or ErrorCode.operation_not_attempted for place, code in codes.items()}
    else:
        producer = (request.v3_and_below_producer_id, request.v3_and_below_producer_epoch)
        try:
            node.transactions.add(request.v3_and_below_transactional_id, *producer, codes, _now_ms())
        except Refusal as refusal:
            codes = dict.fromkeys(codes, refusal.code)
    results = [
        {
            "name": topic.name,
            "results_by_partition": [
                {"partition_index": index, "partition_error_code": codes[topic.name, index]}
                for index in topic.partitions
            ],
        }
        for topic in topics
    ]
    return {"results_by_topic_v3_and_below": results}


def _existence(node: Node, topic: str, index: int) -> ErrorCode:
    try:
        node.topics.partition(topic, index)
    except Refusal as refusal:
        return refusal.code
    return ErrorCode.none


def handle_add_offsets_to_txn(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """The transaction will commit a group's offsets."""
    producer = (request.transactional_id, request.producer_id, request.producer_epoch)
    return answered({}, lambda: node.transactions.add(*producer, (), _now_ms()))


def handle_txn_offset_commit(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Offsets that hold when the transaction commits."""
    changes: dict[TopicPartition, Committed | None] = {}
    codes = commit_codes(node, request.topics, changes)
    try:
        _check_member(node, request)
        offsets = {place: committed for place, committed in changes.items() if committed is not None}
        node.transactions.add_offsets(
            request.transactional_id, request.producer_id, request.producer_epoch, request.group_id, offsets
        )
    except Refusal as refusal:
        codes = dict.fromkeys(codes, refusal.code)
    return {"topics": committed_topics(request.topics, codes)}


def _check_member(node: Node, request: Any) -> None:
    """Where the client says which member it is, it must be one of the current generation."""
    generation = getattr(request, "generation_id", -1)
    member_id = getattr(request, "member_id", "")
    group = node.group(request.group_id)
    if generation < 0 and not member_id:
        return
    if group is None:
        raise Refusal(ErrorCode.illegal_generation)
    group.check_commit(member_id, getattr(request, "group_instance_id", None), generation)


def handle_end_txn(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Commit or abort."""
    producer = (request.transactional_id, request.producer_id, request.producer_epoch)
    return answered({}, lambda: node.transactions.end(*producer, committed=request.committed))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
