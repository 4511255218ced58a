"""Batches of any size out of reads of any size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.connectors.decode import Decoded
from engine.connectors.pending import Pending
from engine.connectors.source import Batch, NewGeneration, Position


def part(start: int, count: int, skipped: int = 0) -> Decoded:
    """Rows of partition 0 from `start` on, then `skipped` messages without a row."""
    offsets = list(range(start, start + count))
    rows = [(offset,) for offset in offsets]
    return Decoded(rows, [0] * count, offsets, {0: start + count + skipped}, 100 * count, skipped)


def drain(pending: Pending, max_rows: int) -> list[Batch]:
    batches = []
    while batch := pending.take(max_rows):
        batches.append(batch)
    return batches


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), max_size=10), st.integers(1, 30))
def test_every_row_once_and_positions_follow_rows(parts: list[tuple[int, int]], max_rows: int) -> None:
    pending, offset, rows = Pending(), 0, []
    for count, skipped in parts:
        pending.append("a", part(offset, count, skipped))
        rows += [(each,) for each in range(offset, offset + count)]
        offset += count + skipped
    batches = drain(pending, max_rows)
    assert [row for batch in batches for row in batch.rows] == rows
    assert sum(batch.skipped for batch in batches) == sum(skipped for _, skipped in parts)
    for batch in batches:
        assert len(batch.rows) <= max_rows
        assert not batch.rows or batch.positions[0].offset > batch.rows[-1][0]
    if parts:
        assert batches[-1].positions == {0: Position("a", 0, offset)}
    assert (pending.rows, pending.size_bytes, bool(pending)) == (0, 0, False)


def test_generations_are_never_mixed() -> None:
    pending, generation = Pending(), NewGeneration("t", "a", "b")
    pending.append("a", part(5, 3))
    pending.append("b", Decoded([], [], [], {0: 0}, 0), [generation])
    pending.append("b", part(0, 2))
    first, second = drain(pending, 100)
    assert (first.rows, first.positions, first.new_generations) == (
        [(5,), (6,), (7,)],
        {0: Position("a", 0, 8)},
        [],
    )
    assert (second.rows, second.positions, second.new_generations) == (
        [(0,), (1,)],
        {0: Position("b", 0, 2)},
        [generation],
    )
