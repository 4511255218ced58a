"""Compaction: of each key only the last record stays (cleanup.policy=compact).

Job: rewrite the sealed segments of a partition whose keys have come again. Works in a thread on copies: a new file is
complete and fsynced before it takes the old one's place on the loop. Records keep their offsets; markers stay, records
of aborted transactions go. A record without a value (a tombstone) goes, too, delete.retention.ms after the first pass
over it: who read the older value before that pass has so long to read on to the tombstone. `compacted.json` holds
what that needs: up to which offset each pass came, and when. Caller: upkeep.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker import batch
from broker.files import write_whole
from broker.partition import Partition
from broker.producers import Aborted
from broker.segment import IndexBuilder, Segment

MAX_KEYS: Final = 500_000
"""How many keys a pass holds in memory (some 100 bytes each); with more of them, several passes follow each other."""


@dataclass(frozen=True, slots=True)
class Done:
    """What earlier passes did: offset reached and time (ms) of each, and the first tombstone that the last one kept."""

    passes: tuple[tuple[int, int], ...] = ()
    tombstone: int | None = None

    @property
    def reached(self) -> int:
        """Before it every key stands once."""
        return max((offset for offset, _ in self.passes), default=0)

    def seen_before(self, time_ms: int) -> int:
        """Before it everything was passed over at `time_ms` or earlier."""
        return max((offset for offset, at_ms in self.passes if at_ms <= time_ms), default=0)


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass, as the thread sees it: the files by name, and what goes."""

    dirty: list[Path]
    aborted: tuple[Aborted, ...]
    tombstones_before: int

    def batches(self, path: Path) -> Iterator[tuple[bytes, batch.Header]]:
        """The batches of a segment, one in memory at a time, without those of aborted transactions."""
        with path.open("rb") as file:
            while (header := batch.read_header(front := file.read(batch.HEADER_BYTES))) is not None:
                data = front + file.read(header.size - batch.HEADER_BYTES)
                if header.is_control or not self._is_aborted(header):
                    yield data, header

    def _is_aborted(self, header: batch.Header) -> bool:
        return header.is_transactional and any(
            entry.producer_id == header.producer_id
            and entry.first_offset <= header.base_offset < entry.last_offset
            for entry in self.aborted
        )

    def latest_offsets(self) -> tuple[dict[bytes, int], int]:
        """Key -> offset of its last record in the dirty segments; how many of these it took."""
        latest: dict[bytes, int] = {}
        for number, path in enumerate(self.dirty):
            if len(latest) >= MAX_KEYS:
                return latest, number
            for data, header in self.batches(path):
                if not header.is_control:
                    for record in batch.records(data, header):
                        if record.key is not None:
                            latest[record.key] = record.offset
        return latest, len(self.dirty)

    def rewrite(
        self, path: Path, latest: dict[bytes, int], next_offset: int
    ) -> tuple[Path | None, int | None]:
        """A file beside the segment's with what stays, None when nothing goes; and the first tombstone that stays."""
        beside, index, tombstone = path.with_suffix(".compacted"), IndexBuilder(), None
        with beside.open("wb") as out:
            for data, header in self.batches(path):
                stays, at = (data, None) if header.is_control else self._what_stays(data, header, latest)
                tombstone = at if tombstone is None else tombstone
                out.write(stays)
                if (kept := batch.read_header(stays)) is not None:
                    index.add(kept)
            out.flush()
            os.fsync(out.fileno())
        before = path.stat()
        if index.position == before.st_size:
            beside.unlink()
            return None, tombstone
        os.utime(beside, ns=(before.st_atime_ns, before.st_mtime_ns))
        write_whole(beside.with_suffix(".compacted-index"), index.end(next_offset), durable=False)
        return beside, tombstone

    def _what_stays(
        self, data: bytes, header: batch.Header, latest: dict[bytes, int]
    ) -> tuple[bytes, int | None]:
        """The batch with what stays of it, empty if nothing does; and its first tombstone."""
        records = list(batch.records(data, header))
        kept = [
            record
            for record in records
            if (record.key is None or latest.get(record.key, -1) <= record.offset)
            and (record.has_value or record.offset >= self.tombstones_before)
        ]
        tombstone = next((record.offset for record in kept if not record.has_value), None)
        if len(kept) == len(records):
            return data, tombstone
        return batch.rebuilt(header, kept) if kept else b"", tombstone


async def compact(partition: Partition, now_ms: int) -> bool:
    """Compact what is sealed, if enough of it is new or a tombstone's time is over; whether it did. Raises OSError."""
    log, config = partition.log, partition.config
    if log.active.size and now_ms - log.active.modified_ms > config.segment_ms:
        log.roll()
    done = _read_done(log.folder, log.next_offset)
    sealed = [segment for segment in log.segments[:-1] if segment.next_offset <= partition.stable_offset]
    dirty = [segment for segment in sealed if segment.next_offset > done.reached]
    dirty_bytes, all_bytes = sum(each.size for each in dirty), sum(each.size for each in sealed)
    old_before = done.seen_before(now_ms - config.delete_retention_ms)
    is_due = done.tombstone is not None and done.tombstone < old_before
    if not is_due and (not dirty or dirty_bytes < config.min_dirty_ratio * all_bytes):
        return False
    partition.snapshot(now_ms, always=True)  # a producer's last batch may go: its number must stay known
    work = Pass([each.path for each in dirty], tuple(partition.producers.aborted), old_before)
    latest, taken = await asyncio.to_thread(work.latest_offsets)
    reached = dirty[taken - 1].next_offset if taken else done.reached
    first_tombstone = None
    for segment in sealed:
        if segment.next_offset > reached:
            break
        fresh, tombstone = await asyncio.to_thread(work.rewrite, segment.path, latest, segment.next_offset)
        if partition.is_deleted:
            return True
        if fresh is not None and segment in log.segments:
            log.segments[log.segments.index(segment)] = swap(segment, fresh)
        first_tombstone = tombstone if first_tombstone is None else first_tombstone
    passes = (*((offset, at) for offset, at in done.passes if offset > old_before), (reached, now_ms))
    passes = ((old_before, now_ms - config.delete_retention_ms), *passes) if old_before else passes
    _write_done(log.folder, Done(passes, first_tombstone))
    return True


def swap(segment: Segment, compacted: Path) -> Segment:
    """Put the compacted file and its index in the segment's place and open it, without reading it."""
    segment.close()
    segment.index_path.unlink(missing_ok=True)
    compacted.replace(segment.path)
    compacted.with_suffix(".compacted-index").replace(segment.index_path)
    fresh = Segment(segment.path.parent, segment.base_offset)
    fresh.recover()
    fresh.next_offset = segment.next_offset
    return fresh


def _read_done(folder: Path, end_offset: int) -> Done:
    try:
        stored = json.loads((folder / "compacted.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return Done()
    if any(offset > end_offset for offset, _ in stored["passes"]):
        return Done()  # of records that went with the power: other ones have their offsets now
    return Done(tuple((offset, at_ms) for offset, at_ms in stored["passes"]), stored["tombstone"])


def _write_done(folder: Path, done: Done) -> None:
    content = {"passes": done.passes, "tombstone": done.tombstone}
    write_whole(folder / "compacted.json", json.dumps(content).encode())
