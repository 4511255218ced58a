"""What a power cut leaves behind: files that are older than each other, cut short, or claimed to be safe and are not."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from broker.flush import Flusher
from broker.node import Node
from broker.offsets import Committed, Offsets
from broker.options import Options
from broker.refusal import ErrorCode, Refusal
from tests.unit.broker.batches import make, offsets_of, opened, reopened

_KEPT = Committed(5, "note")


def test_a_snapshot_of_batches_that_are_gone_is_forgotten_for_good(tmp_path: Path) -> None:
    """Other batches get their offsets, and the snapshot would pass for one of those."""
    partition = opened(tmp_path)
    for sequence in range(4):
        partition.append(make(producer=(7, 0, sequence)))
    partition.snapshot(1, always=True)
    os.truncate(partition.log.active.path, partition.log.size // 2)
    cut = reopened(partition)
    assert cut.high_watermark == 2
    for sequence in range(4):
        cut.append(make(producer=(8, 0, sequence)))
    again = reopened(cut)
    assert again.append(make(producer=(7, 0, 2))) == 6, "sequence 1 is the last that is there"


@pytest.mark.parametrize("rest", [b"", b'{"x": {"prod', bytes(40)])
def test_transactions_that_the_file_no_longer_knows_are_aborted(tmp_path: Path, rest: bytes) -> None:
    node = Node(Options(tmp_path))
    node.topics.create("t", 1, {})
    producer = node.transactions.begin_producer("x", 60_000)
    node.transactions.add("x", *producer, [("t", 0)], 1)
    partition = node.topics.partition("t", 0)
    partition.append(make(producer=(*producer, 0), transactional=True))
    node.offsets.close()
    (tmp_path / "transactions.json").write_bytes(rest)
    again = Node(Options(tmp_path))
    partition = again.topics.partition("t", 0)
    assert partition.stable_offset == partition.high_watermark == 2
    assert len(partition.producers.aborted) == 1
    with pytest.raises(Refusal) as refused:
        again.transactions.end("x", *producer, committed=True)
    assert refused.value.code is ErrorCode.invalid_producer_id_mapping
    again.offsets.close()


@pytest.mark.parametrize("torn", [b'["g", "t", 0, 9', b'["g", "t", 0, 9, ""]', bytes(30), b"\xff\n"])
def test_a_journal_that_was_cut_short_goes_on_behind_its_last_whole_line(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "offsets.journal"
    first = Offsets(path)
    first.put("g", {("t", 0): _KEPT})
    first.close()
    with path.open("ab") as journal:
        journal.write(torn)
    second = Offsets(path)
    assert second.get("g", ("t", 0)) == _KEPT
    second.put("h", {("t", 1): Committed(6)})
    second.close()
    third = Offsets(path)
    assert (third.get("g", ("t", 0)), third.get("h", ("t", 1))) == (_KEPT, Committed(6))
    third.close()


def test_offsets_in_a_topic_that_is_gone_do_not_wait_for_the_next_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "topics").mkdir(parents=True)
    journal = Offsets(tmp_path / "offsets.journal")
    journal.put("g", {("t", 0): _KEPT})
    journal.close()
    for _ in range(2):
        node = Node(Options(tmp_path))
        assert node.offsets.get("g", ("t", 0)) is None
        node.offsets.close()


def test_after_an_fsync_that_failed_no_other_makes_the_segment_sure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel drops what it could not write, and says so once."""
    partition = opened(tmp_path)
    flusher = Flusher(0)
    partition.append(make())
    asyncio.run(flusher.synced(partition))
    sure = partition.log.active.synced
    partition.append(make())

    def fails(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        with pytest.raises(OSError, match="Input/output"):
            asyncio.run(_synced_once(flusher, partition))
    asyncio.run(_synced_once(flusher, partition))
    assert partition.log.active.synced == sure
    assert offsets_of(reopened(partition)) == [0, 1]


async def _synced_once(flusher: Flusher, partition) -> None:
    try:
        await flusher.synced(partition)
    finally:
        await flusher.stop()


def test_an_index_that_could_not_be_written_is_written_later_at_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = opened(tmp_path)
    for _ in range(10):
        partition.append(make([(None, bytes(20_000))]))
    write = os.pwrite

    def half(descriptor: int, data: bytes, position: int) -> int:
        return write(descriptor, data[:30], position)

    segment = partition.log.active
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", half)
        segment.mark_synced(segment.size)
    assert segment.is_unsynced
    segment.mark_synced(segment.size)
    assert not segment.is_unsynced
    raw = segment.index_path.read_bytes()
    assert len(raw) % 24 == 0
    offsets = [int.from_bytes(raw[at : at + 8], "big") for at in range(0, len(raw), 24)]
    assert offsets == sorted(set(offsets))
