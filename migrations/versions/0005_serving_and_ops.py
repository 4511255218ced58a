"""Latest readings, indexes for the dashboard, lag and counts."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_materialized_view(
        "latest_readings",
        """
CREATE MATERIALIZED VIEW latest_readings AS
SELECT
    device_id,
    metric,
    value,
    ts,
    kafka_timestamp
FROM (
    SELECT
        device_id,
        metric,
        value,
        ts,
        kafka_timestamp,
        row_number() OVER (PARTITION BY device_id, metric ORDER BY ts DESC, kafka_offset DESC) AS newest_first
    FROM readings
) AS ranked
WHERE newest_first <= 1
""",
    )
    op.create_index(
        "readings_by_device",
        """
CREATE INDEX readings_by_device ON readings (device_id, metric, ts)
""",
    )
    op.create_index(
        "readings_10s_by_device",
        """
CREATE INDEX readings_10s_by_device ON readings_10s (device_id, metric, window_start)
""",
    )
    op.create_materialized_view(
        "ingest_lag",
        """
CREATE MATERIALIZED VIEW ingest_lag AS
SELECT
    kafka_partition,
    count(*) AS messages,
    max(kafka_offset) AS last_offset,
    max(kafka_timestamp) AS last_kafka_timestamp,
    max(ts) FILTER (WHERE reject_reason IS NULL) AS last_ts
FROM messages
GROUP BY kafka_partition
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
    op.drop_materialized_view("ingest_lag")
    op.drop_index("readings_10s_by_device")
    op.drop_index("readings_by_device")
    op.drop_materialized_view("latest_readings")
