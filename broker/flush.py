"""When written bytes are made durable: fsync in a thread, every few ms while there is something to do.

Job: remember which partitions were written to, and fsync them together. Nothing runs while nothing is written. An
fsync that fails is told, and the partition tried again. Callers: the node, the handler of Produce.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Final

from broker.partition import Partition
from broker.segment import Segment

logger = logging.getLogger(__name__)
_RETRY_S: Final = 1.0


class Flusher:
    """One per broker. `interval_ms` 0: as soon as possible, and acks=all waits for it."""

    def __init__(self, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self._dirty: set[Partition] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._running: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def note(self, partition: Partition) -> None:
        """Something was written to it."""
        self._dirty.add(partition)
        if self._timer is None and self._running is None:
            self._schedule(self.interval_ms / 1000)

    def _schedule(self, delay_s: float) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # while the broker starts: what it writes then is flushed with the next write or at the end
        self._timer = loop.call_later(delay_s, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._running = asyncio.ensure_future(self._flush())

    async def synced(self, partition: Partition) -> None:
        """Return when what was written to `partition` so far is on disk. Raises OSError if it cannot be."""
        self._dirty.add(partition)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        if self._running is None:
            if self._timer is not None:
                self._timer.cancel()
            self._begin()
        await done

    async def _flush(self) -> None:
        partitions, self._dirty = self._dirty, set()
        waiting, self._waiting = self._waiting, []
        failure: OSError | None = None
        work = [
            (segment, segment.size, os.dup(segment.descriptor), partition)
            for partition in partitions
            if not partition.is_deleted
            for segment in partition.log.unsynced()
        ]
        for segment, size, descriptor, partition in work:
            try:
                await asyncio.to_thread(_fsync_and_close, descriptor)
                _mark(partition, segment, size)
            except OSError as error:
                logger.error("%s: fsync failed: %s", segment.path, error)
                failure = error
                self._dirty.add(partition)
        for done in waiting:
            if not done.done():
                done.set_exception(failure) if failure else done.set_result(None)
        self._running = None
        if self._waiting:
            self._begin()
        elif self._dirty:
            self._schedule(_RETRY_S if failure else self.interval_ms / 1000)

    async def stop(self) -> None:
        """Wait for the fsync under way and begin no other."""
        if self._timer is not None:
            self._timer.cancel()
        if self._running is not None:
            await self._running
        if self._timer is not None:
            self._timer.cancel()

    def sync_now(self, partition: Partition) -> None:
        """Fsync in this thread and seal the last segment (the broker is stopping)."""
        partition.log.active.seal()
        for segment in partition.log.unsynced():
            os.fsync(segment.descriptor)
            _mark(partition, segment, segment.size)


def _mark(partition: Partition, segment: Segment, size: int) -> None:
    if not partition.is_deleted and segment in partition.log.segments:  # else deleted or compacted meanwhile
        segment.mark_synced(size)


def _fsync_and_close(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
