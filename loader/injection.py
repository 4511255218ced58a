"""Puts planned faults into readings: the state that says which series is faulty at a moment.

``loader.stream`` feeds it the plan and asks it, for each handful of readings, which are silent, what a
stuck one repeats, and what a spike reads. Arrays by series or device, so that a moment without faults costs
a few comparisons.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np

from loader.fault_plan import BASELINE_SAMPLES, PlannedFault
from loader.faults import FaultKind
from loader.fleet import METRICS_PER_DEVICE, Bools, Fleet, Floats, Ints
from loader.signals import SeriesStatistics

SPIKE_DEVIATIONS = 20.0
"""A spike is this many of its series' deviations off, 15 being what tests and documentation promise."""
SPIKE_SHARE_OF_MEAN = 0.015
"""And at least this share of its mean: the z-score rule passes over what is small against the mean."""
_CLEAR_OF_LIMIT = 0.02


@dataclass(frozen=True, slots=True)
class Spike:
    """A spike as injected: its value, and whether it lies beyond the limits of its metric."""

    value: float
    beyond: bool


class Injection:
    """The faults of a run that are planned, active or armed. Times are seconds since the start."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._statistics = SeriesStatistics(fleet.series)
        self._silent_from: Floats = np.full(fleet.devices, math.inf)
        self._silent_to: Floats = np.full(fleet.devices, -math.inf)
        self._stuck_from: Floats = np.full(fleet.series, math.inf)
        self._stuck_to: Floats = np.full(fleet.series, -math.inf)
        self._held: Floats = np.full(fleet.series, math.nan)
        self._spike_from: Floats = np.full(fleet.series, math.inf)
        self._spikes: dict[int, PlannedFault] = {}
        self._closed: Ints = np.zeros(fleet.series, dtype=np.int64)
        self._pending_closed = self._closed
        self._upcoming: list[tuple[float, int, PlannedFault]] = []

    def add(self, planned: list[PlannedFault]) -> None:
        """Take in the plan of a cycle. A device in it has no other fault that is still going on."""
        for fault in planned:
            own = slice(fault.device * METRICS_PER_DEVICE, (fault.device + 1) * METRICS_PER_DEVICE)
            self._spike_from[own] = math.inf
            if fault.kind is FaultKind.SPIKE:
                self._spike_from[fault.series] = fault.start_s
                self._spikes[fault.series] = fault
                continue
            if fault.kind is FaultKind.SILENT:
                self._silent_from[fault.device] = fault.start_s
                self._silent_to[fault.device] = fault.end_s
            else:
                self._stuck_from[fault.series] = fault.start_s
                self._stuck_to[fault.series] = fault.end_s
                self._held[fault.series] = math.nan
            heapq.heappush(self._upcoming, (fault.start_s, fault.device, fault))

    def starting_before(self, t: float) -> list[PlannedFault]:
        """The stuck phases and silences that start before ``t`` and have not been given out yet."""
        starting = []
        while self._upcoming and self._upcoming[0][0] < t:
            starting.append(heapq.heappop(self._upcoming)[2])
        return starting

    def close_windows(self) -> None:
        """Everything counted so far now lies in closed windows: baselines may be relied upon for it."""
        self._closed = self._pending_closed

    def mark_boundary(self) -> None:
        """A window's end has been reached: what is counted until now is what ``close_windows`` will close."""
        self._pending_closed = self._statistics.count.copy()

    def count(self, series: Ints, values: Floats) -> None:
        """Take readings (distinct series) that arrive whole and in time into the statistics."""
        self._statistics.add(series, values)

    def audible(self, devices: Ints, t: Floats) -> Bools:
        """Which readings are sent at all: those of devices that are not silent."""
        loud: Bools = (t < self._silent_from[devices]) | (t >= self._silent_to[devices])
        return loud

    def untroubled(self, series: Ints, t: Floats, horizon_s: float) -> Bools:
        """Which readings may be damaged, doubled or delayed: not stuck now, device not silent soon."""
        devices = series // METRICS_PER_DEVICE
        soon = (self._silent_from[devices] < t + horizon_s) & (t < self._silent_to[devices])
        calm: Bools = ~(soon | self._stuck_now(series, t))
        return calm

    def hold(self, series: Ints, t: Floats, values: Floats) -> None:
        """Let stuck series repeat the first value of their phase, in place."""
        stuck = self._stuck_now(series, t)
        if stuck.any():
            which = series[stuck]
            held = self._held[which]
            held = np.where(np.isnan(held), values[stuck], held)
            self._held[which] = held
            values[stuck] = held

    def spike(self, series: Ints, t: Floats, values: Floats) -> dict[int, Spike]:
        """Fire the armed spikes among these readings, in place; returns them by position."""
        fired = {}
        ready = (self._spike_from[series] <= t) & (self._closed[series] >= BASELINE_SAMPLES)
        for position in np.flatnonzero(ready).tolist():
            one = int(series[position])
            self._spike_from[one] = math.inf
            fired[position] = self._size(self._spikes.pop(one))
            values[position] = fired[position].value
        return fired

    def _stuck_now(self, series: Ints, t: Floats) -> Bools:
        stuck: Bools = (self._stuck_from[series] <= t) & (t < self._stuck_to[series])
        return stuck

    def _size(self, planned: PlannedFault) -> Spike:
        """How far a spike goes: beyond the limits, or within them but many deviations off.

        Where the limits leave no room for the latter (the deviation has grown by earlier faults) it goes
        beyond.
        """
        fleet, series = self._fleet, planned.series
        low, high = float(fleet.low[series]), float(fleet.high[series])
        mean = float(self._statistics.mean[series])
        off = SPIKE_DEVIATIONS * max(self._statistics.deviation(series), float(fleet.noise[series]))
        off = max(off, SPIKE_SHARE_OF_MEAN * abs(mean))
        directions = (1.0, -1.0) if planned.upwards else (-1.0, 1.0)
        decimals = int(fleet.decimals[series])
        clear = _CLEAR_OF_LIMIT * (high - low)
        if not planned.beyond:
            for direction in directions:
                value = mean + direction * off
                if low + clear < value < high - clear:
                    return Spike(round(value, decimals), beyond=False)
        down = min(low - 4 * clear, mean - off)
        # A quantity that is never negative does not become so by a spike.
        if directions[0] < 0 and (low < 0 or down >= 0):
            return Spike(round(down, decimals), beyond=True)
        return Spike(round(max(high + 4 * clear, mean + off), decimals), beyond=True)
