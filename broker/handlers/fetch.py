"""Fetch: read batches, waiting for them if there are none yet. Versions 4 to 11, encoded by hand.

Every answer is sessionless (session id 0), which makes clients name their partitions each time.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import Any, Final

from broker.batch import LEADER_EPOCH
from broker.node import Node
from broker.partition import Partition
from broker.producers import Aborted
from broker.refusal import ErrorCode, Refusal, disk

MAX_ANSWER_BYTES: Final = 32 << 20
_READ_COMMITTED: Final = 1
_INT = struct.Struct(">i")
_SHORT = struct.Struct(">h")
_LONG = struct.Struct(">q")
_PARTITION = struct.Struct(">ihqq")
_ABORTED = struct.Struct(">qq")


@dataclass(slots=True)
class Part:
    """One partition's share of an answer."""

    index: int
    code: int = 0
    high_watermark: int = -1
    stable_offset: int = -1
    start_offset: int = -1
    aborted: list[Aborted] | None = None
    records: bytes = b""


Answer = list[tuple[str, list[Part]]]


def handle_fetch(node: Node, request: Any, _client: Any) -> Any:
    """At once if there is enough or an error; else when there is, or after the longest wait."""
    if getattr(request, "session_id", 0) != 0:
        return _encoded(request.__version__, [], ErrorCode.fetch_session_id_not_found)
    answer, size, failed = _read(node, request)
    wait_s = request.max_wait.total_seconds()
    if failed or size >= request.min_bytes or wait_s <= 0 or not request.topics:
        return _encoded(request.__version__, answer)
    return _wait(node, request, wait_s)


async def _wait(node: Node, request: Any, wait_s: float) -> list[bytes]:
    """Until the bytes written to the partitions asked for make up `min_bytes`, or the time is over."""
    answer, size, failed = _read(
        node, request
    )  # others wrote since the handler, before this task's first turn
    missing = request.min_bytes - size
    if failed or missing <= 0:
        return _encoded(request.__version__, answer)
    enough = asyncio.Event()

    def written(added: int) -> None:
        nonlocal missing
        missing -= added
        if missing <= 0:
            enough.set()

    watched = [
        node.topics.partition(asked.topic, part.partition)
        for asked in request.topics
        for part in asked.partitions
    ]
    for partition in watched:
        partition.waiters.add(written)
    try:
        async with asyncio.timeout(wait_s):
            await enough.wait()
    except TimeoutError:
        pass  # the answer is what there is
    finally:
        for partition in watched:
            partition.waiters.discard(written)
    return _encoded(request.__version__, _read(node, request)[0])


def _read(node: Node, request: Any) -> tuple[Answer, int, bool]:
    """The answer as of now, its bytes of records, and whether a partition was refused."""
    left = node.memory.answer_bytes(min(request.max_bytes, MAX_ANSWER_BYTES))
    size, failed = 0, False
    committed_only = request.isolation_level == _READ_COMMITTED
    answer: Answer = []
    for topic in request.topics:
        parts: list[Part] = []
        for asked in topic.partitions:
            try:
                partition = node.topics.partition(topic.topic, asked.partition)
                part = _read_partition(partition, asked, left, committed_only, is_first=size == 0)
            except Refusal as refusal:
                part, failed = Part(asked.partition, refusal.code), True
            size += len(part.records)
            left -= len(part.records)
            parts.append(part)
        answer.append((topic.topic, parts))
    return answer, size, failed


def _read_partition(
    partition: Partition, asked: Any, left: int, committed_only: bool, *, is_first: bool
) -> Part:
    if getattr(asked, "current_leader_epoch", -1) > LEADER_EPOCH:
        raise Refusal(ErrorCode.unknown_leader_epoch)
    log, offset = partition.log, asked.fetch_offset
    if not log.start_offset <= offset <= log.next_offset:
        raise Refusal(ErrorCode.offset_out_of_range)
    part = Part(asked.partition, 0, partition.high_watermark, partition.stable_offset, log.start_offset)
    end = part.stable_offset if committed_only else part.high_watermark
    limit = min(left, asked.partition_max_bytes)
    if offset < end and (limit > 0 or is_first):
        with disk():
            part.records = log.read(offset, max(limit, 0), end, whole_batch=is_first)
    if committed_only:
        part.aborted = partition.producers.aborted_between(offset, end) if part.records else []
    return part


def _encoded(version: int, answer: Answer, code: int = 0) -> list[bytes]:
    out: list[bytes] = [_INT.pack(0)]
    if version >= 7:
        out.append(_SHORT.pack(code) + _INT.pack(0))
    out.append(_INT.pack(len(answer)))
    for name, parts in answer:
        raw = name.encode()
        out.append(_SHORT.pack(len(raw)) + raw + _INT.pack(len(parts)))
        for part in parts:
            out.append(_head(version, part))
            out.append(part.records)
    return out


def _head(version: int, part: Part) -> bytes:
    """Everything of one partition up to its records."""
    head = _PARTITION.pack(part.index, part.code, part.high_watermark, part.stable_offset)
    if version >= 5:
        head += _LONG.pack(part.start_offset)
    head += _INT.pack(-1 if part.aborted is None else len(part.aborted))
    for aborted in part.aborted or ():
        head += _ABORTED.pack(aborted.producer_id, aborted.first_offset)
    if version >= 11:
        head += _INT.pack(-1)
    return head + _INT.pack(len(part.records))
