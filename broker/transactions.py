"""Transactions: which producer has which one open, and how each ends.

Job: the coordinator. A change is written down (`transactions.json`) before it holds, and a transaction's end before
its markers go into the partitions and its offsets to their groups: a broker killed in between finishes it at its next
start. What a partition holds open then, while no transaction here does, is aborted (a power cut can take the file's
last state). Single-threaded. Caller: the handlers of transactions and of Produce, upkeep.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from broker.files import sync, write_whole
from broker.offsets import Committed, Offsets, TopicPartition
from broker.producer_ids import ProducerIds
from broker.refusal import ErrorCode, Refusal, disk
from broker.topics import Topics

logger = logging.getLogger(__name__)
MAX_TIMEOUT_MS: Final = 15 * 60 * 1000
_LAST_EPOCH: Final = 32_766


class Stage(StrEnum):
    """Where a transaction stands; the two ENDING stages last only if the disk or the process fails in them."""

    NONE = "none"
    OPEN = "open"
    COMMITTING = "committing"
    ABORTING = "aborting"
    COMMITTED = "committed"
    ABORTED = "aborted"


_ENDING: Final = {Stage.COMMITTING: Stage.COMMITTED, Stage.ABORTING: Stage.ABORTED}


@dataclass(frozen=True, slots=True)
class Transaction:
    """The current or last transaction of one transactional id. Offsets are kept by group, topic and partition."""

    producer_id: int
    epoch: int
    timeout_ms: int
    stage: Stage = Stage.NONE
    began_ms: int = 0
    partitions: frozenset[TopicPartition] = frozenset()
    offsets: Mapping[tuple[str, str, int], Committed] = field(default_factory=dict)


class Transactions:
    """All transactional ids. Times are ms since 1970, passed in."""

    def __init__(self, path: Path, topics: Topics, offsets: Offsets, ids: ProducerIds) -> None:
        self._path = path
        self._topics = topics
        self._offsets = offsets
        self._ids = ids
        self._by_id: dict[str, Transaction] = _read(path)
        self._names: dict[int, str] = {known.producer_id: name for name, known in self._by_id.items()}
        self.end_late(now_ms=0)
        self._abort_strangers()

    def _become(self, name: str, transaction: Transaction) -> Transaction:
        """Write it down; then it holds. Raises Refusal, and then the old one does."""
        after = {**self._by_id, name: transaction}
        with disk(ErrorCode.coordinator_not_available):
            write_whole(self._path, _encoded(after), durable=False)
        self._by_id = after
        self._names[transaction.producer_id] = name
        return transaction

    def begin_producer(self, name: str, timeout_ms: int) -> tuple[int, int]:
        """InitProducerId: the producer's id and new epoch; what an earlier one left open is aborted."""
        if not 0 < timeout_ms <= MAX_TIMEOUT_MS:
            raise Refusal(ErrorCode.invalid_transaction_timeout)
        known = self._by_id.get(name)
        if known is not None and known.stage is Stage.OPEN:
            known = self._fence(name, known)
        elif known is not None and known.stage in _ENDING:
            known = self._finish(name, known)
        if known is None or known.epoch >= _LAST_EPOCH:
            fresh = Transaction(self._ids.next(), 0, timeout_ms)
        else:
            fresh = Transaction(known.producer_id, known.epoch + 1, timeout_ms)
        self._become(name, fresh)
        return fresh.producer_id, fresh.epoch

    def add(
        self, name: str, producer_id: int, epoch: int, places: Iterable[TopicPartition], now_ms: int
    ) -> None:
        """The transaction will write there; the first call opens it. Raises Refusal."""
        known = self._checked(name, producer_id, epoch)
        if known.stage is not Stage.OPEN:
            known = replace(known, stage=Stage.OPEN, began_ms=now_ms)
        self._become(name, replace(known, partitions=known.partitions | set(places)))

    def add_offsets(
        self, name: str, producer_id: int, epoch: int, group: str, offsets: dict[TopicPartition, Committed]
    ) -> None:
        """The transaction commits these if it commits. Raises Refusal."""
        known = self._checked(name, producer_id, epoch)
        if known.stage is not Stage.OPEN:
            raise Refusal(ErrorCode.invalid_txn_state)
        added = {(group, *place): committed for place, committed in offsets.items()}
        self._become(name, replace(known, offsets={**known.offsets, **added}))

    def end(self, name: str, producer_id: int, epoch: int, *, committed: bool) -> None:
        """EndTxn; asking again for the same end is answered as the first time. Raises Refusal."""
        known = self._checked(name, producer_id, epoch)
        ending = Stage.COMMITTING if committed else Stage.ABORTING
        if known.stage is _ENDING[ending]:
            return
        if known.stage is not Stage.OPEN:
            raise Refusal(ErrorCode.invalid_txn_state)
        self._finish(name, self._become(name, replace(known, stage=ending)))

    def _checked(self, name: str, producer_id: int, epoch: int) -> Transaction:
        known = self._by_id.get(name)
        if known is None or known.producer_id != producer_id:
            raise Refusal(ErrorCode.invalid_producer_id_mapping)
        if known.epoch != epoch:
            raise Refusal(ErrorCode.invalid_producer_epoch)
        return self._finish(name, known) if known.stage in _ENDING else known

    def check_write(self, producer_id: int, epoch: int, place: TopicPartition) -> None:
        """Whether a transactional batch may be written there now. Raises Refusal."""
        known = self._of(producer_id)
        if known is None:
            raise Refusal(ErrorCode.invalid_producer_id_mapping)
        if known.epoch != epoch:
            raise Refusal(ErrorCode.invalid_producer_epoch)
        if known.stage is not Stage.OPEN or place not in known.partitions:
            raise Refusal(ErrorCode.invalid_txn_state, "the partition is not part of an open transaction")

    def _of(self, producer_id: int) -> Transaction | None:
        known = self._by_id.get(self._names.get(producer_id, ""))
        return known if known is not None and known.producer_id == producer_id else None

    def is_pending(self, group: str, place: TopicPartition) -> bool:
        """Whether a transaction that has not ended holds an offset of the group there."""
        return any((group, *place) in known.offsets for known in self._by_id.values())

    def end_late(self, now_ms: int) -> None:
        """End what a full disk or a crash left between; abort what is open for longer than its producer allowed."""
        for name, known in self._by_id.items():
            with _told(name):
                if known.stage in _ENDING:
                    self._finish(name, known)
                elif known.stage is Stage.OPEN and now_ms - known.began_ms > known.timeout_ms:
                    logger.warning("transaction of %s aborted: open for over %d ms", name, known.timeout_ms)
                    self._fence(name, known)

    def sync(self) -> None:
        """Make durable what has been written down; may run in a thread."""
        if self._path.exists():
            sync(self._path)
            sync(self._path.parent)

    def _abort_strangers(self) -> None:
        for partition in self._topics.partitions():
            place = (partition.topic, partition.index)
            for producer_id, epoch in partition.producers.open_transactions():
                known = self._of(producer_id)
                if known is None or place not in known.partitions:
                    logger.warning("%s-%d: a transaction that nobody knows is aborted", *place)
                    with _told(str(producer_id)):
                        partition.end_transaction(producer_id, epoch, committed=False)

    def _fence(self, name: str, known: Transaction) -> Transaction:
        """Abort, and shut the producer out: the markers carry a higher epoch than its own."""
        ending = replace(known, stage=Stage.ABORTING, epoch=known.epoch + 1)
        return self._finish(name, self._become(name, ending))

    def _finish(self, name: str, known: Transaction) -> Transaction:
        committed = known.stage is Stage.COMMITTING
        for topic_name, index in sorted(known.partitions):
            topic = self._topics.by_name.get(topic_name)
            if topic is None or index >= len(topic.partitions):
                continue  # deleted meanwhile, perhaps made again
            partition = topic.partitions[index]
            if partition.producers.has_open(known.producer_id):
                partition.end_transaction(known.producer_id, known.epoch, committed=committed)
        by_group: dict[str, dict[TopicPartition, Committed | None]] = {}
        for (group, topic_name, index), offset in known.offsets.items() if committed else ():
            if topic_name in self._topics.by_name:
                by_group.setdefault(group, {})[topic_name, index] = offset
        for group, offsets in by_group.items():
            self._offsets.put(group, offsets)
        ended = Transaction(known.producer_id, known.epoch, known.timeout_ms, _ENDING[known.stage])
        return self._become(name, ended)


