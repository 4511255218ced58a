"""The columns that the relations of the pipeline promise to their readers, and their keys.

A view is tested alone: what it reads is replaced by tables of these columns. Append-only relations become
append-only tables, since de-duplication and temporal joins ask for that; the others get their key.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Relation:
    """Columns as name and RisingWave type; `key` is empty where rows are only ever added."""

    columns: dict[str, str]
    key: tuple[str, ...] = ()


def _columns(text: str) -> dict[str, str]:
    pairs = (column.strip().split(" ", 1) for column in text.split(","))
    return {name: kind.strip() for name, kind in pairs}


_ANOMALY = Relation(
    _columns(
        "anomaly_id varchar, rule varchar, device_id varchar, metric varchar, ts timestamptz,"
        "detected_at timestamptz, value double precision, detail varchar"
    ),
    key=("anomaly_id",),
)

RELATIONS = {
    "devices": Relation(_columns("device_id varchar, device_type varchar, site varchar"), ("device_id",)),
    "metric_limits": Relation(
        _columns(
            "device_type varchar, metric varchar, low double precision, high double precision, unit varchar"
        ),
        ("device_type", "metric"),
    ),
    "readings_raw": Relation(
        _columns("data bytea, kafka_partition varchar, kafka_offset varchar, kafka_timestamp timestamptz")
    ),
    "messages": Relation(
        _columns(
            "kafka_partition int, kafka_offset bigint, kafka_timestamp timestamptz, event_id varchar,"
            "device_id varchar, metric varchar, value double precision, ts timestamptz,"
            "reject_reason varchar, payload bytea"
        )
    ),
    "rejects": Relation(
        _columns(
            "kafka_partition int, kafka_offset bigint, kafka_timestamp timestamptz,"
            "reject_reason varchar, payload bytea"
        )
    ),
    "duplicates": Relation(_columns("event_id varchar, copies bigint, last_seen timestamptz"), ("event_id",)),
    "readings": Relation(
        _columns(
            "event_id varchar, device_id varchar, metric varchar, value double precision, ts timestamptz,"
            "kafka_partition int, kafka_offset bigint, kafka_timestamp timestamptz, device_type varchar,"
            "site varchar, unit varchar, low double precision, high double precision, late boolean"
        )
    ),
    "readings_10s": Relation(
        _columns(
            "device_id varchar, metric varchar, window_start timestamptz, window_end timestamptz,"
            "samples bigint, total double precision, total_squares double precision,"
            "average double precision, minimum double precision, maximum double precision,"
            "deviation double precision, last_ts timestamptz"
        ),
        ("device_id", "metric", "window_start", "window_end"),
    ),
    "device_activity_10s": Relation(
        _columns("device_id varchar, window_start timestamptz, window_end timestamptz, samples bigint"),
        ("device_id", "window_start", "window_end"),
    ),
    "baselines": Relation(
        _columns(
            "device_id varchar, metric varchar, samples bigint, mean double precision,"
            "deviation double precision"
        ),
        ("device_id", "metric"),
    ),
    "latest_readings": Relation(
        _columns(
            "device_id varchar, metric varchar, value double precision, ts timestamptz,"
            "kafka_timestamp timestamptz"
        ),
        ("device_id", "metric"),
    ),
    "anomalies_threshold": _ANOMALY,
    "anomalies_zscore": _ANOMALY,
    "anomalies_stuck": _ANOMALY,
    "anomalies_silent": _ANOMALY,
    "anomalies": _ANOMALY,
    "ingest_lag": Relation(
        _columns(
            "kafka_partition int, messages bigint, last_offset bigint, last_kafka_timestamp timestamptz,"
            "last_ts timestamptz"
        ),
        ("kafka_partition",),
    ),
    "event_clock": Relation(_columns("read_up_to timestamptz")),
    "reject_counts": Relation(_columns("reject_reason varchar, messages bigint"), ("reject_reason",)),
    "pipeline_counts": Relation(_columns("stage varchar, rows bigint"), ("stage",)),
}
