"""Which devices there are, and what one of them measures (`devices`, `metric_limits`, `latest_readings`).

Called by app.feeds, which remembers the answers for a while: a registry changes slowly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.database import Database

MAX_DEVICES = 5_000


@dataclass(frozen=True, slots=True)
class Device:
    """A row of the registry."""

    device_id: str
    device_type: str | None
    site: str | None


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that a device has reported: its newest value, and the limits of the type (None: no limit)."""

    metric: str
    value: float | None
    ts: datetime
    unit: str | None
    low: float | None
    high: float | None


def registry(database: Database) -> list[Device]:
    """The first 5,000 devices by id; a device beyond them is found by typing its whole id."""
    return database.fetch(
        Device,
        "SELECT device_id, device_type, site FROM devices ORDER BY device_id LIMIT 5000",
    )


def metrics(database: Database, device_id: str) -> list[Metric]:
    """What this device has reported so far, by name; empty when it has never reported."""
    return database.fetch(
        Metric,
        """
        SELECT r.metric, r.value, r.ts, l.unit, l.low, l.high
        FROM latest_readings AS r
        LEFT JOIN devices AS d ON d.device_id = r.device_id
        LEFT JOIN metric_limits AS l ON l.device_type = d.device_type AND l.metric = r.metric
        WHERE r.device_id = %s
        ORDER BY r.metric
        LIMIT 100
        """,
        (device_id,),
    )
