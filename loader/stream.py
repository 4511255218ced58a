"""The stream of messages: a pure generator of what is to be sent, tick by tick of 20 ms.

``Stream(settings)`` yields the same ticks, byte for byte, for the same settings: no clock, no I/O, all
randomness from the seed. ``loader.run`` sends them in real time; tests hash them, or run the anomaly rules
over them.

A tick's messages are those whose sending falls due in it: a reading is taken (event time), delayed by the
network (most under 0.25 s, some up to 2 s, so readings arrive out of order), and a few are damaged, sent
twice or held back for 12 to 25 seconds (late). What is still on its way when the run ends is never sent.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from loader.fault_plan import (
    BASELINE_MARGIN_S,
    CYCLE_S,
    WINDOW_CLOSES_AFTER_S,
    WINDOW_S,
    FaultPlan,
    PlannedFault,
    first_boundary_s,
)
from loader.faults import Fault, FaultKind
from loader.fleet import METRICS_PER_DEVICE, Bools, Fleet, Floats, Ints
from loader.injection import Injection
from loader.malformed import VARIANTS
from loader.messages import Encoder
from loader.settings import StreamSettings
from loader.signals import DAY_S, Signals

TICK_S = 0.02
JITTER_SHARE = 0.2
"""A reading is taken up to this share of the series' interval after it is due."""
MAX_DELAY_S = 2.0
LATE_HOLD_S = (12.0, 25.0)
_CALM_AHEAD_S = LATE_HOLD_S[1] + 5.0
_DRAWS = 9


class Kind(IntEnum):
    """What a message is, for the counts. A late message is VALID: only its sending tells that it is late."""

    VALID = 0
    DUPLICATE = 1
    SPIKE = 2
    MALFORMED = 3


_RECORD = np.dtype(
    [
        ("send", "f8"),
        ("series", "i8"),
        ("n", "i8"),
        ("ts_ms", "i8"),
        ("value", "f8"),
        ("kind", "u1"),
        ("detail", "i8"),
    ]
)


@dataclass(frozen=True, slots=True)
class Tick:
    """What is to be sent at ``at_s`` seconds after the start, in this order; columns of equal length.

    ``kinds`` holds ``Kind`` values, ``details`` the index of a malformed message's variant. ``faults``
    begin to be visible with this tick: their truth is told before the messages are sent.
    """

    at_s: float
    keys: list[bytes]
    values: list[bytes]
    kinds: NDArray[np.uint8]
    details: Ints
    ts_ms: Ints
    faults: list[Fault]


