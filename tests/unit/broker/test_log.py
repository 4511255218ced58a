"""The log of a partition: recovery, lookups, shortening, full disks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from broker.log import Found, Log
from broker.options import Options
from broker.refusal import ErrorCode, Refusal
from broker.retention import expire
from broker.segment import Segment
from broker.server import StartError, _lock
from tests.unit.broker.batches import make, offsets_of, opened, read_all, reopened

THREE = [(None, b"one"), (None, b"two"), (None, b"three")]


def test_a_tail_torn_at_any_byte_is_cut_off_and_the_log_goes_on(tmp_path: Path) -> None:
    source = opened(tmp_path / "source")
    first, last = make(THREE), make(THREE, time_ms=2_000)
    source.append(first)
    source.append(last)
    whole = source.log.active.path.read_bytes()
    for size in range(len(first), len(whole)):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / f"{0:020}.log").write_bytes(whole[:size])
        torn = opened(folder)
        assert torn.high_watermark == 3, size
        assert torn.append(last) == 3
        assert offsets_of(torn) == [0, 1, 2, 3, 4, 5]
        assert offsets_of(reopened(torn)) == [0, 1, 2, 3, 4, 5]
        torn.log.close()


@pytest.mark.parametrize("at", [17, 25, 61, -1])
def test_a_batch_that_was_damaged_on_disk_is_cut_off(tmp_path: Path, at: int) -> None:
    partition = opened(tmp_path)
    partition.append(make(THREE))
    start = partition.log.size
    partition.append(make(THREE))
    damaged = bytearray(partition.log.active.path.read_bytes())
    damaged[start + at if at > 0 else at] ^= 1
    partition.log.active.path.write_bytes(damaged)
    assert reopened(partition).high_watermark == 3


def test_zeros_behind_the_log_are_cut_off(tmp_path: Path) -> None:
    partition = opened(tmp_path)
    partition.append(make(THREE))
    with partition.log.active.path.open("ab") as file:
        file.write(bytes(4096))
    again = reopened(partition)
    assert (again.high_watermark, again.log.size) == (3, len(make(THREE)))


def test_what_lies_before_the_recovery_point_is_not_read_again(tmp_path: Path) -> None:
    partition = opened(tmp_path)
    for _ in range(10):
        partition.append(make([(None, bytes(8_000))]))
    partition.log.active.seal()
    partition.log.active.mark_synced(partition.log.size)
    damaged = bytearray(partition.log.active.path.read_bytes())
    damaged[100] ^= 1
    partition.log.active.path.write_bytes(damaged)
    assert reopened(partition).high_watermark == 10


@pytest.mark.parametrize("garbage", [bytes(24), b"\xff" * 24, b"short", bytes(100)])
def test_an_index_with_garbage_at_its_end_is_mended(tmp_path: Path, garbage: bytes) -> None:
    partition = opened(tmp_path)
    for _ in range(10):
        partition.append(make([(None, bytes(20_000))]))
    partition.log.active.mark_synced(partition.log.size)
    with partition.log.active.index_path.open("ab") as index:
        index.write(garbage)
    again = reopened(partition)
    assert offsets_of(again) == list(range(10))
    again.append(make([(None, bytes(20_000))]))
    again.log.active.mark_synced(again.log.size)
    assert offsets_of(reopened(again)) == list(range(11))


def test_every_offset_is_found_over_many_segments(tmp_path: Path) -> None:
    partition = opened(tmp_path, segment_bytes="100000")
    for _ in range(60):
        partition.append(make([(None, bytes(3_000))] * 3))
    assert len(partition.log.segments) > 4
    for log in (partition.log, reopened(partition, segment_bytes="100000").log):
        for offset in range(180):
            data = log.read(offset, 1, 180, whole_batch=True)
            assert int.from_bytes(data[:8], "big") == offset - offset % 3
        assert log.read(180, 1, 180, whole_batch=True) == b""
        assert log.read(0, 10, 180, whole_batch=False) == b""


def test_nothing_behind_the_end_offset_is_read(tmp_path: Path) -> None:
    partition = opened(tmp_path)
    for _ in range(4):
        partition.append(make(THREE))
    size = len(make(THREE))
    assert len(partition.log.read(0, 1 << 20, 6, whole_batch=True)) == 2 * size
    assert partition.log.read(6, 1 << 20, 6, whole_batch=True) == b""


def test_lookup_by_time_gives_the_first_record_of_that_time_or_later(tmp_path: Path) -> None:
    partition = opened(tmp_path, segment_bytes="50000")
    times = [5_000, 1_000, 3_000, 9_000, 2_000, 7_000]
    for time_ms in times:
        partition.append(make([(None, bytes(9_000))] * 3, time_ms=time_ms))
    records = [(time_ms + delta, 3 * row + delta) for row, time_ms in enumerate(times) for delta in range(3)]
    for log in (partition.log, reopened(partition, segment_bytes="50000").log):
        for wanted in [0, 1_000, 4_999, 5_000, 5_001, 5_002, 5_003, 8_999, 9_002]:
            offset, time_ms = next((offset, time_ms) for time_ms, offset in records if time_ms >= wanted)
            assert log.find_time(wanted, 18) == Found(offset, time_ms), wanted
        assert log.find_time(9_003, 18) is None
        assert log.latest_time(18) == Found(11, 9_002)


def test_records_deleted_in_the_middle_of_a_batch_stay_deleted(tmp_path: Path) -> None:
    partition = opened(tmp_path)
    partition.append(make(THREE))
    partition.append(make(THREE))
    assert partition.delete_before(2) == 2
    again = reopened(partition)
    assert (again.log.start_offset, again.high_watermark) == (2, 6)
    assert again.log.find_time(0, 6) == Found(2, 1_002)
    assert again.delete_before(-1) == 6
    with pytest.raises(Refusal) as refused:
        again.delete_before(7)
    assert refused.value.code is ErrorCode.offset_out_of_range
    assert again.append(make(THREE)) == 6


def test_retention_by_time_empties_even_the_last_segment_and_keeps_the_offsets(tmp_path: Path) -> None:
    partition = opened(tmp_path, retention_ms="1000", segment_bytes="20000")
    for time_ms in (1_000, 2_000, 3_000):
        partition.append(make([(None, bytes(15_000))], time_ms=time_ms))
    assert expire(partition, 2_500) == 1
    assert offsets_of(partition) == [1, 2]
    assert expire(partition, 10_000) == 2
    assert expire(partition, 10_000) == 0
    assert (partition.log.start_offset, partition.high_watermark) == (3, 3)
    again = reopened(partition)
    assert again.append(make()) == 3


@pytest.mark.parametrize("killed", [False, True])
def test_the_only_segment_goes_without_room_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    partition = opened(tmp_path, retention_ms="1000")
    partition.append(make(THREE))
    partition.log.active.seal()
    partition.log.active.mark_synced(partition.log.size)

    def no_room(_log: Log) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def dies(_segment: Segment) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as full:
        full.setattr(Log, "roll", no_room)
        if killed:
            full.setattr(Segment, "create", dies)
            with pytest.raises(SystemExit):
                expire(partition, 10_000)
        else:
            assert expire(partition, 10_000) == 1
    again = reopened(partition)
    assert (again.log.start_offset, again.high_watermark, again.log.size) == (3, 3, 0)
    assert again.append(make(THREE)) == 3


def test_retention_by_size_keeps_at_least_that_much(tmp_path: Path) -> None:
    partition = opened(tmp_path, retention_bytes="30000", segment_bytes="20000")
    for _ in range(5):
        partition.append(make([(None, bytes(15_000))], time_ms=1 << 50))
    assert expire(partition, 0) == 3
    assert partition.log.size >= 30_000
    assert offsets_of(partition) == [3, 4]


def test_a_full_disk_is_told_and_nothing_half_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = opened(tmp_path)
    partition.append(make(THREE))

    write = os.pwrite

    def half(descriptor: int, buffers: list[bytes], position: int) -> int:
        return write(descriptor, b"".join(buffers)[:30], position)

    def none(_descriptor: int, _data: bytes, _position: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "pwritev", half)
        full.setattr(os, "pwrite", none)
        with pytest.raises(Refusal) as refused:
            partition.append(make(THREE))
    assert refused.value.code is ErrorCode.kafka_storage_error
    assert partition.log.active.path.stat().st_size == len(make(THREE))
    assert partition.append(make(THREE)) == 3
    assert len(read_all(reopened(partition))) == 6


def test_two_brokers_do_not_share_a_directory(tmp_path: Path) -> None:
    options = Options(tmp_path)
    held = _lock(options.data_dir)
    with pytest.raises(StartError, match="another broker"):
        _lock(options.data_dir)
    os.close(held)
    os.close(_lock(options.data_dir))
