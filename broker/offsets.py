"""Committed offsets of consumer groups: a journal of JSON lines, shortened when most of it is out of date.

A line is written before the commit is acknowledged (a killed process loses none) and fsynced with the logs. A
torn last line is dropped when the journal is read. Callers: the handlers of groups, transactions, upkeep.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from broker.refusal import ErrorCode, Refusal

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
        if path.exists():
            self._read(path.read_bytes())
        self._shorten()

    def _read(self, raw: bytes) -> None:
        for line in raw.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                return
            try:
                group, topic, partition, offset, metadata = json.loads(line)
            except ValueError:
                return  # a power cut can leave anything behind the last fsync
            self._apply(group, (topic, partition), None if offset is None else Committed(offset, metadata))

    def _apply(self, group: str, place: TopicPartition, committed: Committed | None) -> None:
        if committed is not None:
            self.by_group.setdefault(group, {})[place] = committed
        elif group in self.by_group:
            self.by_group[group].pop(place, None)
            if not self.by_group[group]:
                del self.by_group[group]

    def _shorten(self) -> None:
        beside = self._path.with_name(self._path.name + ".new")
        with beside.open("wb") as journal:
            for group, places in self.by_group.items():
                for place, committed in places.items():
                    journal.write(_line(group, place, committed))
            journal.flush()
            os.fsync(journal.fileno())
            self._shorten_at = max(_SHORTEN_AT_BYTES, 4 * journal.tell())
        beside.replace(self._path)
        self._journal = self._path.open("ab", buffering=0)

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
        try:
            written = self._journal.write(lines)
        except OSError:
            written = 0
        if written != len(lines):
            self._journal.truncate(at)
            raise Refusal(ErrorCode.kafka_storage_error, "the disk refuses")
        for place, committed in changes.items():
            self._apply(group, place, committed)
        if at > self._shorten_at:
            self._journal.close()
            self._shorten()

    def forget_topic(self, topic: str) -> None:
        """Drop every group's position in a topic that is deleted."""
        for group, places in list(self.by_group.items()):
            self.put(group, {place: None for place in places if place[0] == topic})

    def close(self) -> None:
        """Fsync and let go."""
        os.fsync(self._journal.fileno())
        self._journal.close()


def _line(group: str, place: TopicPartition, committed: Committed | None) -> bytes:
    offset, metadata = (None, None) if committed is None else committed
    return json.dumps([group, *place, offset, metadata]).encode() + b"\n"
