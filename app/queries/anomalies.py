"""The newest anomalies, of all devices or of one (view `anomalies`).

Assumes the four rules of sql/; a new rule appears here without a change and gets a default colour. Called
by app.feeds (all devices) and app.sections.signal (one device).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.database import Database


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One finding. `ts` is event time; `metric` and `value` are None for a whole device's (silent)."""

    anomaly_id: str
    rule: str
    device_id: str
    metric: str | None
    ts: datetime
    detected_at: datetime
    value: float | None
    detail: str | None
    unit: str | None = None


def newest(database: Database) -> list[Anomaly]:
    """The 50 anomalies detected last, newest first, with the unit of their value."""
    return database.fetch(
        Anomaly,
        """
        SELECT a.anomaly_id, a.rule, a.device_id, a.metric, a.ts, a.detected_at, a.value, a.detail, l.unit
        FROM (
            SELECT anomaly_id, rule, device_id, metric, ts, detected_at, value, detail
            FROM anomalies
            ORDER BY detected_at DESC
            LIMIT 50
        ) AS a
        LEFT JOIN devices AS d ON d.device_id = a.device_id
        LEFT JOIN metric_limits AS l ON l.device_type = d.device_type AND l.metric = a.metric
        ORDER BY a.detected_at DESC, a.anomaly_id
        """,
    )


def of_device(
    database: Database, device_id: str, metric: str, since: datetime, until: datetime
) -> list[Anomaly]:
    """Up to 500 anomalies in (since, until] of one device: of `metric` and of the device as a whole."""
    return database.fetch(
        Anomaly,
        """
        SELECT anomaly_id, rule, device_id, metric, ts, detected_at, value, detail
        FROM anomalies
        WHERE device_id = %s AND (metric = %s OR metric IS NULL) AND ts > %s AND ts <= %s
        ORDER BY ts DESC
        LIMIT 500
        """,
        (device_id, metric, since, until),
    )
