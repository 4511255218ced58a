"""Is everything there, once? Compares what the topic holds with what the views hold. Pure: rows in, sentences out.

A message is known by its origin: partition, offset and the broker's timestamp (a topic that was re-created starts at offset 0
again, later). The topic, read and judged in Python by `tailrace.verify`, is the truth: an idempotent producer that is killed
has messages whose acknowledgement nobody saw, so its own count is a lower bound, and exact only where it ended in order. No
sentence means that the account is even.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

EXAMPLES = 4
Row = tuple[Any, ...]


class Message(NamedTuple):
    """One message: of `event_id` and `reason` (why it must be rejected) exactly one is set."""

    partition: int
    offset: int
    timestamp_ms: int
    event_id: str | None
    reason: str | None


@dataclass(slots=True)
class Contents:
    """What the four relations that account for messages hold."""

    messages: Sequence[Message] = ()
    readings: Sequence[Message] = ()
    rejects: Sequence[Message] = ()
    duplicates: Mapping[str, int] = field(default_factory=dict)
    """Event id -> copies, where there is more than one."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A message of which the broker has said that it has it, and where."""

    event_id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What one run of the loader says it has sent; `complete` when it ended in order and saw every acknowledgement."""

    run: int
    produced: int
    complete: bool


def expected(topic: Iterable[Message]) -> Contents:
    """What the views must hold of a topic, given in the order of its partitions: the first copy of an id is the reading."""
    messages = list(topic)
    copies: Counter[str] = Counter()
    readings, rejects = [], []
    for message in messages:
        if message.event_id is None:
            rejects.append(message)
            continue
        copies[message.event_id] += 1
        if copies[message.event_id] == 1:
            readings.append(message)
    return Contents(messages, readings, rejects, {id_: n for id_, n in copies.items() if n > 1})


def unaccounted(topic: Iterable[Message], views: Contents) -> list[str]:
    """What is lost, comes twice, or is not what it should be, by origin and by event id."""
    wanted = expected(topic)
    found = []
    for name in ("messages", "readings", "rejects"):
        found += _off(name, getattr(wanted, name), getattr(views, name))
    found += _off("duplicates", wanted.duplicates.items(), views.duplicates.items())
    ids = Counter(message.event_id for message in views.readings)
    found += [f"readings: event {id_} is there {count} times" for id_, count in _some(ids) if count > 1]
    return found


def _some(counter: Counter[Any]) -> list[tuple[Any, int]]:
    return counter.most_common(EXAMPLES)


def _off(name: str, wanted: Iterable[Any], got: Iterable[Any]) -> list[str]:
    truth, views = Counter(wanted), Counter(got)
    lost, surplus = truth - views, views - truth
    again = Counter({row: count for row, count in surplus.items() if row in truth})
    foreign = surplus - again
    return [
        f"{name}: {rows.total():,} {what}, for example {[_plain(row) for row, _ in _some(rows)]}"
        for what, rows in (("lost", lost), ("twice", again), ("in no topic", foreign))
        if rows
    ]


def _plain(row: Any) -> tuple[Any, ...]:
    return tuple(row)


def gaps(topic: Iterable[Message]) -> list[str]:
    """Offsets of one topic that are missing or double; `topic` holds one generation, from its first offset."""
    following: dict[int, int] = {}
    found = []
    for message in topic:
        due = following.get(message.partition, 0)
        if message.offset != due:
            found.append(
                f"topic: partition {message.partition} has offset {message.offset} where {due} is due"
            )
        following[message.partition] = message.offset + 1
    return found[:EXAMPLES]


def unkept(acknowledged: Sequence[Acknowledged], topic: Iterable[Message]) -> list[str]:
    """Acknowledged messages that the topic does not hold at their offset, or holds more than once."""
    ids = {each.event_id for each in acknowledged}
    there = [message for message in topic if message.event_id in ids]
    places = {(message.partition, message.offset, message.event_id) for message in there}
    lost = [a for a in acknowledged if (a.partition, a.offset, a.event_id) not in places]
    copies = Counter(message.event_id for message in there)
    found = []
    if lost:
        found.append(
            f"topic: {len(lost):,} acknowledged messages are not where they were, for example {lost[:EXAMPLES]}"
        )
    if doubled := [(id_, count) for id_, count in copies.items() if count > 1]:
        found.append(
            f"topic: {len(doubled):,} messages of an idempotent producer came twice, for example {doubled[:EXAMPLES]}"
        )
    return found


def missent(sent: Sequence[Sent], others: int, topic: int) -> list[str]:
    """The loader's runs against the number of messages in the topic, `others` of which are not the loader's."""
    told = sum(run.produced for run in sent)
    if all(run.complete for run in sent) and told + others != topic:
        return [f"topic: {topic:,} messages, but the loader counted {told:,} and others sent {others:,}"]
    if told + others > topic:
        return [f"topic: {topic:,} messages, fewer than the {told:,} + {others:,} that were acknowledged"]
    return []


def unalerted(view: Mapping[str, Row], sink: Sequence[tuple[str, Row | None]]) -> list[str]:
    """What a view's topic does not say of it: `view` by key, `sink` its messages in order, None a tombstone.

    At least once: repeated messages are no finding. The newest of each key must be what the view holds.
    """
    newest = dict(sink)
    lost = [key for key in view if newest.get(key) is None]
    other = [key for key, row in view.items() if newest.get(key) not in (None, row)]
    surplus = [key for key, row in newest.items() if row is not None and key not in view]
    told = (
        ("anomalies without an alert", lost),
        ("alerts other than the anomaly", other),
        ("alerts of no anomaly", surplus),
    )
    return [f"alerts: {len(keys):,} {what}, for example {keys[:EXAMPLES]}" for what, keys in told if keys]


def differences(name: str, view: Iterable[Row], batch: Iterable[Row]) -> list[str]:
    """Where a view's rows differ from its query's as multisets; floating point numbers within 1e-9."""
    left, right = Counter(map(_rounded, view)), Counter(map(_rounded, batch))
    extra, missing = list((left - right).elements()), list((right - left).elements())
    # What was rounded to different sides of an edge is close all the same: pair it by its exact columns.
    waiting: dict[Row, list[Row]] = {}
    for row in missing:
        waiting.setdefault(_exact(row), []).append(row)
    alone = []
    for row in extra:
        others = waiting.get(_exact(row), [])
        match = next((other for other in others if _close(row, other)), None)
        if match is None:
            alone.append(row)
        else:
            others.remove(match)
    rest = [row for rows in waiting.values() for row in rows]
    found = []
    if alone:
        found.append(
            f"{name}: {len(alone):,} rows that its query as a batch does not give, for example {alone[:EXAMPLES]}"
        )
    if rest:
        found.append(
            f"{name}: {len(rest):,} rows of its query as a batch are missing, for example {rest[:EXAMPLES]}"
        )
    return found


def _rounded(row: Row) -> Row:
    return tuple(_round(value) for value in row)


def _round(value: Any) -> Any:
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else float(f"{value:.12g}")
    return value.normalize() if isinstance(value, Decimal) else value


def _exact(row: Row) -> Row:
    return tuple(None if isinstance(value, float) else value for value in row)


def _close(left: Row, right: Row) -> bool:
    return all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
        if isinstance(a, float) and isinstance(b, float)
        else a == b
        for a, b in zip(left, right, strict=True)
    )
