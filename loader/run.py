"""The pacing of a run: takes the ticks of the stream and sends each when its time has come.

Small ticks (20 ms), never lumps. When sending cannot keep up, the ticks follow each other without a pause
and nothing is dropped: the run takes longer, ``behind_max_s`` says by how much. The clock is passed in, so
that tests need not wait. Called by ``loader.cli``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Protocol

import numpy as np

from loader.errors import LoaderError
from loader.outlet import Outlet
from loader.settings import StreamSettings
from loader.stream import Kind, Stream, Tick

PROGRESS_EVERY_S = 1.0


class Clock(Protocol):
    """Time: ``monotonic`` in seconds for pacing, ``wall_ms`` since the epoch for timestamps."""

    def monotonic(self) -> float:
        """Seconds since some moment."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Wait, but not on when the run is told to stop."""


class SystemClock:
    """The machine's clock; sleeping ends early when ``stop`` is set."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        """Wait, but not on when the run is told to stop."""
        self._stop.wait(seconds)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands, ``at_s`` into its schedule; ``rate`` is acknowledged/s since the last report."""

    at_s: float
    produced: int
    rate: float
    outstanding: int
    failed: int
    behind_s: float


@dataclass(slots=True)
class Outcome:
    """What a run did, apart from the counts that the outlet keeps. Wall clock and event times in ms."""

    started_ms: int
    ended_ms: int = 0
    at_s: float = 0.0
    first_ts_ms: int | None = None
    last_ts_ms: int | None = None
    due: int = 0
    sending_s: float = 0.0
    behind_max_s: float = 0.0
    stopped_early: bool = False
    error: str | None = None

    def note(self, tick: Tick, behind_s: float) -> None:
        """Take in a tick that is being sent ``behind_s`` after its time."""
        self.at_s = tick.at_s
        self.due += len(tick.values)
        self.behind_max_s = max(self.behind_max_s, behind_s)
        whole = tick.ts_ms[tick.kinds != Kind.MALFORMED]
        if len(whole):
            first, last = int(np.min(whole)), int(np.max(whole))
            self.first_ts_ms = min(first, self.first_ts_ms or first)
            self.last_ts_ms = max(last, self.last_ts_ms or last)


class Run:
    """One run of a stream through an outlet; call ``run`` once. ``stop`` ends it cleanly, at a tick."""

    def __init__(
        self,
        settings: StreamSettings,
        outlet: Outlet,
        clock: Clock,
        stop: Event,
        *,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._settings = settings
        self._stream = Stream(settings)
        self._outlet = outlet
        self._clock = clock
        self._stop = stop
        self._on_progress = on_progress

    def run(self) -> Outcome:
        """Send the stream in real time until it ends or is stopped, or the broker is away (``error``).

        Starts at the settings' start time if that is still to come, else at once.
        """
        clock = self._clock
        clock.sleep(max(self._settings.start_ms - clock.wall_ms(), 0) / 1000)
        outcome = Outcome(started_ms=clock.wall_ms())
        began = clock.monotonic()
        try:
            self._send_all(outcome, began)
            outcome.sending_s = clock.monotonic() - began
            self._outlet.finish()
        except LoaderError as error:
            outcome.error = str(error)
            outcome.sending_s = outcome.sending_s or clock.monotonic() - began
            _give_up(self._outlet)
        outcome.ended_ms = clock.wall_ms()
        return outcome

    def _send_all(self, outcome: Outcome, began: float) -> None:
        clock, outlet = self._clock, self._outlet
        reported_at, reported = began, 0
        for tick in self._stream.ticks():
            now = clock.monotonic()
            if now < began + tick.at_s:
                clock.sleep(began + tick.at_s - now)
                now = clock.monotonic()
            if self._stop.is_set():
                outcome.stopped_early = True
                return
            behind_s = max(now - began - tick.at_s, 0.0)
            outcome.note(tick, behind_s)
            outlet.send(tick, clock.wall_ms())
            if now - reported_at >= PROGRESS_EVERY_S:
                produced = outlet.counts.produced
                rate = (produced - reported) / (now - reported_at)
                failed = sum(outlet.counts.failed.values())
                self._on_progress(Progress(tick.at_s, produced, rate, outlet.outstanding, failed, behind_s))
                reported_at, reported = now, produced


def _give_up(outlet: Outlet) -> None:
    """Collect the last reports after an error; a second error would only repeat the first."""
    try:
        outlet.finish()
    except LoaderError:
        return
