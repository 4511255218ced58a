"""Committed offsets of consumer groups: a journal of JSON lines, shortened when most of it is out of date.

A line is written before the commit is acknowledged (a killed process loses none) and fsynced every few seconds. A
torn last line is cut off when the journal is read. Callers: the handlers of groups, transactions, upkeep.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from broker.files import write_whole
from broker.refusal import ErrorCode, Refusal, disk

_SHORTEN_AT_BYTES: Final = 4 << 20

TopicPartition = tuple[str, int]


class Committed(NamedTuple):
    """One group's position in one partition."""

    offset: int
    metadata: str = ""


class Offsets:
    """All groups' positions, held in memory and in the journal."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.by_group: dict[str, dict[TopicPartition, Committed]] = {}
        self._journal = path.open("ab", buffering=0)
        self._journal.truncate(self._read(path.read_bytes()))
        self._shorten_at = _SHORTEN_AT_BYTES

    def _read(self, raw: bytes) -> int:
        """Take every whole line; returns where they end: a power cut can leave anything behind the last fsync."""
        end = 0
        for line in raw.splitlines(keepends=True):
            try:
                group, topic, partition, offset, metadata = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n"):
                break
            self._apply(group, (topic, partition), None if offset is None else Committed(offset, metadata))
            end += len(line)
        return end

    def _apply(self, group: str, place: TopicPartition, committed: Committed | None) -> None:
        if committed is not None:
            self.by_group.setdefault(group, {})[place] = committed
        elif group in self.by_group:
            self.by_group[group].pop(place, None)
            if not self.by_group[group]:
                del self.by_group[group]

    def shorten(self) -> None:
        """Write only what holds, if most of the journal no longer does. Raises OSError, and then the old one goes on."""
        if self._journal.seek(0, os.SEEK_END) < self._shorten_at:
            return
        everything = (
            _line(group, place, committed)
            for group, places in self.by_group.items()
            for place, committed in places.items()
        )
        content = b"".join(everything)
        write_whole(self._path, content)
        fresh = self._path.open("ab", buffering=0)
        self._journal.close()
        self._journal = fresh
        self._shorten_at = max(_SHORTEN_AT_BYTES, 4 * len(content))

    @property
    def descriptor(self) -> int:
        """The journal's file, to be fsynced."""
        return self._journal.fileno()

    def get(self, group: str, place: TopicPartition) -> Committed | None:
        """None when the group has none there."""
        return self.by_group.get(group, {}).get(place)

    def put(self, group: str, changes: Mapping[TopicPartition, Committed | None]) -> None:
        """Commit, or with None forget. Raises Refusal when the disk refuses, and then nothing has changed."""
        lines = b"".join(_line(group, place, committed) for place, committed in changes.items())
        at = self._journal.seek(0, os.SEEK_END)
        with disk(ErrorCode.coordinator_not_available):
            try:
                if self._journal.write(lines) < len(lines):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                self._journal.truncate(at)
                raise
        for place, committed in changes.items():
            self._apply(group, place, committed)

    def forget_topics(self, is_gone: Callable[[str], bool]) -> None:
        """Drop every group's position in topics that are gone: one made again under the name begins anew.

        Where the journal cannot take it now, it is written anew as soon as it can be.
        """
        for group, places in list(self.by_group.items()):
            gone: dict[TopicPartition, Committed | None]
            gone = {place: None for place in places if is_gone(place[0])}
            try:
                if gone:
                    self.put(group, gone)
            except Refusal:
                self._shorten_at = 0
                for place in gone:
                    self._apply(group, place, None)

    def close(self) -> None:
        """Fsync and let go."""
        os.fsync(self._journal.fileno())
        self._journal.close()


def _line(group: str, place: TopicPartition, committed: Committed | None) -> bytes:
    offset, metadata = (None, None) if committed is None else committed
    return json.dumps([group, *place, offset, metadata]).encode() + b"\n"
