"""Judge silence by how far the pipeline has got, not by the time of day: event_clock."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.drop_materialized_view("pipeline_counts")
    op.drop_materialized_view("anomalies")
    op.drop_materialized_view("anomalies_silent")
    op.create_materialized_view(
        "event_clock",
        """
CREATE MATERIALIZED VIEW event_clock AS
SELECT min(last_kafka_timestamp) AS read_up_to
FROM ingest_lag
WHERE last_kafka_timestamp >= (SELECT max(last_kafka_timestamp) FROM ingest_lag) - INTERVAL '30 seconds'
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
WHERE n.device_id IS NULL
    AND w.window_end < (SELECT max(read_up_to) FROM event_clock) - INTERVAL '5 seconds'
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
    op.create_materialized_view(
        "pipeline_counts",
        """
CREATE MATERIALIZED VIEW pipeline_counts AS
SELECT 'messages' AS stage, count(*) AS rows FROM messages
UNION ALL
SELECT 'readings' AS stage, count(*) AS rows FROM readings
UNION ALL
SELECT 'rejects' AS stage, count(*) AS rows FROM rejects
UNION ALL
SELECT 'duplicates' AS stage, coalesce(sum(copies - 1), 0)::bigint AS rows FROM duplicates
UNION ALL
SELECT 'late' AS stage, count(*) FILTER (WHERE late) AS rows FROM readings
UNION ALL
SELECT 'anomalies' AS stage, count(*) AS rows FROM anomalies
""",
    )


def downgrade() -> None:
    op.drop_materialized_view("pipeline_counts")
    op.drop_materialized_view("anomalies")
    op.drop_materialized_view("anomalies_silent")
    op.drop_materialized_view("event_clock")
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
    op.create_materialized_view(
        "pipeline_counts",
        """
CREATE MATERIALIZED VIEW pipeline_counts AS
SELECT 'messages' AS stage, count(*) AS rows FROM messages
UNION ALL
SELECT 'readings' AS stage, count(*) AS rows FROM readings
UNION ALL
SELECT 'rejects' AS stage, count(*) AS rows FROM rejects
UNION ALL
SELECT 'duplicates' AS stage, coalesce(sum(copies - 1), 0)::bigint AS rows FROM duplicates
UNION ALL
SELECT 'late' AS stage, count(*) FILTER (WHERE late) AS rows FROM readings
UNION ALL
SELECT 'anomalies' AS stage, count(*) AS rows FROM anomalies
""",
    )
