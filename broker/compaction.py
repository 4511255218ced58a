"""Compaction: of each key only the last record stays (cleanup.policy=compact).

Job: rewrite the sealed segments of a partition whose keys have come again. Works in a thread on copies: the new
file is complete and fsynced before it takes the old one's place on the loop. Records keep their offsets. A record
without a value (a tombstone) goes, too, once it is older than delete.retention.ms. Markers stay. A
partition that still holds an aborted transaction is left as it is, since its records must not win over others. Caller: upkeep.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from broker import batch
from broker.partition import Partition
from broker.segment import Segment


@dataclass(frozen=True, slots=True)
class Source:
    """A sealed segment as the thread sees it."""

    path: Path
    base_offset: int


async def compact(partition: Partition, cleaned_to: int) -> int:
    """Compact what is sealed, if enough of it is new since offset `cleaned_to`; returns the offset cleaned to."""
    log, config = partition.log, partition.config
    if log.active.size and time.time_ns() // 1_000_000 - log.active.modified_ms > config.segment_ms:
        log.roll()
    sealed = [segment for segment in log.segments[:-1] if segment.next_offset <= partition.stable_offset]
    dirty = sum(segment.size for segment in sealed if segment.next_offset > cleaned_to)
    total = sum(segment.size for segment in sealed)
    if not dirty or dirty < config.min_dirty_ratio * total or partition.producers.aborted:
        return cleaned_to
    sources = [Source(segment.path, segment.base_offset) for segment in sealed]
    end = sealed[-1].next_offset
    now_ms = time.time_ns() // 1_000_000
    latest = await asyncio.to_thread(_latest_offsets, sources)
    for segment, source in zip(sealed, sources, strict=True):
        keep_tombstones_since = now_ms - config.delete_retention_ms
        fresh = await asyncio.to_thread(_rewritten, source, latest, keep_tombstones_since)
        if partition.is_deleted or segment not in log.segments:
            continue
        if fresh is not None:
            log.segments[log.segments.index(segment)] = swap(segment, fresh)
    return end


def _latest_offsets(sources: list[Source]) -> dict[bytes, int]:
    """Key -> offset of its last record."""
    latest: dict[bytes, int] = {}
    for source in sources:
        for data, header in _batches(source):
            if not header.is_control:
                for record in batch.records(data, header):
                    if record.key is not None:
                        latest[record.key] = record.offset
    return latest


def _rewritten(source: Source, latest: dict[bytes, int], keep_tombstones_since: int) -> Path | None:
    """A file beside the segment's with what stays; None when nothing goes."""
    beside = source.path.with_suffix(".compacted")
    changed = False
    with beside.open("wb") as out:
        for data, header in _batches(source):
            if header.is_control:
                out.write(data)
                continue
            records = list(batch.records(data, header))
            kept = [record for record in records if _stays(record, latest, keep_tombstones_since)]
            changed = changed or len(kept) < len(records)
            if len(kept) == len(records):
                out.write(data)
            elif kept:
                out.write(batch.rebuilt(header, kept))
        out.flush()
        os.fsync(out.fileno())
    if not changed:
        beside.unlink()
        return None
    return beside


def _stays(record: batch.Record, latest: dict[bytes, int], keep_tombstones_since: int) -> bool:
    if record.key is not None and latest[record.key] != record.offset:
        return False
    return record.has_value or record.timestamp >= keep_tombstones_since


def _batches(source: Source) -> Iterator[tuple[bytes, batch.Header]]:
    """The batches of one segment's file, one in memory at a time."""
    with source.path.open("rb") as file:
        while (header := batch.read_header(front := file.read(batch.HEADER_BYTES))) is not None:
            yield front + file.read(header.size - batch.HEADER_BYTES), header


def swap(segment: Segment, compacted: Path) -> Segment:
    """Put the compacted file in the segment's place and open it."""
    next_offset = segment.next_offset
    segment.close()
    segment.index_path.unlink(missing_ok=True)
    compacted.replace(segment.path)
    fresh = Segment(segment.path.parent, segment.base_offset)
    fresh.recover()
    fresh.next_offset = max(fresh.next_offset, next_offset)
    fresh.seal()
    fresh.mark_synced(fresh.size)
    return fresh
