"""What a healthy sensor reads: base level + daily cycle + inertia + noise.

Inertia is an AR(1) process in continuous time (Ornstein-Uhlenbeck): sampled at uneven intervals ``dt`` it
keeps ``exp(-dt / INERTIA_S)`` of itself, so a burst, in which a series is read every few milliseconds, sees
the same process as a calm hour does. All draws are bounded: the noise is uniform, so a healthy reading is
never more than sqrt(3) = 1.73 noise deviations off its process. That, and that a handful of uniform draws is
hardly ever narrow by chance, keeps false alarms of an 8-deviation rule out by design, even over a baseline of
15 readings.

Pure: the caller (``loader.stream``) passes the uniform draws and the times.
"""

from __future__ import annotations

import numpy as np

from loader.fleet import Fleet, Floats, Ints

INERTIA_S = 120.0
INERTIA_SHARE = 0.8
"""Standard deviation of the inertia, as a share of the noise's."""
DAY_S = 86_400.0
_SQRT3 = 3.0**0.5
_SQRT6 = 6.0**0.5


def triangular(first: Floats, second: Floats) -> Floats:
    """Mean 0, deviation 1, bounded by +-2.45: from two uniform draws on [0, 1)."""
    return (first + second - 1.0) * _SQRT6


class Signals:
    """The state of every series' process. ``day_offset_s`` is the time of day at t = 0, in seconds (UTC)."""

    def __init__(self, fleet: Fleet, day_offset_s: float) -> None:
        self._fleet = fleet
        self._day_offset_s = day_offset_s
        self._spread = fleet.noise * INERTIA_SHARE
        draws = np.random.default_rng([fleet.seed, 2]).random((2, fleet.series))
        self._inertia = triangular(draws[0], draws[1]) * self._spread
        self._read_at = np.zeros(fleet.series)

    def read(self, series: Ints, t: Floats, draws: Floats) -> Floats:
        """Values of ``series`` (distinct) at times ``t`` (s since the start); ``draws`` is 3 x n uniform."""
        fleet = self._fleet
        keep = np.exp(-np.maximum(t - self._read_at[series], 0.0) / INERTIA_S)
        inertia = keep * self._inertia[series]
        inertia += np.sqrt(1.0 - keep * keep) * self._spread[series] * triangular(draws[0], draws[1])
        self._inertia[series] = inertia
        self._read_at[series] = t
        days = (self._day_offset_s + t) / DAY_S + fleet.daily_phase[series]
        values: Floats = (
            fleet.base[series]
            + fleet.daily[series] * np.sin(2.0 * np.pi * days)
            + inertia
            + fleet.noise[series] * (2.0 * draws[2] - 1.0) * _SQRT3
        )
        return values


class SeriesStatistics:
    """Running count, mean and deviation of what each series has sent: what a baseline over it would say.

    Used to size spikes: ``n`` deviations off means off *this*, whatever stuck phases and earlier spikes
    made of it.
    """

    def __init__(self, series: int) -> None:
        self.count: Ints = np.zeros(series, dtype=np.int64)
        self.mean: Floats = np.zeros(series)
        self._squares: Floats = np.zeros(series)

    def add(self, series: Ints, values: Floats) -> None:
        """Take in one value for each of ``series`` (distinct). Welford's update."""
        count = self.count[series] + 1
        off = values - self.mean[series]
        mean = self.mean[series] + off / count
        self.count[series] = count
        self.mean[series] = mean
        self._squares[series] += off * (values - mean)

    def deviation(self, series: int) -> float:
        """Sample standard deviation; 0 with fewer than two values."""
        count = int(self.count[series])
        return float((self._squares[series] / (count - 1)) ** 0.5) if count > 1 else 0.0
