"""The account itself: it speaks up when a message is lost, doubled, changed or foreign, and is silent when all is even."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.account import (
    Acknowledged,
    Contents,
    Message,
    Sent,
    differences,
    expected,
    gaps,
    missent,
    unaccounted,
    unalerted,
    unkept,
)

TOPIC = [
    Message(0, 0, 1_000, "a", None),
    Message(0, 1, 1_001, None, "not_json"),
    Message(0, 2, 1_002, "a", None),
    Message(1, 0, 1_000, "b", None),
    Message(1, 1, 1_003, "c", None),
    Message(0, 0, 9_000, "d", None),  # a second generation: the same partition and offset, later
]
FIRST = TOPIC[0]


def _even() -> Contents:
    return expected(TOPIC)


def test_what_is_expected() -> None:
    wanted = _even()
    assert [message.event_id for message in wanted.readings] == ["a", "b", "c", "d"]
    assert [message.offset for message in wanted.rejects] == [1]
    assert wanted.duplicates == {"a": 2}
    assert unaccounted(TOPIC, wanted) == []


def _without(name: str) -> Contents:
    return replace(_even(), **{name: getattr(_even(), name)[1:]})


def _doubled(name: str) -> Contents:
    rows = getattr(_even(), name)
    return replace(_even(), **{name: [*rows, rows[0]]})


@pytest.mark.parametrize("name", ["messages", "readings", "rejects"])
@pytest.mark.parametrize(("spoil", "word"), [(_without, "lost"), (_doubled, "twice")])
def test_a_lost_or_doubled_row_is_told(spoil: Callable[[str], Contents], word: str, name: str) -> None:
    found = unaccounted(TOPIC, spoil(name))
    assert any(finding.startswith(f"{name}: 1 {word}") for finding in found), found


def test_lost_and_doubled_at_once_do_not_cancel_out() -> None:
    """Counts alone would call this even."""
    messages = [TOPIC[1], *TOPIC[1:]]
    found = unaccounted(TOPIC, replace(_even(), messages=messages))
    assert [finding.split(",")[0] for finding in found] == ["messages: 1 lost", "messages: 1 twice"]


@pytest.mark.parametrize(
    "other",
    [
        FIRST._replace(event_id="x"),
        FIRST._replace(timestamp_ms=9_999),
        FIRST._replace(event_id=None, reason="bad_value"),
        FIRST._replace(offset=77),
    ],
)
def test_a_row_that_is_not_as_in_the_topic_is_told(other: Message) -> None:
    found = unaccounted(TOPIC, replace(_even(), messages=[other, *TOPIC[1:]]))
    assert [finding.split(",")[0] for finding in found] == ["messages: 1 lost", "messages: 1 in no topic"]


def test_an_event_that_became_two_readings_is_told() -> None:
    readings = [*_even().readings, TOPIC[2]]
    assert any(
        "event a is there 2 times" in f for f in unaccounted(TOPIC, replace(_even(), readings=readings))
    )


@pytest.mark.parametrize("duplicates", [{}, {"a": 3}, {"a": 2, "b": 2}])
def test_wrong_duplicates_are_told(duplicates: dict[str, int]) -> None:
    assert unaccounted(TOPIC, replace(_even(), duplicates=duplicates))


def test_gaps_of_offsets() -> None:
    assert gaps(TOPIC[:5]) == []
    assert "offset 2 where 1 is due" in gaps([TOPIC[0], TOPIC[2]])[0]
    assert "offset 0 where 1 is due" in gaps([TOPIC[0], TOPIC[0]])[0]


def test_acknowledged_messages_are_where_they_were_and_once() -> None:
    acknowledged = [Acknowledged("b", 1, 0), Acknowledged("c", 1, 1)]
    assert unkept(acknowledged, TOPIC) == []
    assert "1 acknowledged messages are not where they were" in unkept(acknowledged, TOPIC[:4])[0]
    moved = [*TOPIC[:4], Message(1, 5, 1_003, "c", None)]
    assert "1 acknowledged messages are not where they were" in unkept(acknowledged, moved)[0]
    assert "came twice" in unkept(acknowledged, [*TOPIC, Message(1, 2, 1_004, "c", None)])[0]


@pytest.mark.parametrize(
    ("sent", "topic", "even"),
    [
        ([Sent(1, 100, complete=True), Sent(2, 50, complete=True)], 160, True),
        ([Sent(1, 100, complete=True), Sent(2, 50, complete=True)], 161, False),  # one came twice
        ([Sent(1, 100, complete=True), Sent(2, 50, complete=True)], 159, False),  # one is lost
        ([Sent(1, 100, complete=False), Sent(2, 50, complete=True)], 170, True),  # killed: who knows
        ([Sent(1, 100, complete=False), Sent(2, 50, complete=True)], 159, False),  # acknowledged and lost
    ],
)
def test_the_loaders_account_is_exact_or_a_lower_bound(sent: list[Sent], topic: int, even: bool) -> None:
    assert (missent(sent, 10, topic) == []) is even


def test_views_are_compared_as_multisets_with_tolerance_for_floats_alone() -> None:
    batch = [("a", 2, 0.1 + 0.2), ("b", 1, None), ("b", 1, None)]
    assert differences("v", [("b", 1, None), ("a", 2, 0.3), ("b", 1, None)], batch) == []
    assert "1 rows of its query as a batch are missing" in differences("v", batch[:2], batch)[0]
    assert "1 rows that its query as a batch does not give" in differences("v", [*batch, batch[0]], batch)[0]
    assert len(differences("v", [("a", 3, 0.3), *batch[1:]], batch)) == 2
    assert len(differences("v", [("a", 2, 0.3001), *batch[1:]], batch)) == 2


def test_alerts_end_as_the_view_and_may_be_repeated() -> None:
    view = {"x": ("x", 1), "y": ("y", 2)}
    sink = [("x", ("x", 0)), ("z", ("z", 3)), ("y", ("y", 2)), ("x", ("x", 1)), ("z", None), ("x", ("x", 1))]
    assert unalerted(view, sink) == []
    assert "1 anomalies without an alert" in unalerted(view, sink[:2] + sink[3:])[0]
    assert "1 anomalies without an alert" in unalerted(view, [*sink, ("y", None)])[0]
    assert "1 alerts other than the anomaly" in unalerted(view, [*sink, ("x", ("x", 0))])[0]
    assert "1 alerts of no anomaly" in unalerted(view, [*sink, ("z", ("z", 3))])[0]
