"""One partition: its log, what it knows of producers, and who waits for more.

Job: judge a produced batch, write it, wake readers. Single-threaded. Callers: the handlers of Produce, Fetch,
ListOffsets and DeleteRecords; the upkeep tasks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from broker import batch
from broker.files import write_whole
from broker.log import Log
from broker.producers import Producers
from broker.refusal import ErrorCode, Refusal, disk
from broker.topic_config import TopicConfig

SNAPSHOT_BYTES: Final = 64 << 20
"""How much log may have to be read at a start to know the producers again."""


class Partition:
    """Open. Waiters, and `on_write` with the partition, are told of each write and its bytes."""

    def __init__(
        self,
        folder: Path,
        topic: str,
        index: int,
        config: TopicConfig,
        on_write: Callable[[Partition, int], None] = lambda _partition, _bytes: None,
    ) -> None:
        self.topic = topic
        self.index = index
        self.config = config
        self.log = Log(folder)
        self.producers = Producers()
        self.stamped_ms = -1
        """The log's time, in ms, that the last call of `append` put in place of the producer's; -1 if it did not."""
        self.is_deleted = False
        self.waiters: set[Callable[[int], None]] = set()
        self._on_write = on_write
        self._snapshot_file = folder / "producers.json"
        self._since_snapshot = 0
        self._active_since_ms = self.log.active.modified_ms
        self._restore()

    def _restore(self) -> None:
        """Know the producers again: the snapshot, then every header behind it."""
        start = self.log.start_offset
        try:
            snapshot = json.loads(self._snapshot_file.read_bytes())
        except (FileNotFoundError, ValueError):
            snapshot = {"offset": -1}  # never made, or cut short with the power
        if snapshot["offset"] > self.log.next_offset:
            self._snapshot_file.unlink()  # of batches that went with the power: other ones get their offsets now
        elif snapshot["offset"] >= start:
            self.producers.restore(snapshot)
            start = snapshot["offset"]
        if start >= self.log.next_offset:
            return
        now_ms = time.time_ns() // 1_000_000  # the batches' own times say nothing of when they were written
        for segment, position, header in self.log.batches(start):
            self._since_snapshot += header.size
            if header.is_control:
                committed = batch.marker_commits(segment.read(position, header.size))
                self.producers.end(header, header.base_offset, now_ms, committed=committed)
            else:
                self.producers.note(header, header.base_offset, now_ms)

    @property
    def high_watermark(self) -> int:
        """Offset behind the last record."""
        return self.log.next_offset

    @property
    def stable_offset(self) -> int:
        """Offset before which every transaction has ended."""
        return self.producers.stable_before(self.log.next_offset)

    def append(self, records: bytes) -> int:
        """Write what a producer sent; returns its first offset. Raises Refusal."""
        header = self._judge(records)
        now_ms = time.time_ns() // 1_000_000
        self.stamped_ms = -1
        if header.producer_id >= 0:
            earlier = self.producers.check(header)
            if earlier is not None:
                return earlier
        if self.config.stamps:
            records = batch.stamped(records, header, now_ms)
            header = header._replace(max_timestamp=now_ms)
            self.stamped_ms = now_ms
        base_offset = self._write(header, records, now_ms)
        self.producers.note(header, base_offset, now_ms)
        return base_offset

    def _judge(self, records: bytes) -> batch.Header:
        header = batch.read_header(records)
        if header is None or header.size > len(records):
            raise Refusal(ErrorCode.corrupt_message, "the batch is shorter than its header says")
        if header.magic != 2:
            raise Refusal(ErrorCode.unsupported_for_message_format, "record batches of magic 2 only")
        if header.size != len(records):
            raise Refusal(ErrorCode.invalid_record, "one batch for a partition in a request")
        if len(records) > self.config.max_message_bytes:
            limit = self.config.max_message_bytes
            raise Refusal(ErrorCode.message_too_large, f"{len(records)} bytes, max.message.bytes is {limit}")
        if not batch.is_intact(records, header):
            raise Refusal(ErrorCode.corrupt_message, "the checksum does not hold")
        if (
            header.is_control
            or header.record_count < 1
            or header.last_offset_delta != header.record_count - 1
        ):
            raise Refusal(ErrorCode.invalid_record, "the batch's header contradicts itself")
        if self.config.compacts:
            self._want_keys(records, header)
        return header

    def _want_keys(self, records: bytes, header: batch.Header) -> None:
        try:
            keyed = all(record.key is not None for record in batch.records(records, header))
        except ValueError as error:
            raise Refusal(ErrorCode.corrupt_message, str(error)) from error
        if not keyed:
            raise Refusal(ErrorCode.invalid_record, "a compacted topic takes records with keys only")

    def end_transaction(self, producer_id: int, epoch: int, *, committed: bool) -> None:
        """Write the marker. Raises Refusal when the disk refuses."""
        now_ms = time.time_ns() // 1_000_000
        marker = batch.end_marker(producer_id, epoch, now_ms, committed=committed)
        header = batch.read_header(marker)
        assert header is not None  # noqa: S101 (just made)
        offset = self._write(header, marker, now_ms)
        self.producers.end(header, offset, now_ms, committed=committed)

    def _write(self, header: batch.Header, records: bytes, now_ms: int) -> int:
        active = self.log.active
        with disk():
            if active.size and (
                active.size + len(records) > self.config.segment_bytes
                or now_ms - self._active_since_ms > self.config.segment_ms
            ):
                self.log.roll()
            if not self.log.active.size:
                self._active_since_ms = now_ms
            base_offset = self.log.append(header, records)
        self._since_snapshot += len(records)
        self._on_write(self, len(records))
        for waiter in tuple(self.waiters):
            waiter(len(records))
        return base_offset

    def snapshot(self, now_ms: int, *, always: bool = False) -> None:
        """Save what is known of producers, when enough was written since (or `always`). Raises OSError."""
        if self._since_snapshot == 0 or not (always or self._since_snapshot >= SNAPSHOT_BYTES):
            return
        self.producers.forget(self.log.start_offset, now_ms)
        content = {"offset": self.log.next_offset, **self.producers.snapshot()}
        write_whole(self._snapshot_file, json.dumps(content).encode())
        self._since_snapshot = 0

    def wake(self) -> None:
        """Let everybody who waits look again: the partition changed otherwise, or is going."""
        for waiter in tuple(self.waiters):
            waiter(1 << 62)

    def delete_before(self, offset: int) -> int:
        """DeleteRecords: -1 means everything; returns the new start. Raises Refusal."""
        wanted = self.high_watermark if offset == -1 else offset
        if not 0 <= wanted <= self.high_watermark:
            raise Refusal(ErrorCode.offset_out_of_range, f"offset {wanted}, the end is {self.high_watermark}")
        with disk():
            self.log.delete_before(wanted)
        return self.log.start_offset
