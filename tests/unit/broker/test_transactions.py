"""Transactions over the end of the broker that coordinates them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.node import Node
from broker.offsets import Committed
from broker.options import Options
from broker.partition import Partition
from broker.refusal import ErrorCode, Refusal
from broker.transactions import Transactions
from broker.upkeep import run_once
from tests.unit.broker.batches import make

PLACE = ("t", 0)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Node]]:
    """Starts a broker's node on the same data again; the one before counts as killed."""
    nodes: list[Node] = []

    def started() -> Node:
        nodes.append(Node(Options(tmp_path)))
        return nodes[-1]

    yield started
    for node in nodes:
        node.offsets.close()


def _begun(node: Node) -> tuple[Node, int, int]:
    """A transaction with one batch and one offset."""
    node.topics.create("t", 1, {})
    producer_id, epoch = node.transactions.begin_producer("me", 60_000)
    node.transactions.add("me", producer_id, epoch, [PLACE], 1_000)
    node.topics.partition("t", 0).append(make(producer=(producer_id, epoch, 0), transactional=True))
    node.transactions.add_offsets("me", producer_id, epoch, "g", {PLACE: Committed(5)})
    return node, producer_id, epoch


def _refuse(_partition: Partition, *_: object, **__: object) -> None:
    raise Refusal(ErrorCode.kafka_storage_error)


def test_an_end_that_was_written_down_is_finished_by_the_next_start(
    start: Callable[[], Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, producer_id, epoch = _begun(start())
    with monkeypatch.context() as full:
        full.setattr(Partition, "end_transaction", _refuse)
        with pytest.raises(Refusal):
            node.transactions.end("me", producer_id, epoch, committed=True)
        assert start().topics.partition("t", 0).stable_offset == 0
    again = start()
    assert again.topics.partition("t", 0).stable_offset == 2
    assert again.offsets.get("g", PLACE) == Committed(5)
    again.transactions.end("me", producer_id, epoch, committed=True)
    assert again.topics.partition("t", 0).high_watermark == 2


def test_a_topic_that_is_gone_does_not_hold_up_the_end(start: Callable[[], Node]) -> None:
    node, producer_id, epoch = _begun(start())
    node.delete_topic("t")
    node.transactions.end("me", producer_id, epoch, committed=True)
    node.topics.create("t", 1, {})
    assert node.offsets.get("g", PLACE) is None, "a position in the topic of before"


def test_a_transaction_open_for_too_long_is_aborted_and_its_producer_fenced(
    start: Callable[[], Node],
) -> None:
    node, producer_id, epoch = _begun(start())
    node.transactions.end_late(61_000)
    assert node.topics.partition("t", 0).stable_offset == 0
    node.transactions.end_late(61_001)
    partition = node.topics.partition("t", 0)
    assert [entry.producer_id for entry in partition.producers.aborted] == [producer_id]
    with pytest.raises(Refusal) as refused:
        node.transactions.end("me", producer_id, epoch, committed=True)
    assert refused.value.code is ErrorCode.invalid_producer_epoch


def test_upkeep_outlives_a_full_disk(start: Callable[[], Node], monkeypatch: pytest.MonkeyPatch) -> None:
    node, _, _ = _begun(start())
    monkeypatch.setattr(Transactions, "end_late", _refuse)
    asyncio.run(run_once(node))
