"""Transactions: which producer has which one open, and how each ends.

Job: the coordinator. A transaction's end is first written down (`transactions.json`), then its markers go into the
partitions and its offsets to their groups; a broker killed in between finishes it at its next start. Single-threaded.
Caller: the handlers of transactions and of Produce.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from broker.files import write_whole
from broker.offsets import Committed, Offsets, TopicPartition
from broker.producer_ids import ProducerIds
from broker.refusal import ErrorCode, Refusal
from broker.topics import Topics

logger = logging.getLogger(__name__)
MAX_TIMEOUT_MS: Final = 15 * 60 * 1000
_LAST_EPOCH: Final = 32_766


class Stage(StrEnum):
    """Where a transaction stands; the two ENDING stages are seen only after a crash."""

    NONE = "none"
    OPEN = "open"
    COMMITTING = "committing"
    ABORTING = "aborting"


@dataclass(slots=True)
class Transaction:
    """The current or last transaction of one transactional id."""

    producer_id: int
    epoch: int
    timeout_ms: int
    stage: Stage = Stage.NONE
    committed: bool | None = None
    """How the last one ended; None before the first end."""
    began_ms: int = 0
    partitions: set[TopicPartition] = field(default_factory=set)
    offsets: dict[str, dict[TopicPartition, Committed]] = field(default_factory=dict)


class Transactions:
    """All transactional ids. Times are ms since 1970, passed in."""

    def __init__(self, path: Path, topics: Topics, offsets: Offsets, ids: ProducerIds) -> None:
        self._path = path
        self._topics = topics
        self._offsets = offsets
        self._ids = ids
        self._by_id: dict[str, Transaction] = {}
        self._by_producer: dict[int, Transaction] = {}
        if path.exists():
            for name, stored in json.loads(path.read_bytes()).items():
                self._set(name, _decoded(stored))
        for transaction in self._by_id.values():
            if transaction.stage in (Stage.COMMITTING, Stage.ABORTING):
                self._finish_after_crash(transaction)

    def _finish_after_crash(self, transaction: Transaction) -> None:
        try:
            self._finish(transaction)
        except (
            Refusal
        ) as refusal:  # a full disk must not keep the broker from starting: its next request tries again
            logger.error(
                "producer %d: its transaction is not ended yet: %s", transaction.producer_id, refusal
            )

    def _set(self, name: str, transaction: Transaction) -> None:
        self._by_id[name] = self._by_producer[transaction.producer_id] = transaction

    def begin_producer(self, name: str, timeout_ms: int) -> tuple[int, int]:
        """InitProducerId: the producer's id and new epoch; what an earlier one left open is aborted."""
        if not 0 < timeout_ms <= MAX_TIMEOUT_MS:
            raise Refusal(ErrorCode.invalid_transaction_timeout)
        known = self._by_id.get(name)
        if known is None or known.epoch >= _LAST_EPOCH:
            if known is not None and known.stage is Stage.OPEN:
                self._end(known, committed=False)
            known = Transaction(self._ids.next(), 0, timeout_ms)
            self._set(name, known)
        else:
            self._fence(known)
        known.timeout_ms, known.committed = timeout_ms, None
        self._store()
        return known.producer_id, known.epoch

    def _fence(self, known: Transaction) -> None:
        known.epoch += 1
        if known.stage is Stage.OPEN:
            self._end(known, committed=False)

    def add(
        self, name: str, producer_id: int, epoch: int, places: Iterable[TopicPartition], now_ms: int
    ) -> None:
        """The transaction will write there; the first call opens it. Raises Refusal."""
        known = self._checked(name, producer_id, epoch)
        if known.stage is not Stage.OPEN:
            known.stage, known.began_ms = Stage.OPEN, now_ms
        known.partitions.update(places)
        self._store()

    def add_offsets(
        self, name: str, producer_id: int, epoch: int, group: str, offsets: dict[TopicPartition, Committed]
    ) -> None:
        """The transaction commits these if it commits. Raises Refusal."""
        known = self._checked(name, producer_id, epoch)
        if known.stage is not Stage.OPEN:
            raise Refusal(ErrorCode.invalid_txn_state)
        known.offsets.setdefault(group, {}).update(offsets)
        self._store()

    def end(self, name: str, producer_id: int, epoch: int, *, committed: bool) -> None:
        """EndTxn; asking again for the same end is answered as the first time. Raises Refusal."""
        known = self._checked(name, producer_id, epoch)
        if known.stage is Stage.NONE and known.committed is committed:
            return
        if known.stage is not Stage.OPEN:
            raise Refusal(ErrorCode.invalid_txn_state)
        self._end(known, committed=committed)

    def _checked(self, name: str, producer_id: int, epoch: int) -> Transaction:
        known = self._by_id.get(name)
        if known is None or known.producer_id != producer_id:
            raise Refusal(ErrorCode.invalid_producer_id_mapping)
        if known.epoch != epoch:
            raise Refusal(ErrorCode.invalid_producer_epoch)
        if known.stage in (Stage.COMMITTING, Stage.ABORTING):
            self._finish(known)  # its end met a full disk
        return known

    def check_write(self, producer_id: int, epoch: int, place: TopicPartition) -> None:
        """Whether a transactional batch may be written there now. Raises Refusal."""
        known = self._by_producer.get(producer_id)
        if known is None:
            raise Refusal(ErrorCode.invalid_producer_id_mapping)
        if known.epoch != epoch:
            raise Refusal(ErrorCode.invalid_producer_epoch)
        if known.stage is not Stage.OPEN or place not in known.partitions:
            raise Refusal(ErrorCode.invalid_txn_state, "the partition is not part of an open transaction")

    def is_pending(self, group: str, place: TopicPartition) -> bool:
        """Whether an open transaction holds an offset of the group there."""
        return any(
            known.stage is not Stage.NONE and place in known.offsets.get(group, {})
            for known in self._by_id.values()
        )

    def abort_late(self, now_ms: int) -> None:
        """Abort what has been open for longer than its producer allowed, and fence the producer."""
        for name, known in self._by_id.items():
            if known.stage is Stage.OPEN and now_ms - known.began_ms > known.timeout_ms:
                logger.warning("transaction of %s aborted: open for more than %d ms", name, known.timeout_ms)
                self._fence(known)

    def _end(self, known: Transaction, *, committed: bool) -> None:
        known.stage = Stage.COMMITTING if committed else Stage.ABORTING
        self._store()
        self._finish(known)

    def _finish(self, known: Transaction) -> None:
        committed = known.stage is Stage.COMMITTING
        for name, index in sorted(known.partitions):
            topic = self._topics.by_name.get(name)
            if topic is None or index >= len(topic.partitions):
                continue  # deleted meanwhile, perhaps made again
            partition = topic.partitions[index]
            if partition.producers.has_open(known.producer_id):
                partition.end_transaction(known.producer_id, known.epoch, committed=committed)
        for group, offsets in known.offsets.items() if committed else ():
            self._offsets.put(group, offsets)
        known.stage, known.committed = Stage.NONE, committed
        known.partitions.clear()
        known.offsets.clear()
        self._store()

    def _store(self) -> None:
        content = {name: _encoded(known) for name, known in self._by_id.items()}
        write_whole(self._path, json.dumps(content).encode(), durable=False)


def _encoded(known: Transaction) -> dict[str, Any]:
    return {
        "producer_id": known.producer_id,
        "epoch": known.epoch,
        "timeout_ms": known.timeout_ms,
        "stage": known.stage,
        "committed": known.committed,
        "began_ms": known.began_ms,
        "partitions": sorted(known.partitions),
        "offsets": [
            [group, *place, *committed]
            for group, places in known.offsets.items()
            for place, committed in places.items()
        ],
    }


def _decoded(stored: dict[str, Any]) -> Transaction:
    offsets: dict[str, dict[TopicPartition, Committed]] = {}
    for group, topic, index, offset, metadata in stored.pop("offsets"):
        offsets.setdefault(group, {})[topic, index] = Committed(offset, metadata)
    partitions = {(topic, index) for topic, index in stored.pop("partitions")}
    stage = Stage(stored.pop("stage"))
    return Transaction(**stored, stage=stage, partitions=partitions, offsets=offsets)
