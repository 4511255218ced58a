"""Windows of 10 seconds and baselines."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_materialized_view(
        "readings_10s",
        """
CREATE MATERIALIZED VIEW readings_10s AS
SELECT
    device_id,
    metric,
    window_start,
    window_end,
    count(*) AS samples,
    sum(value) AS total,
    sum(value * value) AS total_squares,
    avg(value) AS average,
    min(value) AS minimum,
    max(value) AS maximum,
    stddev_samp(value) AS deviation,
    max(ts) AS last_ts
FROM TUMBLE(readings, ts, INTERVAL '10 seconds')
GROUP BY device_id, metric, window_start, window_end
""",
    )
    op.create_materialized_view(
        "device_activity_10s",
        """
CREATE MATERIALIZED VIEW device_activity_10s AS
SELECT
    device_id,
    window_start,
    window_end,
    count(*) AS samples
FROM TUMBLE(readings, ts, INTERVAL '10 seconds')
GROUP BY device_id, window_start, window_end
""",
    )
    op.create_materialized_view(
        "baselines",
        """
CREATE MATERIALIZED VIEW baselines AS
SELECT
    device_id,
    metric,
    samples,
    total / samples AS mean,
    sqrt(greatest(total_squares - total * total / samples, 0::double precision) / nullif(samples - 1, 0)) AS deviation
FROM (
    SELECT
        device_id,
        metric,
        sum(samples)::bigint AS samples,
        sum(total) AS total,
        sum(total_squares) AS total_squares
    FROM readings_10s
    WHERE window_end < now() - INTERVAL '5 seconds'
    GROUP BY device_id, metric
) AS closed
""",
    )


def downgrade() -> None:
    op.drop_materialized_view("baselines")
    op.drop_materialized_view("device_activity_10s")
    op.drop_materialized_view("readings_10s")
