"""When readings are due: a steady rate, with bursts on top.

The fleet takes its readings in a fixed round: reading ``m`` of the run belongs to the ``m % series``-th
series of the round. A burst makes the round turn faster, so every series simply reports more often for its
length, at evenly spaced moments: more samples of the same signal, hence nothing that a rule should alarm
on.

``due(t)`` is the number of readings due in [0, t), piecewise linear; ``moment(m)`` is its inverse. Times are
seconds since the start. Pure; used by ``loader.stream`` and ``loader.faults``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from loader.fleet import Floats

_FAR_S = 4.0e9


@dataclass(frozen=True, slots=True)
class Burst:
    """``rate`` readings a second on top of the steady ones, from ``at_s`` for ``length_s`` seconds."""

    rate: float
    at_s: float
    length_s: float

    @classmethod
    def parse(cls, text: str) -> Burst:
        """Read ``RATE:AT:SECONDS``, for example ``50000:10:10``. Raises ValueError."""
        try:
            rate, at_s, length_s = (float(part) for part in text.split(":"))
        except ValueError:
            raise ValueError(f"burst {text!r}: wanted RATE:AT:SECONDS, for example 50000:10:10") from None
        if not (rate > 0 and at_s >= 0 and length_s > 0):
            raise ValueError(f"burst {text!r}: RATE and SECONDS must be above 0, AT at least 0")
        return cls(rate, at_s, length_s)

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.at_s + self.length_s


class Schedule:
    """Cumulative number of readings due over time."""

    def __init__(self, rate: float, bursts: tuple[Burst, ...] = ()) -> None:
        edges = sorted({0.0, _FAR_S, *(b.at_s for b in bursts), *(b.end_s for b in bursts)})
        due = [0.0]
        for begin, end in pairwise(edges):
            extra = sum(b.rate for b in bursts if b.at_s <= begin < b.end_s)
            due.append(due[-1] + (rate + extra) * (end - begin))
        self._edges: Floats = np.array(edges)
        self._due: Floats = np.array(due)

    def due(self, t: float) -> float:
        """Readings due in [0, t)."""
        return float(np.interp(t, self._edges, self._due))

    def moments(self, readings: Floats) -> Floats:
        """The time at which each (fractional) number of readings is reached."""
        return np.interp(readings, self._due, self._edges)
