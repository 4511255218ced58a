"""The broker's state as one object, handed to every handler. Caller: the server."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from broker.flush import Flusher
from broker.groups import Group
from broker.memory import Memory
from broker.offsets import Offsets
from broker.options import Options
from broker.partition import Partition
from broker.producer_ids import ProducerIds
from broker.refusal import ErrorCode, Refusal
from broker.topics import Topics
from broker.transactions import Transactions

if TYPE_CHECKING:
    from broker.connection import Connection

NODE_ID = 1
logger = logging.getLogger(__name__)


class Node:
    """Everything one broker holds. `port` is set once it listens."""

    def __init__(self, options: Options) -> None:
        folder: Path = options.data_dir
        self.options = options
        self.host = options.advertised_host or options.host
        self.port = options.port
        self.ids = ProducerIds(folder / "broker.json")
        self.disk_bytes = 0
        self.flusher = Flusher(options.flush_ms)
        self.topics = Topics(folder / "topics", self._written)
        self.offsets = Offsets(folder / "offsets.journal")
        self.transactions = Transactions(folder / "transactions.json", self.topics, self.offsets, self.ids)
        self.groups: dict[str, Group] = {}
        self.memory = Memory(options.max_memory_bytes)
        self.connections: set[Connection] = set()
        self.offsets.forget_topics(lambda name: name not in self.topics.by_name)
        self.measure_disk()

    def _written(self, partition: Partition, size: int) -> None:
        self.disk_bytes += size
        self.flusher.note(partition)

    def measure_disk(self) -> None:
        """Count again what all logs take together."""
        self.disk_bytes = sum(partition.log.size for partition in self.topics.partitions())

    def check_room(self, size: int) -> None:
        """Raises Refusal, which clients take as "try again", while the logs may not grow by `size`."""
        limit = self.options.max_disk_bytes
        if limit is not None and self.disk_bytes + size > limit:
            message = f"the logs hold {self.disk_bytes} of {limit} bytes (--max-disk)"
            raise Refusal(ErrorCode.kafka_storage_error, message)

    def group(self, group_id: str, *, create: bool = False) -> Group | None:
        """None when nobody ever joined it, unless `create`."""
        if not group_id:
            raise Refusal(ErrorCode.invalid_group_id)
        if create and group_id not in self.groups:
            self.groups[group_id] = Group(group_id)
        return self.groups.get(group_id)

    def known_group(self, group_id: str) -> Group:
        """Raises Refusal when nobody ever joined it: a member of before a restart has to join again."""
        group = self.group(group_id)
        if group is None:
            raise Refusal(ErrorCode.unknown_member_id)
        return group

    def delete_topic(self, name: str) -> None:
        """The topic, and every group's offsets in it. Raises Refusal."""
        try:
            self.topics.delete(name)
        finally:
            self.offsets.forget_topics(lambda other: other not in self.topics.by_name)
            self.measure_disk()

    def close(self) -> None:
        """Seal and fsync everything: the next start reads no log. The loop has stopped serving."""
        now_ms = time.time_ns() // 1_000_000
        for group in self.groups.values():
            group.close()
        for partition in self.topics.partitions():
            try:
                partition.snapshot(now_ms, always=True)
                self.flusher.sync_now(partition)
            except OSError as error:  # the next start checks what this one could not save
                logger.error("%s-%d: not closed in order: %s", partition.topic, partition.index, error)
            partition.log.close()
        self.offsets.close()

    async def sync(self, partitions: list[Partition]) -> None:
        """Return when everything written to `partitions` so far is on disk."""
        await asyncio.gather(*(self.flusher.synced(partition) for partition in partitions))
