"""The truth: what a fault is, how it is told, and which rules must find it.

Pure values. Made by ``loader.stream`` at the moment of injection, published on the truth topic and written
to the summary by ``loader.run``. The windows of the pipeline are 10 seconds long and aligned to the epoch;
``rules`` names the anomaly rules that must find the fault, given how long it really lasted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

WINDOW_MS = 10_000
SILENT_JUDGED_MS = 5_000
"""The silent rule reports this long after the end of the last window that holds data."""
REPORT_MARGIN_MS = 1_000


class FaultKind(StrEnum):
    """What can go wrong with a device."""

    SPIKE = "spike"
    STUCK = "stuck"
    SILENT = "silent"


def iso(ms: int) -> str:
    """Milliseconds since the epoch as ISO 8601 in UTC, for example ``2026-11-23T23:16:17.123Z``."""
    seconds, millis = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def window_end_ms(ms: int) -> int:
    """End of the aligned window in which the moment before ``ms`` lies: ``ms`` itself when on a boundary."""
    return -(-ms // WINDOW_MS) * WINDOW_MS


@dataclass(frozen=True, slots=True)
class Fault:
    """An injected fault; times are event times in milliseconds since the epoch.

    ``metric`` is None for a silent device. ``ends_at_ms`` None means: until the run stops. ``event_id`` is
    that of the one reading of a spike, else None.
    """

    fault_id: str
    kind: FaultKind
    device_id: str
    metric: str | None
    starts_at_ms: int
    ends_at_ms: int | None
    rules: tuple[str, ...]
    event_id: str | None = None

    def stopped(self, stop_ms: int) -> Fault:
        """The fault as it really was when the run stopped at ``stop_ms``.

        ``rules`` is empty when it did not last long enough for its rule to be expected to find it.
        """
        if self.kind is FaultKind.SPIKE:
            return self
        end_ms = stop_ms if self.ends_at_ms is None else min(self.ends_at_ms, stop_ms)
        window_end = window_end_ms(self.starts_at_ms)
        if self.kind is FaultKind.STUCK:
            found = window_end + WINDOW_MS <= end_ms
        else:
            found = window_end + SILENT_JUDGED_MS + REPORT_MARGIN_MS <= end_ms
        return replace(self, ends_at_ms=end_ms, rules=self.rules if found else ())

    def to_json(self) -> dict[str, Any]:
        """The fault as told on the truth topic and in the summary."""
        return {
            "fault_id": self.fault_id,
            "kind": self.kind.value,
            "device_id": self.device_id,
            "metric": self.metric,
            "starts_at": iso(self.starts_at_ms),
            "ends_at": None if self.ends_at_ms is None else iso(self.ends_at_ms),
            "rules": list(self.rules),
            "event_id": self.event_id,
        }
