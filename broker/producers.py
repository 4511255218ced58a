"""What one partition knows of its producers: sequence numbers, open transactions, aborted ones.

Job: tell a new batch from a repeated one and from one out of order, and keep the last stable offset. Everything
here follows from the batches' headers, so it is rebuilt from the log; a snapshot saves reading all of it. Pure.
Caller: partitions.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from broker.batch import Header
from broker.refusal import ErrorCode, Refusal

REMEMBERED: Final = 5
EXPIRY_MS: Final = 24 * 3600 * 1000
_WRAP: Final = 0x7FFFFFFF


class Written(NamedTuple):
    """One batch of an idempotent producer."""

    first_sequence: int
    last_sequence: int
    base_offset: int


@dataclass(slots=True)
class Producer:
    """One producer id in one partition. `open_since` is the first offset of its open transaction."""

    epoch: int = -1
    batches: deque[Written] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    open_since: int | None = None
    seen_ms: int = 0


class Aborted(NamedTuple):
    """A transaction that was rolled back: its batches lie from `first_offset` to its marker at `last_offset`."""

    producer_id: int
    first_offset: int
    last_offset: int


class Producers:
    """All producers of one partition."""

    def __init__(self) -> None:
        self._known: dict[int, Producer] = {}
        self._open: dict[int, int] = {}
        self.aborted: list[Aborted] = []

    def check(self, header: Header) -> int | None:
        """None when the batch is new and in order; the old base offset when it is a repetition.

        Raises Refusal: out of order, or from a producer that has been replaced.
        """
        known = self._known.get(header.producer_id)
        if known is None or known.epoch < 0:
            return None
        if header.producer_epoch < known.epoch:
            raise Refusal(
                ErrorCode.invalid_producer_epoch, f"epoch {header.producer_epoch}, now {known.epoch}"
            )
        if header.producer_epoch > known.epoch:
            if header.base_sequence != 0:
                raise Refusal(ErrorCode.out_of_order_sequence_number, "a new epoch begins with sequence 0")
            return None
        if not known.batches:
            return None
        for written in known.batches:
            if (written.first_sequence, written.last_sequence) == (
                header.base_sequence,
                header.last_sequence,
            ):
                return written.base_offset
        expected = (known.batches[-1].last_sequence + 1) & _WRAP
        if header.base_sequence != expected:
            raise Refusal(
                ErrorCode.out_of_order_sequence_number,
                f"producer {header.producer_id}: sequence {header.base_sequence}, wanted {expected}",
            )
        return None

    def note(self, header: Header, base_offset: int, now_ms: int) -> None:
        """A batch of data has been written at `base_offset`."""
        if header.producer_id < 0:
            return
        known = self._known.setdefault(header.producer_id, Producer())
        if header.producer_epoch != known.epoch:
            known.epoch = header.producer_epoch
            known.batches.clear()
        if header.base_sequence >= 0:
            known.batches.append(Written(header.base_sequence, header.last_sequence, base_offset))
        known.seen_ms = now_ms
        if header.is_transactional and header.producer_id not in self._open:
            known.open_since = self._open[header.producer_id] = base_offset

    def end(self, header: Header, offset: int, now_ms: int, *, committed: bool) -> None:
        """The marker that ends the producer's transaction has been written at `offset`."""
        known = self._known.setdefault(header.producer_id, Producer())
        if header.producer_epoch != known.epoch:
            known.epoch = header.producer_epoch
            known.batches.clear()
        known.seen_ms = now_ms
        known.open_since = None
        first = self._open.pop(header.producer_id, None)
        if first is not None and not committed:
            self.aborted.append(Aborted(header.producer_id, first, offset))

    def stable_before(self, next_offset: int) -> int:
        """The last stable offset: nothing before it belongs to an open transaction."""
        return min(self._open.values(), default=next_offset)

    def aborted_between(self, start: int, end: int) -> list[Aborted]:
        """Aborted transactions with batches in [start, end)."""
        return [entry for entry in self.aborted if entry.last_offset >= start and entry.first_offset < end]

    def has_open(self, producer_id: int) -> bool:
        """Whether the producer has written here since its last marker."""
        return producer_id in self._open

    def open_transactions(self) -> list[tuple[int, int]]:
        """Producer id and epoch of each."""
        return [(producer_id, self._known[producer_id].epoch) for producer_id in self._open]

    def forget(self, start_offset: int, now_ms: int) -> None:
        """Drop producers long silent, and aborted transactions before the log's start."""
        self.aborted = [entry for entry in self.aborted if entry.last_offset >= start_offset]
        for producer_id, known in list(self._known.items()):
            if known.open_since is None and now_ms - known.seen_ms > EXPIRY_MS:
                del self._known[producer_id]

    def snapshot(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {
            "producers": {
                str(key): [known.epoch, known.seen_ms, known.open_since, [list(row) for row in known.batches]]
                for key, known in self._known.items()
            },
            "aborted": [list(row) for row in self.aborted],
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """What `snapshot` said."""
        for key, (epoch, seen_ms, open_since, batches) in snapshot["producers"].items():
            rows = deque((Written(*row) for row in batches), maxlen=REMEMBERED)
            self._known[int(key)] = Producer(epoch, rows, open_since, seen_ms)
            if open_since is not None:
                self._open[int(key)] = open_since
        self.aborted = [Aborted(*row) for row in snapshot["aborted"]]
