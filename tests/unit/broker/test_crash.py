"""A life of the broker, cut off at each of its operations on files: by kill -9, and by a disk without room.

After each end the broker starts again, and everything it had promised must be there, everything it had not promised
must be there as a whole or not at all, and it must go on. The life covers what is written: batches, segments, indexes,
snapshots, settings, offsets, transactions, retention, compaction, deleted topics.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broker import batch, segment
from broker.compaction import compact
from broker.node import Node
from broker.offsets import Committed
from broker.options import Options
from broker.partition import Partition
from broker.refusal import ErrorCode, Refusal
from broker.retention import expire
from tests.unit.broker.batches import header_of, make
from tests.unit.broker.failing_disk import Disk, Killed, failing_disk

KEYED = {"cleanup.policy": "compact", "segment.bytes": "1024", "min.cleanable.dirty.ratio": "0"}
SMALL = {"segment.bytes": "1024"}
Step = tuple[str, Callable[[Node], object], Callable[[], object]]


@dataclass
class Promised:
    """What was acknowledged so far, in the terms of a client."""

    topics: dict[str, int] = field(default_factory=dict)
    values: dict[str, dict[int, bytes]] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    latest: dict[bytes, bytes] = field(default_factory=dict)
    committed: set[bytes] = field(default_factory=set)
    aborted: set[bytes] = field(default_factory=set)
    last_batch: bytes | None = None
    last_offset: int = -1


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fsync is for, power cuts, is not what is tested here; without it the tests take seconds."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


def _produce(node: Node, topic: str, data: bytes, index: int = 0) -> int:
    return node.topics.partition(topic, index).append(data)


def _sync(node: Node) -> None:
    async def synced() -> None:
        for partition in list(node.topics.partitions()):
            await node.flusher.synced(partition)

    asyncio.run(synced())


def _compact(node: Node) -> None:
    asyncio.run(compact(node.topics.partition("keyed", 0), 1))


def life(promised: Promised) -> Iterator[Step]:
    """Step by step: its name, what the broker does, and what is promised once it has."""

    def nothing() -> None: ...

    for name, partitions, settings in (("plain", 2, SMALL), ("keyed", 1, KEYED), ("gone", 1, {})):

        def created(name: str = name, partitions: int = partitions) -> None:
            promised.topics[name] = partitions
            promised.values[name] = {}

        new = (name, partitions, settings)
        yield f"create {name}", lambda node, new=new: node.topics.create(*new), created
    for number in range(6):
        data = make(
            [(None, b"plain-%d" % number + bytes(400))], producer=(7, 0, number), time_ms=1_000 + number
        )

        def produced(number: int = number, data: bytes = data) -> None:
            promised.values["plain"][number] = b"plain-%d" % number
            promised.last_batch, promised.last_offset = data, number

        yield f"produce {number}", lambda node, data=data: _produce(node, "plain", data), produced
        if number == 2:
            yield "sync", _sync, nothing
    for number in range(8):
        key, value = b"k%d" % (number % 2), b"value-%d" % number

        def keyed(number: int = number, key: bytes = key, value: bytes = value) -> None:
            promised.latest[key] = value

        data = make([(key, value + bytes(300))], producer=(8, 0, number))
        yield f"key {number}", lambda node, data=data: _produce(node, "keyed", data), keyed
    yield "compact", _compact, nothing
    yield (
        "commit an offset",
        lambda node: node.offsets.put("group", {("plain", 0): Committed(4)}),
        lambda: promised.offsets.update(group=4),
    )
    yield from _transaction(promised, "first", commit=True, begins=20)
    yield from _transaction(promised, "second", commit=False, begins=30)
    yield (
        "widen",
        lambda node: node.topics.widen("plain", 3),
        lambda: promised.topics.update(plain=3),
    )
    yield "configure", lambda node: node.topics.by_name["keyed"].configure(KEYED), nothing
    yield (
        "snapshot",
        lambda node: [p.snapshot(2_000, always=True) for p in node.topics.partitions()],
        nothing,
    )
    yield (
        "delete records",
        lambda node: node.topics.partition("plain", 0).delete_before(3),
        lambda: promised.starts.update(plain=3),
    )
    yield "expire", _expire, lambda: promised.starts.update(plain=4)
    yield "delete", lambda node: node.delete_topic("gone"), lambda: promised.topics.pop("gone")
    yield "sweep", lambda node: node.topics.sweep_deleted(), nothing
    yield "stop", lambda node: node.close(), nothing


def _expire(node: Node) -> None:
    """Offset 3 shares the first segment with nobody that is younger than 4."""
    partition = node.topics.partition("plain", 0)
    while partition.log.start_offset < 4:
        partition.log.drop_first()


def _transaction(promised: Promised, name: str, *, commit: bool, begins: int) -> Iterator[Step]:
    word = name.encode()
    known: list[tuple[int, int]] = []

    def begin(node: Node) -> None:
        known.append(node.transactions.begin_producer(name, 60_000))

    def write(node: Node, index: int) -> None:
        producer_id, epoch = known[-1]
        node.transactions.add(name, producer_id, epoch, [("plain", index)], begins)
        node.transactions.check_write(producer_id, epoch, ("plain", index))
        data = make([(None, word + bytes(100))], producer=(producer_id, epoch, 0), transactional=True)
        _produce(node, "plain", data, index)

    def end(node: Node) -> None:
        node.transactions.end(name, *known[-1], committed=commit)

    yield f"begin {name}", begin, lambda: None
    for index in range(2):
        yield f"write {name} {index}", lambda node, index=index: write(node, index), lambda: None
    place = {("plain", 1): Committed(begins)}
    yield (
        f"offsets {name}",
        lambda node: node.transactions.add_offsets(name, *known[-1], "group", place),
        lambda: None,
    )
    yield f"end {name}", end, lambda: (promised.committed if commit else promised.aborted).add(word)


def _abandon(node: Node | None) -> None:
    """As the kernel does with a killed process: its files are closed, nothing else."""
    for opened in tuple(segment._open):
        opened.close()
    if node is not None:
        node.offsets._journal.close()


def _read(partition: Partition, *, committed_only: bool = False) -> dict[int, bytes]:
    """Value by offset, as a consumer sees it."""
    end = partition.stable_offset if committed_only else partition.high_watermark
    found: dict[int, bytes] = {}
    offset = partition.log.start_offset
    aborted = partition.producers.aborted_between(offset, end)
    while data := partition.log.read(offset, 1, end, whole_batch=True):
        header = header_of(data)
        assert batch.is_intact(data, header)
        assert header.next_offset > offset, "the reader stands still"
        gone = committed_only and any(
            entry.producer_id == header.producer_id
            and entry.first_offset <= header.base_offset < entry.last_offset
            for entry in aborted
        )
        if not header.is_control and not gone:
            for record in batch.records(data, header):
                if record.offset >= offset:
                    found[record.offset] = record.raw
        offset = header.next_offset
    return found


def _check(node: Node, promised: Promised, doing: str) -> None:
    """All that was promised is there; of what was being done, all or nothing."""
    for name, partitions in promised.topics.items():
        if not (doing == "delete" and name == "gone"):
            assert len(node.topics.by_name[name].partitions) in {partitions, 3}, name
    if "gone" not in promised.topics and promised.committed:
        assert "gone" not in node.topics.by_name
    for name, wanted in promised.values.items():
        if name not in node.topics.by_name:
            continue
        partition = node.topics.partition(name, 0)
        found = _read(partition)
        for offset, value in wanted.items():
            if offset >= partition.log.start_offset:
                assert value in found[offset], f"{name} {offset}"
        assert partition.log.start_offset >= promised.starts.get(name, 0)
        if doing not in {"delete records", "expire"}:
            assert partition.log.start_offset == promised.starts.get(name, 0)
    if "keyed" in promised.topics:
        records = _read(node.topics.partition("keyed", 0))
        for key, value in promised.latest.items():
            newest = max((offset, raw) for offset, raw in records.items() if key in raw)[1]
            assert value in newest or doing.startswith("key"), key
    if "group" in promised.offsets:
        assert node.offsets.get("group", ("plain", 0)) == Committed(4)
    if b"first" in promised.committed:
        assert node.offsets.get("group", ("plain", 1)) == Committed(20)


def _check_transactions(node: Node, promised: Promised) -> None:
    """None stays open for ever, and each is in both of its partitions or in none."""
    node.transactions.end_late(1 << 50)
    if "plain" not in node.topics.by_name:
        return
    partitions = [node.topics.partition("plain", index) for index in range(2)]
    for partition in partitions:
        assert partition.stable_offset == partition.high_watermark
    seen = [_read(partition, committed_only=True).values() for partition in partitions]
    for word in (b"first", b"second"):
        there = [any(word in raw for raw in found) for found in seen]
        assert there[0] == there[1], word
        assert not (word in promised.committed and not all(there)), word
        assert not (word in promised.aborted and any(there)), word


def _goes_on(node: Node, promised: Promised) -> None:
    """The producer that was cut off goes on where it was: its last batch is known, the next is taken."""
    if (
        promised.last_batch is None
        or promised.last_offset < node.topics.partition("plain", 0).log.start_offset
    ):
        return
    partition = node.topics.partition("plain", 0)
    if header_of(promised.last_batch).base_sequence < 5:
        assert partition.append(promised.last_batch) == promised.last_offset
        following = header_of(promised.last_batch).base_sequence + 1
        before = partition.high_watermark
        data = make([(None, b"next" + bytes(400))], producer=(7, 0, following), time_ms=1_000 + following)
        taken = partition.append(data)
        assert taken in {before, promised.last_offset + 1}
        assert partition.append(data) == taken


def _lived(folder: Path, disk: Disk, promised: Promised) -> tuple[Node | None, str]:
    """Live until killed; the node as it was then, and the step it was killed in."""
    node, doing = None, "start"
    try:
        node = Node(Options(folder))
        for name, do, then in life(promised):
            doing = name
            do(node)
            then()
    except Killed:
        assert disk.fails
        return node, doing
    return node, "over"


def test_killed_at_every_operation(tmp_path: Path) -> None:
    whole = Disk()
    (tmp_path / "whole").mkdir()
    with failing_disk(whole):
        node, doing = _lived(tmp_path / "whole", whole, Promised())
    assert doing == "over"
    _abandon(node)
    assert whole.operations > 100
    for at in range(whole.operations):
        folder, promised = tmp_path / str(at), Promised()
        disk = Disk("kill", at)
        folder.mkdir()
        with failing_disk(disk):
            node, doing = _lived(folder, disk, promised)
        _abandon(node)
        try:
            for _ in range(2):
                node = Node(Options(folder))
                _check(node, promised, doing)
                _abandon(node)
            node = Node(Options(folder))
            _check_transactions(node, promised)
            _goes_on(node, promised)
            _abandon(node)
        except BaseException as error:
            error.add_note(f"killed at operation {at}, in the step: {doing}")
            raise


def test_without_room_at_every_operation(tmp_path: Path) -> None:
    """Steps are refused as the protocol has it, the broker starts on the full disk, and goes on when there is room."""
    whole = Disk()
    (tmp_path / "whole").mkdir()
    with failing_disk(whole):
        node, _ = _lived(tmp_path / "whole", whole, Promised())
    _abandon(node)
    assert len(whole.growing) > 80
    for at in whole.growing:
        folder, promised = tmp_path / str(at), Promised()
        disk, doing, node = Disk("full", at), "start", None
        folder.mkdir()
        try:
            with failing_disk(disk):
                try:
                    node = Node(Options(folder))
                except OSError:
                    assert not (folder / "offsets.journal").exists(), "only a first start may need room"
                    continue
                for doing, do, then in life(promised):
                    try:
                        do(node)
                    except (Refusal, OSError) as refused:
                        if isinstance(refused, Refusal):
                            assert refused.code in _NO_ROOM
                        else:
                            assert doing in _UPKEEP, "a client would lose its connection"
                        _check(node, promised, doing)
                        disk.at = None  # there is room again: what was refused is tried again
                        do(node)
                    then()
            _abandon(node)
            node = Node(Options(folder))
            _check(node, promised, doing)
            _check_transactions(node, promised)
            _goes_on(node, promised)
            _abandon(node)
        except BaseException as error:
            error.add_note(f"without room from operation {at} on, in the step: {doing}")
            raise


_UPKEEP = {"sync", "compact", "snapshot", "expire", "sweep"}
_NO_ROOM = {ErrorCode.kafka_storage_error, ErrorCode.coordinator_not_available}


def test_a_broker_starts_on_a_full_disk(tmp_path: Path) -> None:
    promised = Promised()
    disk = Disk()
    with failing_disk(disk):
        node, _ = _lived(tmp_path, disk, promised)
        _abandon(node)
        disk.at = disk.operations
        disk.how = "full"
        node = Node(Options(tmp_path))
        _check(node, promised, "over")
        assert expire(node.topics.partition("plain", 0), 1 << 50) > 0, "retention makes room"
        node.delete_topic("keyed")
    _abandon(node)
