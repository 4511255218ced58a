"""Produce: write batches."""

from __future__ import annotations

from typing import Any, Final

from broker.batch import read_header
from broker.node import Node
from broker.partition import Partition
from broker.refusal import ErrorCode, Refusal, answered

_ALL: Final = -1


def handle_produce(node: Node, request: Any, _client: Any) -> Any:
    """Acks 0: no answer. Acks -1 waits for fsync where the broker is told to (--flush-ms 0)."""
    written: list[Partition] = []
    answer = {
        "responses": [
            {
                "name": topic.name,
                "partition_responses": [
                    _written(node, topic.name, part, request, written) for part in topic.partition_data
                ],
            }
            for topic in request.topic_data
        ]
    }
    if request.acks == 0:
        return None
    if request.acks == _ALL and node.options.flush_ms == 0 and written:
        return _durable(node, answer, written)
    return answer


def _written(node: Node, topic: str, part: Any, request: Any, written: list[Partition]) -> dict[str, Any]:
    def write() -> dict[str, Any]:
        if request.acks not in (0, 1, _ALL):
            raise Refusal(ErrorCode.invalid_required_acks)
        partition = node.topics.partition(topic, part.index)
        records = part.records or b""
        node.check_room(len(records))
        _check_transaction(node, partition, records)
        base_offset = partition.append(records)
        written.append(partition)
        return {
            "base_offset": base_offset,
            "log_append_time": partition.stamped_ms,
            "log_start_offset": partition.log.start_offset,
        }

    return answered({"index": part.index}, write, base_offset=-1)


def _check_transaction(node: Node, partition: Partition, records: bytes) -> None:
    header = read_header(records)
    if header is not None and header.is_transactional:
        place = (partition.topic, partition.index)
        node.transactions.check_write(header.producer_id, header.producer_epoch, place)


async def _durable(node: Node, answer: dict[str, Any], written: list[Partition]) -> dict[str, Any]:
    try:
        await node.sync(written)
    except OSError as error:
        for topic in answer["responses"]:
            for part in topic["partition_responses"]:
                part.update(
                    error_code=ErrorCode.kafka_storage_error, error_message=f"fsync: {error.strerror}"
                )
    return answer
