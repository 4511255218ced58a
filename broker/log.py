"""The log of one partition: segments in a folder, the oldest first; appended at the end, shortened at the front.

Job: offsets to bytes and times to offsets. `start_offset` (after DeleteRecords it may lie inside a segment) is
kept in `start.json`. Single-threaded. Assumes that batches handed to `append` were checked. Caller: partitions.
"""

from __future__ import annotations

import json
import logging
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from broker import batch
from broker.files import write_whole
from broker.segment import Segment

logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """Answer to a lookup by time: a record's offset and its timestamp in ms."""

    offset: int
    timestamp: int


class Log:
    """Open. `next_offset` is the high watermark: what was written can be read at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*.compacted*"):  # a compaction that was cut off
            left.unlink()
        self._start_file = folder / "start.json"
        stored = json.loads(self._start_file.read_bytes())["offset"] if self._start_file.exists() else 0
        self.segments = [Segment(folder, base) for base in _bases(folder)] or [Segment(folder, stored)]
        self._recover()
        self.start_offset = min(max(stored, self.segments[0].base_offset), self.next_offset)

    def _recover(self) -> None:
        for number, segment in enumerate(self.segments):
            torn = segment.recover()
            if torn:
                logger.warning("%s: cut %d torn bytes off the end", segment.path, torn)
                for lost in self.segments[number + 1 :]:
                    logger.error("%s: dropped, since the segment before it is torn", lost.path)
                    lost.delete()
                del self.segments[number + 1 :]

    @property
    def active(self) -> Segment:
        """The segment that is appended to."""
        return self.segments[-1]

    @property
    def next_offset(self) -> int:
        """The offset the next record gets."""
        return max(self.active.next_offset, self.active.base_offset)

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    def append(self, header: batch.Header, records: bytes | memoryview) -> int:
        """Write one batch; returns the offset of its first record. Raises OSError, and then nothing is written."""
        base_offset = self.next_offset
        placed = header._replace(base_offset=base_offset)
        rest = memoryview(records)[batch.PREFIX_BYTES :]
        self.active.append(placed, [batch.prefix(header, base_offset), rest])
        return base_offset

    def roll(self) -> None:
        """Begin a new segment. Raises OSError, and then the old one goes on."""
        fresh = Segment(self.folder, self.next_offset)
        fresh.create()
        self.active.seal()
        self.segments.append(fresh)

    def _number(self, offset: int) -> int:
        """Which segment holds `offset`."""
        return max(bisect_right(self.segments, offset, key=lambda segment: segment.base_offset) - 1, 0)

    def read(self, offset: int, max_bytes: int, end_offset: int, *, whole_batch: bool) -> bytes:
        """Batches from the one that holds `offset` on, `max_bytes` at the most and none from `end_offset` on.

        The last batch may be cut short, as the protocol allows; with `whole_batch` the first one never is.
        """
        for segment in self.segments[self._number(offset) :]:
            position = segment.locate(offset)
            if position >= segment.size:
                continue  # emptied by compaction from here on
            end = segment.size if end_offset >= segment.next_offset else segment.locate(end_offset)
            data = segment.read(position, min(max_bytes, end - position))
            first = batch.read_header(data) or batch.read_header(segment.read(position, batch.HEADER_BYTES))
            if end <= position or first is None or first.base_offset >= end_offset:
                return b""
            if first.size > len(data):
                return segment.read(position, first.size) if whole_batch else b""
            self._remember_end(segment, position, data, first)
            return data
        return b""

    def _remember_end(self, segment: Segment, position: int, data: bytes, header: batch.Header) -> None:
        """Note where the next read of this reader begins: behind the last whole batch."""
        if position + len(data) == segment.size:
            return  # the appender noted it
        at, last = header.size, header
        while (following := batch.read_header(data, at)) is not None and at + following.size <= len(data):
            at += following.size
            last = following
        segment.remember(last.next_offset, position + at)

    def batches(self, offset: int) -> Iterator[tuple[Segment, int, batch.Header]]:
        """Segment, position and header of every batch that ends behind `offset`."""
        for segment in self.segments[self._number(offset) :]:
            for located in segment.batches(segment.locate(offset)):
                yield segment, located.position, located.header

    def find_time(self, timestamp: int, end_offset: int) -> Found | None:
        """The first record of `timestamp` (ms) or later; None when there is none before `end_offset`."""
        for segment in self.segments:
            if segment.max_timestamp < timestamp or segment.next_offset <= self.start_offset:
                continue
            for place in segment.first_since(timestamp):
                header = place.header
                if header.base_offset >= end_offset:
                    return None
                if header.max_timestamp < timestamp:
                    continue
                for record in batch.records(segment.read(place.position, header.size), header):
                    if record.timestamp >= timestamp and record.offset >= self.start_offset:
                        return Found(record.offset, record.timestamp)
        return None

    def latest_time(self, end_offset: int) -> Found | None:
        """The first of the records with the greatest timestamp, or None for an empty log."""
        inside = [segment for segment in self.segments if segment.next_offset > self.start_offset]
        greatest = max((segment.max_timestamp for segment in inside), default=-1)
        return self.find_time(greatest, end_offset) if greatest >= 0 else None

    # shortening

    def delete_before(self, offset: int) -> None:
        """Nothing before `offset` may be read any more; segments wholly before it go. Raises OSError."""
        if offset <= self.start_offset:
            return
        write_whole(self._start_file, json.dumps({"offset": offset}).encode())
        self.start_offset = offset
        while len(self.segments) > 1 and self.segments[1].base_offset <= offset:
            self.drop_first()

    def drop_first(self) -> None:
        """Delete the oldest segment; if it is the only one, a new one begins. Needs no room: a full disk is emptied so."""
        if len(self.segments) == 1:
            try:
                self.roll()
            except OSError:
                self._empty_the_only_one()
        if len(self.segments) > 1:
            self.segments[0].delete()
            del self.segments[0]
        self.start_offset = max(self.start_offset, self.segments[0].base_offset)

    def _empty_the_only_one(self) -> None:
        """Its file gets the next one's name and is emptied; killed in between, its batches are too old for that name."""
        old, fresh = self.active, Segment(self.folder, self.next_offset)
        old.close()
        old.index_path.unlink(missing_ok=True)
        old.path.rename(fresh.path)
        self.segments = [fresh]
        fresh.create()

    def unsynced(self) -> list[Segment]:
        """Segments that are not known to be on disk as a whole."""
        return [segment for segment in self.segments if segment.is_unsynced]

    def close(self) -> None:
        """Let go of all files; `seal` and fsync come before, where they are wanted."""
        for segment in self.segments:
            segment.close()


def _bases(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.log"))
