"""Which segments of a partition are old enough to go. Caller: upkeep."""

from __future__ import annotations

from broker.partition import Partition
from broker.segment import Segment


def expire(partition: Partition, now_ms: int) -> int:
    """Delete what retention.ms and retention.bytes no longer keep; returns the number of segments deleted.

    By time, a segment goes when its youngest record is too old, the last one included. By size, the oldest go as long
    as the rest still holds retention.bytes; the last one stays. What belongs to an open transaction stays.
    """
    config, log = partition.config, partition.log
    if not config.deletes:
        return 0
    deleted = 0
    while (first := log.segments[0]).size and _may_go(partition, first):
        too_old = 0 <= config.retention_ms < now_ms - first.newest_ms
        surplus = config.retention_bytes >= 0 and log.size - first.size >= config.retention_bytes
        if not too_old and not (surplus and len(log.segments) > 1):
            break
        log.drop_first()
        deleted += 1
    return deleted


def _may_go(partition: Partition, segment: Segment) -> bool:
    return segment.next_offset <= partition.stable_offset