class Stream:
    """One run's stream. Iterate ``ticks()`` once."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._fleet = Fleet(settings.devices, settings.seed)
        self._encoder = Encoder(self._fleet, settings.run_tag)
        self._schedule = settings.schedule()
        self._signals = Signals(self._fleet, settings.start_ms / 1000 % DAY_S)
        self._injection = Injection(self._fleet)
        self._plan = FaultPlan(settings)
        self._rng = np.random.default_rng([settings.seed, 5])
        self._round = self._round_of_series()
        self._scale: Floats = np.power(10.0, self._fleet.decimals.astype(np.float64))
        self._pending = np.zeros(0, _RECORD)
        self._taken = 0
        self._damaged = 0
        self._cycle = 0
        self._boundary_s = first_boundary_s(settings.start_ms)
        self._close_s = math.inf
        self._spikes: dict[int, Fault] = {}
        self._fault_number = 0

    def ticks(self) -> Iterator[Tick]:
        """The ticks of the run, in order; endless if the duration is None."""
        end_s = math.inf if self._settings.duration_s is None else self._settings.duration_s
        number = 0
        while number * TICK_S < end_s - 1e-9:
            number += 1
            yield self._tick(min(number * TICK_S, end_s))

    def _round_of_series(self) -> Ints:
        """The order in which series report: devices shuffled, a device's metrics a third of a round apart."""
        devices = np.random.default_rng([self._settings.seed, 6]).permutation(self._settings.devices)
        return np.concatenate([devices * METRICS_PER_DEVICE + j for j in range(METRICS_PER_DEVICE)])

    def _tick(self, until_s: float) -> Tick:
        self._keep_time(until_s)
        faults = [self._fault(planned) for planned in self._injection.starting_before(until_s)]
        due = math.floor(self._schedule.due(until_s) + 1e-6)
        batches = [self._pending]
        # A burst over a small fleet takes several readings of a series within a tick: one round at a time.
        for first in range(self._taken, due, self._fleet.series):
            batches += self._take(np.arange(first, min(first + self._fleet.series, due)))
        self._taken = due
        pending = np.concatenate(batches)
        sending = pending["send"] < until_s
        self._pending = pending[~sending]
        records = pending[sending]
        return self._encode(until_s, records[np.argsort(records["send"], kind="stable")], faults)

    def _keep_time(self, until_s: float) -> None:
        """Plan cycles one ahead, and note which readings lie in windows that are closed by now."""
        while (self._cycle - 1) * CYCLE_S < until_s:
            self._injection.add(self._plan.plan(self._cycle))
            self._cycle += 1
        if until_s >= self._boundary_s:
            self._injection.mark_boundary()
            self._close_s = self._boundary_s + WINDOW_CLOSES_AFTER_S + BASELINE_MARGIN_S
            self._boundary_s += WINDOW_S
        if until_s >= self._close_s:
            self._injection.close_windows()
            self._close_s = math.inf

    def _take(self, numbers: Ints) -> list[NDArray[np.void]]:
        """Take the readings of these numbers (of distinct series): records to be sent, duplicates apart."""
        draws = self._rng.random((_DRAWS, len(numbers)))
        size = self._fleet.series
        t = self._schedule.moments(numbers + draws[0] * (JITTER_SHARE * size))
        series = self._round[numbers % size]
        loud = self._injection.audible(series // METRICS_PER_DEVICE, t)
        if not loud.all():
            numbers, t, series, draws = numbers[loud], t[loud], series[loud], draws[:, loud]
        values = self._signals.read(series, t, draws[1:4])
        scale = self._scale[series]
        # Adding 0.0 turns a negative zero into a plain one.
        values = np.round(values * scale) / scale + 0.0
        self._injection.hold(series, t, values)
        spikes = self._injection.spike(series, t, values)

        records = np.zeros(len(series), _RECORD)
        records["series"] = series
        records["n"] = numbers // size
        records["ts_ms"] = self._settings.start_ms + np.floor(t * 1000).astype(np.int64)
        records["value"] = values
        records["send"] = t + _delay(draws[4], draws[5])
        for position, spike in spikes.items():
            records["kind"][position] = Kind.SPIKE
            records["send"][position] = t[position] + 0.01 + 0.24 * draws[5, position]
            records["detail"][position] = self._note_spike(records[position], spike.beyond)
        damaged, doubled, late = self._fates(series, t, draws[6], spikes)
        self._damage(records, damaged)
        records["send"][late] = t[late] + LATE_HOLD_S[0] + (LATE_HOLD_S[1] - LATE_HOLD_S[0]) * draws[7, late]
        in_time = ~(damaged | late)
        self._injection.count(series[in_time], values[in_time])
        copies = records[doubled]
        copies["kind"] = Kind.DUPLICATE
        copies["send"] += 0.05 + 1.45 * draws[8, doubled]
        return [records, copies]

    def _fates(
        self, series: Ints, t: Floats, draw: Floats, spikes: Collection[int]
    ) -> tuple[Bools, Bools, Bools]:
        """Which readings are damaged, sent twice, or late: each at most one of them, faulty ones none."""
        shares = self._settings
        calm = self._injection.untroubled(series, t, _CALM_AHEAD_S)
        calm[list(spikes)] = False
        first = shares.malformed_share
        second = first + shares.duplicate_share
        third = second + shares.late_share
        return (
            calm & (draw < first),
            calm & (draw >= first) & (draw < second),
            calm & (draw >= second) & (draw < third),
        )

    def _damage(self, records: NDArray[np.void], damaged: Bools) -> None:
        """Mark records as malformed, the variants taking turns so that each run has all of them."""
        how_many = int(np.count_nonzero(damaged))
        if how_many:
            records["kind"][damaged] = Kind.MALFORMED
            records["detail"][damaged] = (self._damaged + np.arange(how_many)) % len(VARIANTS)
            self._damaged += how_many

    def _fault(self, planned: PlannedFault) -> Fault:
        """A stuck phase or silence that begins."""
        metric = None if planned.series < 0 else self._fleet.series_name(planned.series)[1]
        end_s = planned.end_s
        if self._settings.duration_s is not None:
            end_s = min(end_s, self._settings.duration_s)
        return Fault(
            self._fault_id(planned.kind),
            planned.kind,
            self._fleet.device_ids[planned.device],
            metric,
            self._settings.start_ms + math.floor(planned.start_s * 1000),
            None if math.isinf(end_s) else self._settings.start_ms + math.floor(end_s * 1000),
            (planned.kind.value,),
        )

    def _note_spike(self, record: np.void, beyond: bool) -> int:
        """Keep the truth of a spike until its reading is sent; returns the number to find it by."""
        device_id, metric = self._fleet.series_name(int(record["series"]))
        ts_ms = int(record["ts_ms"])
        fault = Fault(
            self._fault_id(FaultKind.SPIKE),
            FaultKind.SPIKE,
            device_id,
            metric,
            ts_ms,
            ts_ms,
            ("threshold", "zscore") if beyond else ("zscore",),
            self._encoder.event_id(int(record["series"]), int(record["n"])),
        )
        self._spikes[self._fault_number] = fault
        return self._fault_number

    def _fault_id(self, kind: FaultKind) -> str:
        self._fault_number += 1
        return f"{self._settings.run_tag}-{kind.value}-{self._fault_number:04d}"

    def _encode(self, at_s: float, records: NDArray[np.void], faults: list[Fault]) -> Tick:
        kinds, details = records["kind"].copy(), records["detail"].copy()
        series, ts_ms = records["series"], records["ts_ms"].copy()
        values = self._encoder.values(series, records["n"], records["value"], ts_ms)
        for position in np.flatnonzero(kinds == Kind.MALFORMED).tolist():
            values[position] = VARIANTS[details[position]].damage(values[position])
        for position in np.flatnonzero(kinds == Kind.SPIKE).tolist():
            faults.append(self._spikes.pop(int(details[position])))
        return Tick(at_s, self._encoder.keys(series), values, kinds, details, ts_ms, faults)


def _delay(which: Floats, how_long: Floats) -> Floats:
    """Network delay in seconds, from two uniform draws: 0.01 to 0.25 for most, up to 2 for one in seven."""
    return np.where(which < 0.86, 0.01 + 0.24 * how_long, 0.25 + (MAX_DELAY_S - 0.25) * how_long * how_long)
