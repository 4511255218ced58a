"""Which devices fail, how and when: planned cycle by cycle, 30 seconds each, one cycle ahead.

The plan keeps faults findable and keeps them from causing alarms of their own:

- a spike waits until the z-score rule has a baseline (15 readings in closed windows) for it;
- a stuck phase covers a whole aligned window (21 s or more), and ends only where at least as many readings
went
  before it as it holds itself. Else the baseline would be made of its constant value, and the healthy noise
  after it would look like an anomaly; in a short run such a phase lasts until the end, in a long one it is
  put off;
- a silence is long enough (25 s) to leave a whole window empty, and starts early enough to be reported;
- a device has one fault at a time.

Pure: (settings, cycle) decide. Used by ``loader.stream``; ``aligned_start_ms`` by ``loader.cli``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from loader.faults import WINDOW_MS, FaultKind
from loader.fleet import METRICS_PER_DEVICE, Floats
from loader.schedule import Schedule
from loader.settings import MAX_INTERVAL_FOR_STUCK_S, StreamSettings

CYCLE_S = 30.0
WINDOW_S = WINDOW_MS / 1000
WINDOW_CLOSES_AFTER_S = 5.0
BASELINE_MARGIN_S = 2.0
"""Grace for the pipeline between the moment a window closes and the moment its baseline is relied upon."""
BASELINE_SAMPLES = 15
SPIKES_NOT_BEFORE_S = 22.0
SHORT_RUN_S = 90.0
_LAST_SPIKE_S = 0.5
_STUCK_S = 21.0
_SILENT_S = 25.0
_SILENT_NOTICED_S = 17.0
_MINIMUM = {FaultKind.SPIKE: 2, FaultKind.STUCK: 1, FaultKind.SILENT: 1}


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault to come; ``end_s`` is infinite if it lasts until the run ends, ``series`` -1 for a silence.

    ``beyond`` tells a spike to leave the limits of its metric; ``upwards`` in which direction it prefers to
    go.
    """

    kind: FaultKind
    device: int
    series: int
    start_s: float
    end_s: float
    beyond: bool = False
    upwards: bool = True


def first_boundary_s(start_ms: int) -> float:
    """The first end of an aligned window after the start, in (0, 10]."""
    return (WINDOW_MS - start_ms % WINDOW_MS) / 1000


def baseline_ready_s(settings: StreamSettings, schedule: Schedule) -> float:
    """When series begin to have a baseline to be judged against."""
    enough = schedule.moments(np.array([(BASELINE_SAMPLES + 0.6) * settings.series]))[0]
    first = first_boundary_s(settings.start_ms)
    boundary = first + WINDOW_S * max(0, math.ceil((float(enough) - first) / WINDOW_S))
    return max(boundary + WINDOW_CLOSES_AFTER_S + BASELINE_MARGIN_S, SPIKES_NOT_BEFORE_S)


def last_spike_s(settings: StreamSettings) -> float:
    """Until when a spike can be planned so that its reading is surely sent before the run ends."""
    if settings.duration_s is None:
        return math.inf
    return settings.duration_s - 1.2 * settings.interval_s - _LAST_SPIKE_S


def aligned_start_ms(settings: StreamSettings) -> int:
    """The first moment, from ``settings.start_ms`` on, that leaves a short run time for spikes.

    Windows are aligned to the clock, so whether a 30 s run has a baseline before its last second depends on
    the moment it starts. Up to 6 seconds later than asked; unchanged where that does not help (too short)
    or is not needed.
    """
    schedule = settings.schedule()
    for wait_ms in range(0, WINDOW_MS, 100):
        moved = replace(settings, start_ms=settings.start_ms + wait_ms)
        if baseline_ready_s(moved, schedule) + 1.0 <= last_spike_s(settings):
            return moved.start_ms
    return settings.start_ms


