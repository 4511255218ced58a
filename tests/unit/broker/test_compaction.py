"""Compaction keeps the last record of each key, at its offset."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

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


def test_of_each_key_the_last_record_of_the_sealed_segments_stays(tmp_path: Path) -> None:
    partition = _filled(tmp_path)
    before = read_all(partition)
    sealed_end = partition.log.active.base_offset
    last = {key: offset for offset, key, _ in before if offset < sealed_end}
    wanted = [row for row in before if row[0] >= sealed_end or last[row[1]] == row[0]]
    assert asyncio.run(compact(partition, 0)) == sealed_end
    assert len(wanted) < len(before)
    assert read_all(partition) == wanted
    again = reopened(partition, **SETTINGS)
    assert read_all(again) == wanted
    assert again.high_watermark == 120
    assert asyncio.run(compact(again, 0)) == sealed_end
    assert read_all(again) == wanted
    for offset in range(120):
        data = again.log.read(offset, 1, 120, whole_batch=True)
        assert data, offset


def test_tombstones_go_when_they_are_old(tmp_path: Path) -> None:
    partition = opened(tmp_path, **SETTINGS)
    partition.append(make([(b"a", b"1"), (b"b", b"1")]))
    partition.append(make([(b"a", None)]))
    partition.log.roll()
    asyncio.run(compact(partition, 0))
    assert offsets_of(partition) == [1]
    assert partition.high_watermark == 3


def test_a_record_without_a_key_is_refused(tmp_path: Path) -> None:
    partition = opened(tmp_path, **SETTINGS)
    with pytest.raises(Refusal) as refused:
        partition.append(make([(b"a", b"1"), (None, b"1")]))
    assert refused.value.code is ErrorCode.invalid_record
