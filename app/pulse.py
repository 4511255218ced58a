"""The pulse of ingest: samples of `ingest_lag` over the last minutes, and what follows from them.

Freshness is the age of the newest visible message: the wall clock when the answer had arrived, minus the
newest broker timestamp in it. The page's own clock is used rather than the engine's now(), because
RisingWave answers now() with the time of the snapshot it reads, which would hide just the delay that is to
be shown; it assumes that the clocks of this machine and of the producers agree. Throughput is the growth of
the message counts between samples. Called by app.feeds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.queries.ingest import Partition

RATE_OVER_S = 5.0
KEEP_SAMPLES = 300


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at all partitions, taken at `at` (wall clock, UTC)."""

    at: datetime
    partitions: tuple[Partition, ...]

    @property
    def messages(self) -> int:
        """Messages visible in all partitions."""
        return sum(partition.messages for partition in self.partitions)

    @property
    def newest(self) -> datetime | None:
        """Newest broker timestamp visible; None before the first message."""
        return max((partition.last_kafka_timestamp for partition in self.partitions), default=None)

    @property
    def freshness_s(self) -> float | None:
        """Age of the newest visible message, in seconds; None before the first message."""
        newest = self.newest
        return None if newest is None else max((self.at - newest).total_seconds(), 0.0)


class Pulse:
    """The last samples, oldest first. Not locked: app.feeds adds from one thread at a time."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=KEEP_SAMPLES)

    def add(self, sample: Sample) -> None:
        """Remember a sample; when the counts fell (the pipeline was built anew), forget the older ones."""
        if self._samples and sample.messages < self._samples[-1].messages:
            self._samples.clear()
        self._samples.append(sample)

    def view(self) -> PulseView:
        """What the page shows now."""
        return PulseView(tuple(self._samples))


@dataclass(frozen=True, slots=True)
class PulseView:
    """The samples at one moment, oldest first; at least the newest one is there."""

    samples: Sequence[Sample]

    @property
    def now(self) -> Sample:
        """The newest sample."""
        return self.samples[-1]

    def rates(self) -> dict[int, float]:
        """Messages a second per partition over the last five seconds; empty until there are two samples."""
        base = self._base(len(self.samples) - 1)
        if base is None:
            return {}
        seconds = (self.now.at - base.at).total_seconds()
        before = {partition.partition: partition.messages for partition in base.partitions}
        return {
            partition.partition: (partition.messages - before.get(partition.partition, 0)) / seconds
            for partition in self.now.partitions
        }

    def throughput(self) -> list[float]:
        """Messages a second (over five seconds each) at each sample but the first."""
        result = []
        for index in range(1, len(self.samples)):
            base = self._base(index)
            if base is not None:
                sample = self.samples[index]
                result.append((sample.messages - base.messages) / (sample.at - base.at).total_seconds())
        return result

    def freshness(self) -> list[float]:
        """Freshness in seconds at each sample that had a message."""
        return [age for sample in self.samples if (age := sample.freshness_s) is not None]

    def _base(self, index: int) -> Sample | None:
        """What sample `index` is measured against: the oldest within RATE_OVER_S, else the one before."""
        at = self.samples[index].at
        base: Sample | None = None
        for sample in reversed(self.samples[:index]):
            seconds = (at - sample.at).total_seconds()
            if seconds <= 0 or (base is not None and seconds > RATE_OVER_S + 0.5):
                break
            base = sample
        return base
