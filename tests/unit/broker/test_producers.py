"""Sequence numbers and transactions of one partition, before and after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.partition import Partition
from broker.refusal import ErrorCode, Refusal
from tests.unit.broker.batches import make, opened, reopened


def _send(
    partition: Partition, sequence: int, *, producer_id: int = 7, epoch: int = 0, count: int = 2
) -> int:
    return partition.append(make([(None, b"v")] * count, producer=(producer_id, epoch, sequence)))


def _code(partition: Partition, sequence: int, **producer: int) -> ErrorCode:
    before = partition.high_watermark
    with pytest.raises(Refusal) as refused:
        _send(partition, sequence, **producer)
    assert partition.high_watermark == before
    return refused.value.code


def _snapshotted(partition: Partition) -> Partition:
    partition.snapshot(0, always=True)
    return reopened(partition)


@pytest.mark.parametrize("restart", [lambda partition: partition, reopened, _snapshotted])
def test_repetitions_get_the_old_offset_and_gaps_are_refused(tmp_path: Path, restart) -> None:
    partition = opened(tmp_path)
    for number in range(7):
        assert _send(partition, 2 * number) == 2 * number
    partition = restart(partition)
    for number in range(2, 7):  # the last five
        assert _send(partition, 2 * number) == 2 * number
    assert partition.high_watermark == 14
    assert _code(partition, 2) is ErrorCode.out_of_order_sequence_number
    assert _code(partition, 16) is ErrorCode.out_of_order_sequence_number
    assert _send(partition, 14) == 14


def test_epochs_only_grow_and_begin_with_sequence_0(tmp_path: Path) -> None:
    partition = opened(tmp_path)
    _send(partition, 0, epoch=1)
    assert _code(partition, 2, epoch=0) is ErrorCode.invalid_producer_epoch
    assert _code(partition, 2, epoch=2) is ErrorCode.out_of_order_sequence_number
    assert _send(partition, 0, epoch=2) == 2
    assert _code(partition, 2, epoch=1) is ErrorCode.invalid_producer_epoch


def test_sequences_wrap(tmp_path: Path) -> None:
    partition = opened(tmp_path)
    assert _send(partition, 2**31 - 2) == 0
    assert _send(partition, 0) == 2
    assert _send(partition, 2**31 - 2) == 0


@pytest.mark.parametrize("restart", [lambda partition: partition, reopened, _snapshotted])
def test_open_transactions_hold_the_stable_offset_and_aborted_ones_are_told(tmp_path: Path, restart) -> None:
    partition = opened(tmp_path)
    for producer_id in (1, 2):
        partition.append(make(producer=(producer_id, 0, 0), transactional=True))
    partition.append(make())
    assert partition.stable_offset == 0
    partition = restart(partition)
    assert partition.stable_offset == 0
    partition.end_transaction(1, 0, committed=False)
    assert partition.stable_offset == 1
    partition = restart(partition)
    assert partition.stable_offset == 1
    partition.end_transaction(2, 0, committed=True)
    partition = restart(partition)
    assert partition.stable_offset == partition.high_watermark == 5
    assert [tuple(entry) for entry in partition.producers.aborted_between(0, 5)] == [(1, 0, 3)]
    assert partition.producers.aborted_between(4, 5) == []


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda data: data[:-1], ErrorCode.corrupt_message),
        (lambda data: data + b"\0", ErrorCode.invalid_record),
        (lambda data: data + data, ErrorCode.invalid_record),
        (lambda data: data[:-1] + b"\1", ErrorCode.corrupt_message),
        (lambda data: data[:16] + b"\1" + data[17:], ErrorCode.unsupported_for_message_format),
        (lambda data: b"", ErrorCode.corrupt_message),
        (lambda data: make([]), ErrorCode.invalid_record),
    ],
)
def test_a_damaged_batch_is_refused(tmp_path: Path, damage, code: ErrorCode) -> None:
    partition = opened(tmp_path)
    with pytest.raises(Refusal) as refused:
        partition.append(damage(make()))
    assert refused.value.code is code
    assert partition.high_watermark == 0
