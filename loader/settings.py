"""What a run is made of: everything that decides which messages the stream holds, and when.

Two runs with equal settings are byte-identical. Built by ``loader.cli`` (from options and the clock) and by
tests; read by ``loader.stream``, ``loader.fault_plan`` and ``loader.summary``.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2s

from loader.fleet import METRICS_PER_DEVICE
from loader.schedule import Burst, Schedule

MAX_INTERVAL_FOR_STUCK_S = 1.9
MAX_INTERVAL_FOR_SILENT_S = 3.0


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """Settings of a stream; times in seconds since the start unless the name says otherwise.

    ``start_ms`` is the event time of the start, in milliseconds since the epoch. ``duration_s`` None means
    endless. Shares are of all readings; fault rates are faults per 1,000 devices in 30 seconds.
    """

    devices: int
    rate: float
    seed: int
    start_ms: int
    duration_s: float | None = None
    bursts: tuple[Burst, ...] = ()
    malformed_share: float = 0.002
    duplicate_share: float = 0.005
    late_share: float = 0.003
    spike_rate: float = 20.0
    stuck_rate: float = 10.0
    silent_rate: float = 10.0

    def __post_init__(self) -> None:
        if self.devices < 1:
            raise ValueError(f"devices must be at least 1, got {self.devices}")
        if not self.rate > 0:
            raise ValueError(f"rate must be above 0 readings/s, got {self.rate:g}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, got {self.seed}")
        if self.duration_s is not None and not self.duration_s > 0:
            raise ValueError(f"duration must be above 0 seconds, got {self.duration_s:g}")
        shares = (self.malformed_share, self.duplicate_share, self.late_share)
        if min(shares) < 0 or sum(shares) > 0.5:
            raise ValueError(
                "malformed, duplicate and late shares must each be at least 0 and together at most 0.5, "
                f"got {shares}"
            )
        if min(self.spike_rate, self.stuck_rate, self.silent_rate) < 0:
            raise ValueError("fault rates must be 0 or more")

    @property
    def series(self) -> int:
        """Number of series (device x metric)."""
        return self.devices * METRICS_PER_DEVICE

    @property
    def interval_s(self) -> float:
        """Time between two readings of a series, outside bursts."""
        return self.series / self.rate

    @property
    def run_tag(self) -> str:
        """What every event id and fault id of this run begins with: differs with seed, start or fleet."""
        return blake2s(f"{self.seed}:{self.start_ms}:{self.devices}".encode(), digest_size=5).hexdigest()

    def schedule(self) -> Schedule:
        """When the readings are due."""
        return Schedule(self.rate, self.bursts)

    def mean_target_rate(self) -> float:
        """Readings a second asked for, bursts spread over the whole run; the steady rate when endless."""
        if self.duration_s is None:
            return self.rate
        return self.schedule().due(self.duration_s) / self.duration_s

    def warnings(self) -> list[str]:
        """What a user should know about settings that work, but not as expected."""
        found = []
        if self.interval_s > MAX_INTERVAL_FOR_SILENT_S:
            found.append(
                f"each series reports only every {self.interval_s:.1f} s: healthy devices may look silent. "
                f"Use --rate {self.series / MAX_INTERVAL_FOR_SILENT_S:.0f} or more, or fewer --devices"
            )
        if self.interval_s > MAX_INTERVAL_FOR_STUCK_S and self.stuck_rate > 0:
            found.append(
                "no stuck faults: a 10 s window needs 5 readings, "
                f"a series reports every {self.interval_s:.1f} s. "
                f"Use --rate {self.series / MAX_INTERVAL_FOR_STUCK_S:.0f} or more, or fewer --devices"
            )
        return found
