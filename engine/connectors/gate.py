"""Holds what was read until the topic's id has been seen unchanged *after* it was read.

Why: offsets mean nothing without the topic's id, and a consumer that reconnects after the topic was
re-created reads on in the new one without a word (measured: librdkafka 2.16 on Tansu continues at offset 10
of the new topic and loses 0-9). An id never comes back, so what was read before a check that still sees it
belongs to it. A check costs about 0.5 ms; there are at most 250 a second while messages flow and one a second
otherwise, which also notices new partitions. Used by the reader alone.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from engine.connectors.decode import Decoded
from engine.connectors.topic import Topic, TopicState
from tailrace.errors import TailraceError

_BUSY_INTERVAL_S: Final = 0.004
_IDLE_INTERVAL_S: Final = 1.0
_CHECK_TIMEOUT_S: Final = 5.0


class Gate:
    """One consumer's gate. `add`, `tick`, `close` belong to the reading thread; `let_through` runs in the
    client's.
    """

    def __init__(
        self, topic: Topic, state: TopicState, let_through: Callable[[Sequence[Decoded]], None]
    ) -> None:
        self._topic = topic
        self._state = state
        self._let_through = let_through
        self._lock = threading.Lock()
        self._held: list[Decoded] = []
        self._asked_at: float | None = None
        self._in_flight = False
        self._closed = False
        self.rows = 0
        self.size_bytes = 0
        self.broken: str | TailraceError | None = None
        """Why this consumer's reading is over: a reason to look the topic up again, or an error to report
        besides.
        """

    def add(self, decoded: Decoded) -> None:
        """Hold one read."""
        with self._lock:
            self._held.append(decoded)
            self.rows += len(decoded.rows)
            self.size_bytes += decoded.size_bytes

    def tick(self, now: float) -> float:
        """Start a check when one is due. Returns the seconds until the next call is useful."""
        with self._lock:
            if self._in_flight:
                return _BUSY_INTERVAL_S
            interval = _BUSY_INTERVAL_S if self._held else _IDLE_INTERVAL_S
            if self._asked_at is not None and now < self._asked_at + interval:
                return self._asked_at + interval - now
            self._asked_at = now
            self._in_flight = True
            count = len(self._held)
        asked = self._topic.describe_later(_CHECK_TIMEOUT_S)
        asked.add_done_callback(lambda future: self._answered(future, count))
        return _BUSY_INTERVAL_S

    def close(self) -> None:
        """Drop what is held; nothing is let through afterwards. It will be read again, if it is still
        there.
        """
        with self._lock:
            self._closed = True
            self._held.clear()

    def _answered(self, future: concurrent.futures.Future[Any], count: int) -> None:
        with self._lock:
            self._in_flight = False
            if self._closed or self.broken is not None:
                return
            try:
                state = self._topic.state_of(future)
            except TailraceError as error:
                self.broken = error
                return
            if state.topic_id != self._state.topic_id:
                self.broken = f"the topic was re-created: its id is {state.topic_id}"
                return
            if state.partitions != self._state.partitions:
                self.broken = f"the topic has {len(state.partitions)} partitions now"
            through, self._held = self._held[:count], self._held[count:]
            for decoded in through:
                self.rows -= len(decoded.rows)
                self.size_bytes -= decoded.size_bytes
            if through:
                self._let_through(through)
