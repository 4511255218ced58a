"""How long from a message's creation until a view shows it: the arithmetic, without I/O or a clock.

Job: pair two streams of observations. Messages say "partition p got one created at t"; polls say "at time a
the view's newest timestamp of partition p was n". A message is visible at the first poll whose newest
timestamp has reached its own; its freshness is the time of that answer minus its creation. Every sampled
message counts once, so that busy moments weigh as much as they have messages. Caller:
`tailrace.monitor.reader`; tests drive it by hand.

Assumes that polls arrive in time order. Messages may be seen after the poll that already showed them (a
slow consumer): polls are remembered for `REMEMBER_MS`, so the answer is the same. All times are
milliseconds since the epoch.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

REMEMBER_MS: Final = 60_000
LONGEST_MS: Final = 120_000


class Histogram:
    """Counts by whole millisecond, from 0 to two minutes; what is longer counts as two minutes. Fixed
    size.
    """

    __slots__ = ("_counts", "total")

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * (LONGEST_MS + 1)))
        self.total = 0

    def add(self, milliseconds: float) -> None:
        """Count one; a negative one (two clocks, or rounding) counts as 0."""
        self._counts[min(max(round(milliseconds), 0), LONGEST_MS)] += 1
        self.total += 1

    def percentile(self, share: float) -> float | None:
        """The smallest value that at least `share` (0..1] of all samples do not exceed; None without
        samples.
        """
        if not self.total:
            return None
        wanted = max(1, -int(-share * self.total // 1))
        reached = 0
        for value, count in enumerate(self._counts):
            reached += count
            if reached >= wanted:
                return float(value)
        return float(LONGEST_MS)


@dataclass(frozen=True, slots=True)
class Second:
    """The messages created within one second of the run: how fresh they became visible."""

    at_s: int
    p50: float
    p99: float
    samples: int

    def as_json(self) -> dict[str, Any]:
        """For the report's timeline."""
        return {"at_s": self.at_s, "p50": self.p50, "p99": self.p99, "samples": self.samples}


def percentile(values: list[float], share: float) -> float:
    """The smallest of `values` (not empty) that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def _second(at_s: int, values: list[float]) -> Second:
    return Second(at_s, percentile(values, 0.50), percentile(values, 0.99), len(values))


class Estimator:
    """Pairs messages with polls. Measures from `warm_up_ms` behind the first message on."""

    def __init__(self, *, warm_up_ms: float = 2_000.0) -> None:
        self._warm_up_ms = warm_up_ms
        self.started_ms: float | None = None
        self.histogram = Histogram()
        self._polls: deque[float] = deque()
        self._newest: dict[int, deque[float]] = defaultdict(deque)
        self._waiting: dict[int, list[float]] = defaultdict(list)
        self._seconds: dict[int, list[float]] = defaultdict(list)
        self._closed: dict[int, Second] = {}

    @property
    def waiting(self) -> int:
        """Sampled messages that no poll has shown yet."""
        return sum(map(len, self._waiting.values()))

    def message(self, partition: int, created_ms: float) -> None:
        """A sampled message, seen by the independent consumer."""
        if self.started_ms is None:
            self.started_ms = created_ms
        if created_ms < self.started_ms + self._warm_up_ms:
            return
        shown_at = self._first_poll(partition, created_ms)
        if shown_at is None:
            heapq.heappush(self._waiting[partition], created_ms)
        else:
            self._record(created_ms, shown_at)

    def poll(self, answered_ms: float, newest: Mapping[int, float]) -> None:
        """An answer of the view: partition -> newest timestamp shown."""
        self._polls.append(answered_ms)
        for partition in newest.keys() | self._newest.keys():
            history = self._newest[partition]
            history.extend([float("-inf")] * (len(self._polls) - 1 - len(history)))
            before = history[-1] if history else float("-inf")
            history.append(max(before, newest.get(partition, before)))
            waiting = self._waiting[partition]
            while waiting and waiting[0] <= history[-1]:
                self._record(heapq.heappop(waiting), answered_ms)
        while self._polls[0] < answered_ms - REMEMBER_MS:
            self._polls.popleft()
            for history in self._newest.values():
                history.popleft()

    def _first_poll(self, partition: int, created_ms: float) -> float | None:
        history = self._newest.get(partition)
        if not history or history[-1] < created_ms:
            return None
        return self._polls[bisect_left(history, created_ms)]

    def _record(self, created_ms: float, shown_ms: float) -> None:
        if self.started_ms is None:
            return
        fresh_ms = max(0.0, shown_ms - created_ms)
        self.histogram.add(fresh_ms)
        at_s = int((created_ms - self.started_ms) // 1000)
        if at_s not in self._closed:
            self._seconds[at_s].append(fresh_ms)

    def seconds(self, last: int | None = None) -> list[Second]:
        """The timeline, a row per second of creation (only the newest `last`, if given).

        A second that is long over keeps its three numbers and forgets its samples.
        """
        newest = max(self._seconds, default=0)
        for at_s in [at_s for at_s in self._seconds if at_s < newest - REMEMBER_MS // 1000]:
            self._closed[at_s] = _second(at_s, self._seconds.pop(at_s))
        wanted = sorted(self._closed.keys() | self._seconds.keys())
        if last is not None:
            wanted = wanted[-last:]
        return [self._closed.get(at_s) or _second(at_s, self._seconds[at_s]) for at_s in wanted]

    def summary(self) -> dict[str, Any]:
        """p50 and p99 (ms, None without samples) over all samples, their number, and those never shown."""
        return {
            "p50": self.histogram.percentile(0.50),
            "p99": self.histogram.percentile(0.99),
            "samples": self.histogram.total,
            "unseen": self.waiting,
        }


def recovered_after_s(
    timeline: list[Second], burst_end_s: float, *, limit_ms: float = 1_000.0
) -> float | None:
    """Seconds from the end of a burst until messages are fresh again for good: 0 when they always were.

    A second counts as fresh when its p99 is below `limit_ms`. None when freshness had not come back by the
    end.
    """
    stale = [second.at_s + 1 for second in timeline if second.p99 >= limit_ms]
    if not stale:
        return 0.0
    back_at = max(stale)
    if back_at > max(second.at_s for second in timeline):
        return None
    return max(0.0, back_at - burst_end_s)