@contextmanager
def _told(whose: str) -> Iterator[None]:
    """A disk without room must not keep the broker from starting, nor hold up other transactions."""
    try:
        yield
    except Refusal as refusal:
        logger.error("transaction of %s is not ended yet: %s", whose, refusal)


def _encoded(transactions: Mapping[str, Transaction]) -> bytes:
    content = {
        name: {
            "producer": [known.producer_id, known.epoch, known.timeout_ms, known.stage, known.began_ms],
            "partitions": sorted(known.partitions),
            "offsets": [[*place, *committed] for place, committed in known.offsets.items()],
        }
        for name, known in transactions.items()
    }
    return json.dumps(content).encode()


def _read(path: Path) -> dict[str, Transaction]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        logger.error("%s: cut short with the power; what was open is aborted", path)
        return {}
    return {name: _decoded(stored) for name, stored in content.items()}


def _decoded(stored: dict[str, Any]) -> Transaction:
    producer_id, epoch, timeout_ms, stage, began_ms = stored["producer"]
    return Transaction(
        producer_id,
        epoch,
        timeout_ms,
        Stage(stage),
        began_ms,
        frozenset((topic, index) for topic, index in stored["partitions"]),
        {
            (group, topic, index): Committed(offset, note)
            for group, topic, index, offset, note in stored["offsets"]
        },
    )
