"""The four anomaly rules and their union."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_materialized_view(
        "anomalies_threshold",
        """
CREATE MATERIALIZED VIEW anomalies_threshold AS
SELECT
    'threshold:' || event_id AS anomaly_id,
    'threshold' AS rule,
    device_id,
    metric,
    ts,
    kafka_timestamp AS detected_at,
    value,
    CASE
        WHEN value < low THEN 'below the low limit of ' || low::varchar
        ELSE 'above the high limit of ' || high::varchar
    END || coalesce(' ' || unit, '') AS detail
FROM readings
WHERE value < low OR value > high
""",
    )
    op.create_materialized_view(
        "anomalies_zscore",
        """
CREATE MATERIALIZED VIEW anomalies_zscore AS
SELECT
    'zscore:' || r.event_id AS anomaly_id,
    'zscore' AS rule,
    r.device_id,
    r.metric,
    r.ts,
    r.kafka_timestamp AS detected_at,
    r.value,
    'usual is ' || (round(b.mean * 100) / 100)::varchar
        || ', deviation ' || (round(b.deviation * 1000) / 1000)::varchar
        || ' over ' || b.samples::varchar || ' samples' AS detail
FROM readings AS r
JOIN baselines FOR SYSTEM_TIME AS OF PROCTIME() AS b
    ON r.device_id = b.device_id AND r.metric = b.metric
WHERE b.samples >= 15
    AND abs(r.value - b.mean) > 8 * b.deviation
    AND abs(r.value - b.mean) > 0.008 * abs(b.mean) + 0.000001
""",
    )
    op.create_materialized_view(
        "anomalies_stuck",
        """
CREATE MATERIALIZED VIEW anomalies_stuck AS
SELECT
    'stuck:' || device_id || ':' || metric || ':' || (extract(epoch FROM window_start)::bigint)::varchar AS anomaly_id,
    'stuck' AS rule,
    device_id,
    metric,
    last_ts AS ts,
    last_ts AS detected_at,
    minimum AS value,
    samples::varchar || ' equal samples in 10 seconds' AS detail
FROM readings_10s
WHERE samples >= 5 AND minimum = maximum
""",
    )
    op.create_materialized_view(
        "anomalies_silent",
        """
CREATE MATERIALIZED VIEW anomalies_silent AS
SELECT
    'silent:' || w.device_id || ':' || (extract(epoch FROM w.window_end)::bigint)::varchar AS anomaly_id,
    'silent' AS rule,
    w.device_id,
    NULL::varchar AS metric,
    w.window_end AS ts,
    w.window_end + INTERVAL '5 seconds' AS detected_at,
    NULL::double precision AS value,
    w.samples::varchar || ' readings in its last 10 seconds, then none' AS detail
FROM device_activity_10s AS w
LEFT JOIN device_activity_10s AS n
    ON w.device_id = n.device_id AND w.window_end = n.window_start
WHERE n.device_id IS NULL AND w.window_end < now() - INTERVAL '5 seconds'
""",
    )
    op.create_materialized_view(
        "anomalies",
        """
CREATE MATERIALIZED VIEW anomalies AS
SELECT anomaly_id, rule, device_id, metric, ts, detected_at, value, detail FROM anomalies_threshold
UNION ALL
SELECT anomaly_id, rule, device_id, metric, ts, detected_at, value, detail FROM anomalies_zscore
UNION ALL
SELECT anomaly_id, rule, device_id, metric, ts, detected_at, value, detail FROM anomalies_stuck
UNION ALL
SELECT anomaly_id, rule, device_id, metric, ts, detected_at, value, detail FROM anomalies_silent
""",
    )


def downgrade() -> None:
    op.drop_materialized_view("anomalies")
    op.drop_materialized_view("anomalies_silent")
    op.drop_materialized_view("anomalies_stuck")
    op.drop_materialized_view("anomalies_zscore")
    op.drop_materialized_view("anomalies_threshold")
