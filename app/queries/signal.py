"""One device's signal: its readings and their 10-second windows (views `readings`, `readings_10s`).

Both are read by index (device_id, metric, time) over a bounded range of event time. Called by
app.sections.signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.database import Database

MAX_READINGS = 2_000


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading; `late` when it reached the broker more than 10 s after its event time."""

    ts: datetime
    value: float
    late: bool


@dataclass(frozen=True, slots=True)
class Window:
    """Ten seconds of readings; `deviation` is None for fewer than two samples."""

    window_start: datetime
    window_end: datetime
    samples: int
    average: float
    minimum: float
    maximum: float
    deviation: float | None


def readings(
    database: Database, device_id: str, metric: str, since: datetime, until: datetime
) -> list[Reading]:
    """The newest 2,000 readings in (since, until], newest first."""
    return database.fetch(
        Reading,
        """
        SELECT ts, value, late
        FROM readings
        WHERE device_id = %s AND metric = %s AND ts > %s AND ts <= %s
        ORDER BY ts DESC
        LIMIT 2000
        """,
        (device_id, metric, since, until),
    )


def windows(
    database: Database, device_id: str, metric: str, since: datetime, until: datetime
) -> list[Window]:
    """The newest 1,000 windows that start in (since, until], newest first."""
    return database.fetch(
        Window,
        """
        SELECT window_start, window_end, samples, average, minimum, maximum, deviation
        FROM readings_10s
        WHERE device_id = %s AND metric = %s AND window_start > %s AND window_start <= %s
        ORDER BY window_start DESC
        LIMIT 1000
        """,
        (device_id, metric, since, until),
    )
