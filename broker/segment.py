"""One segment of a partition's log: a file of batches, and a sparse index beside it.

The index file `<base offset>.index` holds entries (offset, position, greatest timestamp before that position),
24 bytes each, about one for 32 KiB of log. It is written only after the log was fsynced up to the entry, so its
last entry is the recovery point: what lies behind it is checked when the segment is opened, what lies before is
known to be whole. A segment that was closed in order, or sealed, has an entry at its very end and is not read at
all. Single-threaded. Caller: `broker.log`.
"""

from __future__ import annotations

import errno
import logging
import os
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.batch import HEADER_BYTES, Header, is_intact, read_header

logger = logging.getLogger(__name__)
INDEX_INTERVAL_BYTES: Final = 32 * 1024
_ENTRY: Final = struct.Struct(">qqq")
_SCAN_BYTES: Final = 1 << 20
_HINTS: Final = 16
MAX_OPEN: Final = 256
"""Files open at a time, of all segments of all partitions; the one not used for longest is closed for another."""


@dataclass(frozen=True, slots=True)
class Located:
    """A batch's place in its segment's file."""

    position: int
    header: Header


class Segment:
    """Open for reading and, if it is the last one, for appending. `size` is in bytes."""

    def __init__(self, folder: Path, base_offset: int) -> None:
        self.base_offset = base_offset
        self.path = folder / f"{base_offset:020}.log"
        self.index_path = self.path.with_suffix(".index")
        self.size = 0
        self.next_offset = base_offset
        self.max_timestamp = -1
        self.synced = 0
        """Position up to which the file is known to be on disk."""
        self._descriptor = -1
        self._offsets, self._positions, self._times = array("q"), array("q"), array("q")
        self._written = 0  # entries of the index that are in its file
        self._hints: dict[int, int] = {}  # offset -> position of the batch that begins there
        self.is_doubtful = False
        """An fsync failed: what it should have written may be gone from memory, so no later one proves anything."""

    # opening

    def recover(self) -> int:
        """Read the index, check what lies behind it; returns how many torn bytes were cut off the end."""
        self.size = os.fstat(self.descriptor).st_size
        self._load_index()
        position, self.next_offset, self.max_timestamp = self._last_entry()
        self.synced = position
        while (batch := self._intact_at(position)) is not None:
            self._note(batch, position)
            position += batch.size
        torn = self.size - position
        if torn:
            os.ftruncate(self.descriptor, position)
            self.size = position
        return torn

    def _load_index(self) -> None:
        raw = self.index_path.read_bytes() if self.index_path.exists() else b""
        last = (-1, -1)
        for entry in _ENTRY.iter_unpack(raw[: len(raw) - len(raw) % _ENTRY.size]):
            offset, position, time = entry
            if (offset, position) <= last or position <= last[1] or position > self.size:
                break
            self._offsets.append(offset)
            self._positions.append(position)
            self._times.append(time)
            last = offset, position
        while self._offsets and not self._entry_holds():
            self._offsets.pop(), self._positions.pop(), self._times.pop()
        self._written = len(self._offsets)
        if self._written * _ENTRY.size != len(raw):
            os.truncate(self.index_path, self._written * _ENTRY.size)

    def _entry_holds(self) -> bool:
        """Whether the last entry points at a batch of its offset, or at the end of the file."""
        header = self._header_at(self._positions[-1])
        return self._positions[-1] == self.size if header is None else header.base_offset == self._offsets[-1]

    def _last_entry(self) -> tuple[int, int, int]:
        return (
            (self._positions[-1], self._offsets[-1], self._times[-1])
            if self._offsets
            else (0, self.base_offset, -1)
        )

    def _intact_at(self, position: int) -> Header | None:
        header = self._header_at(position)
        if header is None or header.magic != 2 or header.length < HEADER_BYTES - 12:
            return None
        if header.base_offset < self.next_offset or position + header.size > self.size:
            return None
        return header if is_intact(self.read(position, header.size), header) else None

    def _header_at(self, position: int) -> Header | None:
        return read_header(os.pread(self.descriptor, HEADER_BYTES, position))

    @property
    def descriptor(self) -> int:
        """The file's descriptor; opened when needed, for use at once: asking another segment's may close it."""
        if self._descriptor < 0:
            if len(_open) >= MAX_OPEN:
                next(iter(_open)).close()
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            _open[self] = None
        else:
            _open.move_to_end(self)
        return self._descriptor

    @property
    def is_unsynced(self) -> bool:
        """Whether the file, or its index, may not be on disk as a whole."""
        return self.synced < self.size or self._written < len(self._positions)

    @property
    def modified_ms(self) -> int:
        """When the file was last written, in ms since 1970."""
        return os.fstat(self.descriptor).st_mtime_ns // 1_000_000

    @property
    def newest_ms(self) -> int:
        """Time of the youngest record; where producers gave none, of the last write."""
        return self.max_timestamp if self.max_timestamp >= 0 else self.modified_ms

    # writing

    def create(self) -> None:
        """Make the empty file: its name keeps the next offset even if nothing is ever written to it."""
        os.ftruncate(self.descriptor, 0)

    def append(self, header: Header, buffers: list[bytes | memoryview]) -> None:
        """Write one batch at the end; raises OSError, and then nothing of it is in the file."""
        wanted = header.size
        try:
            written = os.pwritev(self.descriptor, buffers, self.size)
            if written < wanted:
                rest = b"".join(buffers)[written:]
                written += os.pwrite(self.descriptor, rest, self.size + written)
            if written < wanted:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(self.descriptor, self.size)
            raise
        self._note(header, self.size)
        self.size += wanted

    def _note(self, header: Header, position: int) -> None:
        """Bring the index and the ends up to date with the batch at `position`."""
        if position - (self._positions[-1] if self._positions else 0) >= INDEX_INTERVAL_BYTES:
            self._enter(header.base_offset, position)
        self.next_offset = header.next_offset
        self.max_timestamp = max(self.max_timestamp, header.max_timestamp)
        self.remember(header.next_offset, position + header.size)

    def _enter(self, offset: int, position: int) -> None:
        self._offsets.append(offset)
        self._positions.append(position)
        self._times.append(self.max_timestamp)

    def seal(self) -> None:
        """Give the index an entry at the very end, so that opening again reads nothing."""
        if self.size and (not self._positions or self._positions[-1] < self.size):
            self._enter(self.next_offset, self.size)

    def mark_synced(self, size: int) -> None:
        """The file was fsynced when it had `size` bytes: move the recovery point there."""
        if self.is_doubtful:
            return  # the next start checks it from the last point that is sure
        self.synced = size
        try:
            self._write_index()
        except OSError as error:  # it saves reading the log at the next start, no more; written later
            logger.warning("%s: not written: %s", self.index_path, error)

    def _write_index(self) -> None:
        due = len(self._positions)
        while due and self._positions[due - 1] > self.synced:
            due -= 1
        if due > self._written:
            rows = range(self._written, due)
            raw = b"".join(
                _ENTRY.pack(self._offsets[row], self._positions[row], self._times[row]) for row in rows
            )
            index = os.open(self.index_path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:  # at its place, so that what a full disk took a part of is overwritten the next time
                if os.pwrite(index, raw, self._written * _ENTRY.size) < len(raw):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(index)
            self._written = due

    # reading

    def read(self, position: int, size: int) -> bytes:
        """Up to `size` bytes at `position`."""
        return os.pread(self.descriptor, min(size, self.size - position), position)

    def locate(self, offset: int) -> int:
        """Position of the first batch that holds `offset` or a later one; `size` when there is none."""
        if offset >= self.next_offset:
            return self.size
        hint = self._hints.get(offset)
        if hint is not None:
            return hint
        row = bisect_right(self._offsets, offset) - 1
        for batch in self.batches(self._positions[row] if row >= 0 else 0):
            if batch.header.next_offset > offset:
                return batch.position
        return self.size

    def remember(self, offset: int, position: int) -> None:
        """A batch of `offset` begins at `position`: a reader that goes on there need not search."""
        if len(self._hints) >= _HINTS:
            del self._hints[next(iter(self._hints))]
        self._hints[offset] = position

    def first_since(self, timestamp: int) -> Iterator[Located]:
        """Batches from the first place that may hold a record of `timestamp` or later."""
        row = bisect_left(self._times, timestamp) - 1  # before its position every timestamp is below
        return self.batches(self._positions[row] if row >= 0 else 0)

    def batches(self, position: int = 0) -> Iterator[Located]:
        """Every batch's place and header from `position` on."""
        chunk, start = b"", position
        while position < self.size:
            header = read_header(chunk, position - start)
            if header is None:
                span = INDEX_INTERVAL_BYTES if not chunk else _SCAN_BYTES
                chunk, start = self.read(position, max(span, HEADER_BYTES)), position
                header = read_header(chunk)
                if header is None:
                    return
            yield Located(position, header)
            position += header.size

    # ending

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            del _open[self]

    def delete(self) -> None:
        """Remove both files."""
        self.close()
        self.index_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


class IndexBuilder:
    """The index of a file that is written from its beginning, batch by batch."""

    def __init__(self) -> None:
        self.position = 0
        self._rows = bytearray()
        self._entered = 0
        self._max_timestamp = -1

    def add(self, header: Header) -> None:
        """The next batch."""
        if self.position - self._entered >= INDEX_INTERVAL_BYTES:
            self._rows += _ENTRY.pack(header.base_offset, self.position, self._max_timestamp)
            self._entered = self.position
        self.position += header.size
        self._max_timestamp = max(self._max_timestamp, header.max_timestamp)

    def end(self, next_offset: int) -> bytes:
        """The index file's content, with an entry at the very end."""
        last = _ENTRY.pack(next_offset, self.position, self._max_timestamp) if self.position else b""
        return bytes(self._rows) + last


_open: Final[OrderedDict[Segment, None]] = OrderedDict()  # the least recently used first