class FaultPlan:
    """Plans the cycles of a run in turn: ``plan(0)``, ``plan(1)``, ... each one cycle before it begins."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._schedule = settings.schedule()
        self._end_s = math.inf if settings.duration_s is None else settings.duration_s
        self._order = np.random.default_rng([settings.seed, 3]).permutation(settings.devices).tolist()
        self._next = 0
        self._busy_until: Floats = np.full(settings.devices, -math.inf)
        self._planned = dict.fromkeys(FaultKind, 0)
        self._per_cycle = {
            kind: rate * settings.devices / 1000
            for kind, rate in (
                (FaultKind.SPIKE, settings.spike_rate),
                (FaultKind.STUCK, settings.stuck_rate),
                (FaultKind.SILENT, settings.silent_rate),
            )
        }
        if settings.interval_s > MAX_INTERVAL_FOR_STUCK_S:
            self._per_cycle[FaultKind.STUCK] = 0.0

    def plan(self, cycle: int) -> list[PlannedFault]:
        """The faults that start in cycle number ``cycle``, in no particular order."""
        rng = np.random.default_rng([self._settings.seed, 4, cycle])
        faults: list[PlannedFault] = []
        for kind in FaultKind:
            for _ in range(self._wanted(kind, cycle)):
                draws = rng.random(4).tolist()
                span = self._span(kind, cycle, draws[0], draws[1])
                if span is None:
                    continue
                device = self._free_device(cycle)
                if device is None:
                    return faults
                number = self._planned[kind]
                self._planned[kind] += 1
                self._busy_until[device] = span[1]
                series = device * METRICS_PER_DEVICE + int(draws[2] * METRICS_PER_DEVICE)
                faults.append(
                    PlannedFault(
                        kind,
                        device,
                        -1 if kind is FaultKind.SILENT else series,
                        *span,
                        beyond=number % 2 == 0,
                        upwards=draws[3] < 0.5,
                    )
                )
        return faults

    def _wanted(self, kind: FaultKind, cycle: int) -> int:
        """How many faults of this kind the cycle lacks, of what there should be by its end."""
        per_cycle = self._per_cycle[kind]
        if per_cycle == 0:
            return 0
        by_then = max(_MINIMUM[kind], round(per_cycle * (cycle + 1)))
        # What one cycle had no room for is made up for in the next, but never all at once.
        return min(by_then - self._planned[kind], _MINIMUM[kind] + math.ceil(2 * per_cycle))

    def _span(self, kind: FaultKind, cycle: int, when: float, length: float) -> tuple[float, float] | None:
        """Start and end of a fault in the cycle, from two uniform draws; None where there is no room."""
        begin = cycle * CYCLE_S
        if kind is FaultKind.SPIKE:
            ready = baseline_ready_s(self._settings, self._schedule)
            first = max(begin, ready)
            last = min(begin + CYCLE_S, last_spike_s(self._settings))
            start = first + when * (last - first)
            return (start, start + 2 * self._settings.interval_s) if first < last else None
        if kind is FaultKind.SILENT:
            start = begin + max(2.0, self._settings.interval_s) + 2.0 * when
            end = start + _SILENT_S + 10.0 * length
            return (start, end) if start + _SILENT_NOTICED_S <= self._end_s else None
        start = begin + 2.0 + 5.0 * when
        end = start + _STUCK_S + 9.0 * length
        if start + _STUCK_S > self._end_s:
            return None
        due = self._schedule.due
        if end < self._end_s and due(end) - due(start) <= due(start):
            return start, end
        return (start, math.inf) if self._end_s - begin <= SHORT_RUN_S else None

    def _free_device(self, cycle: int) -> int | None:
        """The next device, in a fixed round, that has no fault now or to come; None when there is none."""
        now = (cycle - 1) * CYCLE_S
        for _ in range(len(self._order)):
            device: int = self._order[self._next]
            self._next = (self._next + 1) % len(self._order)
            if self._busy_until[device] <= now:
                return device
        return None
