"""Compaction keeps the last record of each key, at its offset."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from broker import compaction
from broker.compaction import compact
from broker.partition import Partition
from broker.refusal import ErrorCode, Refusal
from tests.unit.broker.batches import make, offsets_of, opened, read_all, reopened

SETTINGS = {"cleanup_policy": "compact", "segment_bytes": "1024", "min_cleanable_dirty_ratio": "0"}


def _filled(folder: Path, **settings: str) -> Partition:
    partition = opened(folder, **SETTINGS, **settings)
    for number in range(60):
        partition.append(make([(b"k%d" % (number % 3), b"v%d" % number), (b"only%d" % number, b"")]))
    return partition


def _compact(partition: Partition, now_ms: int = 1) -> bool:
    return asyncio.run(compact(partition, now_ms))


def test_of_each_key_the_last_record_of_the_sealed_segments_stays(tmp_path: Path) -> None:
    partition = _filled(tmp_path)
    before = read_all(partition)
    sealed_end = partition.log.active.base_offset
    last = {key: offset for offset, key, _ in before if offset < sealed_end}
    wanted = [row for row in before if row[0] >= sealed_end or last[row[1]] == row[0]]
    assert _compact(partition)
    assert len(wanted) < len(before)
    assert read_all(partition) == wanted
    again = reopened(partition, **SETTINGS)
    assert read_all(again) == wanted
    assert again.high_watermark == 120
    assert not _compact(again), "nothing is new"
    (tmp_path / "compacted.json").unlink()
    assert _compact(again)
    assert read_all(again) == wanted
    for offset in range(120):
        data = again.log.read(offset, 1, 120, whole_batch=True)
        assert data, offset
    assert not list(tmp_path.glob("*.compacted*"))


def test_more_keys_than_fit_in_memory_take_several_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = _filled(tmp_path / "whole"), _filled(tmp_path / "parts")
    assert _compact(whole)
    monkeypatch.setattr(compaction, "MAX_KEYS", 10)
    passes = 0
    while _compact(parts):
        passes += 1
    assert passes > 3
    assert read_all(parts) == read_all(whole)


def _with_tombstone(folder: Path, time_ms: int, **settings: str) -> Partition:
    partition = opened(folder, **SETTINGS, **settings)
    partition.append(make([(b"a", b"1"), (b"b", b"1")], time_ms=time_ms))
    partition.append(make([(b"a", None)], time_ms=time_ms))
    partition.log.roll()
    return partition


@pytest.mark.parametrize("time_ms", [-1, 1, 10_000_000])
def test_a_tombstone_goes_when_it_has_been_one_for_long_enough(tmp_path: Path, time_ms: int) -> None:
    """Counted from the first pass on: a reader who has the old value has so long to learn of its end."""
    partition = _with_tombstone(tmp_path, time_ms, delete_retention_ms="1000")
    assert _compact(partition, 5_000)
    assert offsets_of(partition) == [1, 2]
    assert not _compact(partition, 5_999)
    again = reopened(partition, **SETTINGS, delete_retention_ms="1000")
    assert _compact(again, 6_000), "its time is over, though nothing is new"
    assert offsets_of(again) == [1]
    assert again.high_watermark == 3
    assert not _compact(again, 10_000)


def test_a_later_pass_does_not_make_a_tombstone_younger(tmp_path: Path) -> None:
    partition = _with_tombstone(tmp_path, 1, delete_retention_ms="1000")
    assert _compact(partition, 5_000)
    partition.append(make([(b"c", b"1")]))
    partition.log.roll()
    assert _compact(partition, 5_900)
    partition.append(make([(b"d", None)]))
    partition.log.roll()
    assert _compact(partition, 6_000)
    assert offsets_of(partition) == [1, 3, 4]


def test_records_of_an_aborted_transaction_win_over_none_and_go(tmp_path: Path) -> None:
    partition = opened(tmp_path, **SETTINGS)
    partition.append(make([(b"a", b"good")]))
    partition.append(make([(b"a", b"bad"), (b"b", b"bad")], producer=(5, 0, 0), transactional=True))
    partition.end_transaction(5, 0, committed=False)
    partition.append(make([(b"b", b"good")], producer=(6, 0, 0), transactional=True))
    partition.end_transaction(6, 0, committed=True)
    partition.log.roll()
    assert _compact(partition)
    marker_of_5, marker_of_6 = 3, 5
    assert offsets_of(partition) == [0, marker_of_5, 4, marker_of_6]


def test_what_belongs_to_an_open_transaction_is_left_alone(tmp_path: Path) -> None:
    partition = opened(tmp_path, **SETTINGS)
    partition.append(make([(b"a", b"1")], producer=(5, 0, 0), transactional=True))
    partition.append(make([(b"a", b"2")]))
    partition.log.roll()
    assert not _compact(partition)


def test_a_producer_whose_last_batch_is_gone_goes_on(tmp_path: Path) -> None:
    """Kill -9 after compaction: the sequence number of a batch that no longer is there must be known."""
    partition = opened(tmp_path, **SETTINGS)
    for sequence in range(3):
        partition.append(make([(b"a", b"x")], producer=(5, 0, sequence)))
    partition.append(make([(b"a", b"y")]))
    partition.log.roll()
    assert _compact(partition)
    assert offsets_of(partition) == [3]
    again = reopened(partition, **SETTINGS)
    assert again.append(make([(b"a", b"x")], producer=(5, 0, 2))) == 2
    assert again.append(make([(b"a", b"z")], producer=(5, 0, 3))) == 4


def test_a_record_without_a_key_is_refused(tmp_path: Path) -> None:
    partition = opened(tmp_path, **SETTINGS)
    with pytest.raises(Refusal) as refused:
        partition.append(make([(b"a", b"1"), (None, b"1")]))
    assert refused.value.code is ErrorCode.invalid_record
