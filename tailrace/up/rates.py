"""A count that grows, turned into a rate over the last few seconds.

Pure: the caller passes the time. Used by the launcher for produced and ingested readings.
"""

from __future__ import annotations

from collections import deque


class Rate:
    """Growth a second over a sliding span of `span_s` seconds."""

    def __init__(self, span_s: float = 3.0) -> None:
        self._span_s = span_s
        self._points: deque[tuple[float, int]] = deque()

    def add(self, at_s: float, count: int) -> None:
        """The count as read at `at_s` (any clock that only goes forward); an equal time is ignored."""
        if self._points and at_s <= self._points[-1][0]:
            return
        self._points.append((at_s, count))
        while len(self._points) > 2 and self._points[1][0] <= at_s - self._span_s:
            self._points.popleft()

    @property
    def per_second(self) -> float:
        """0 until two counts are known."""
        if len(self._points) < 2:
            return 0.0
        (began, before), (ended, after) = self._points[0], self._points[-1]
        return max(0.0, (after - before) / (ended - began))
