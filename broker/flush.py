"""When written bytes are made durable: fsync in a thread, every few ms while there is something to do.

Job: remember which partitions were written to, and fsync them together. Nothing runs while nothing is written. An
fsync that fails is told to whoever waits for it, and proves the segment doubtful until the next start has checked it.
Callers: the node, the handler of Produce.
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
        for partition in partitions:
            for segment in partition.log.unsynced():
                if not _holds(partition, segment):
                    continue
                try:
                    size = segment.size
                    await asyncio.to_thread(_fsync_and_close, segment, os.dup(segment.descriptor))
                    if _holds(partition, segment):
                        segment.mark_synced(size)
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
            segment.mark_synced(segment.size)


def _holds(partition: Partition, segment: Segment) -> bool:
    """Whether the segment is still there: it may be deleted or compacted at any time that is waited for."""
    return not partition.is_deleted and segment in partition.log.segments


def _fsync_and_close(segment: Segment, descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError:
        segment.is_doubtful = True
        raise
    finally:
        os.close(descriptor)
