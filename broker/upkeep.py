"""What has to be done from time to time: retention, compaction, snapshots, late transactions, deleted files.

Job: one task for as long as the broker runs. A step that fails is told and tried again next time; the others go
on. Caller: the server.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time

from broker.compaction import compact
from broker.node import Node
from broker.refusal import Refusal
from broker.retention import expire

logger = logging.getLogger(__name__)


async def keep_up(node: Node) -> None:
    """Run until cancelled."""
    while True:
        await asyncio.sleep(node.options.upkeep_ms / 1000)
        await run_once(node)


async def run_once(node: Node) -> None:
    """All steps."""
    now_ms = time.time_ns() // 1_000_000
    for partition in list(node.topics.partitions()):
        try:
            deleted = expire(partition, now_ms)
            if deleted:
                logger.info("%s-%d: %d old segments deleted", partition.topic, partition.index, deleted)
            if partition.config.compacts:
                await compact(partition, now_ms)
            if not partition.is_deleted:
                partition.snapshot(now_ms)
        except (OSError, ValueError, Refusal) as error:
            logger.error("%s-%d: upkeep failed: %s", partition.topic, partition.index, error)
    try:
        node.offsets.shorten()
        node.transactions.end_late(now_ms)
        await asyncio.to_thread(os.fsync, node.offsets.descriptor)
        await asyncio.to_thread(node.transactions.sync)
        await asyncio.to_thread(node.topics.sweep_deleted)
    except (OSError, Refusal) as error:
        logger.error("upkeep failed: %s", error)
    for group_id in [group_id for group_id, group in node.groups.items() if group.is_unused]:
        del node.groups[group_id]
    node.measure_disk()
