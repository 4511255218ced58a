"""Judge silence by how far the pipeline has got; keep readings for an hour, findings for a week, and counts for ever."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.drop_materialized_view("pipeline_counts")
    op.drop_materialized_view("anomalies")
    op.drop_materialized_view("anomalies_silent")
    op.drop_materialized_view("ingest_lag")
    op.drop_index("readings_10s_by_device")
    op.drop_index("readings_by_device")
    op.drop_materialized_view("latest_readings")
    op.drop_materialized_view("anomalies_stuck")
    op.drop_materialized_view("anomalies_zscore")
    op.drop_materialized_view("anomalies_threshold")
    op.drop_materialized_view("baselines")
    op.drop_materialized_view("device_activity_10s")
    op.drop_materialized_view("readings_10s")
    op.drop_materialized_view("readings")
    op.drop_materialized_view("duplicates")
    op.drop_materialized_view("rejects")
    op.drop_materialized_view("messages")
    op.create_materialized_view(
        "messages",
        r"""
CREATE MATERIALIZED VIEW messages WITH (retention_seconds = 3600) AS
WITH decoded AS (
    SELECT
        kafka_partition::int AS kafka_partition,
        kafka_offset::bigint AS kafka_offset,
        kafka_timestamp,
        data,
        convert_from(data, 'utf8') AS body,
        CASE WHEN strpos(convert_from(data, 'utf8'), '\u0000') = 0 THEN convert_from(data, 'utf8')::jsonb END AS document
    FROM readings_raw
), fields AS (
    SELECT
        *,
        jsonb_typeof(document) AS document_type,
        CASE WHEN jsonb_typeof(document -> 'event_id') = 'string' THEN document ->> 'event_id' END AS event_id,
        CASE WHEN jsonb_typeof(document -> 'device_id') = 'string' THEN document ->> 'device_id' END AS device_id,
        CASE WHEN jsonb_typeof(document -> 'metric') = 'string' THEN document ->> 'metric' END AS metric,
        document ->> 'value' AS value_text,
        CASE
            WHEN jsonb_typeof(document -> 'value') = 'number' THEN (document ->> 'value')::double precision
        END AS value,
        document ->> 'ts' AS ts_text
    FROM decoded
), timed AS (
    SELECT
        *,
        CASE
            WHEN (
                ts_text LIKE '20__-__-__T__:__:__.%Z'
                OR ts_text LIKE '20__-__-__T__:__:__Z'
                OR ts_text LIKE '20__-__-__T__:__:__%+__:__'
                OR ts_text LIKE '20__-__-__T__:__:__%-__:__'
            )
            AND ts_text NOT LIKE '%T24:%'
            AND ts_text NOT LIKE '%:60%'
                THEN ts_text::timestamptz
        END AS any_ts
    FROM fields
), bounded AS (
    SELECT
        *,
        CASE
            WHEN any_ts >= '2000-01-01 00:00:00+00:00'::timestamptz
                AND any_ts < '2100-01-01 00:00:00+00:00'::timestamptz
                THEN any_ts
        END AS ts
    FROM timed
), judged AS (
    SELECT
        *,
        CASE
            WHEN data IS NULL THEN 'not_json'
            WHEN body IS NULL THEN 'not_utf8'
            WHEN document_type IS NULL THEN 'not_json'
            WHEN document_type <> 'object' THEN 'not_object'
            WHEN coalesce(length(event_id), 0) NOT BETWEEN 1 AND 200
                OR coalesce(length(device_id), 0) NOT BETWEEN 1 AND 200
                OR coalesce(length(metric), 0) NOT BETWEEN 1 AND 200
                OR value_text IS NULL
                OR ts_text IS NULL
                THEN 'missing_field'
            WHEN value IS NULL THEN 'bad_value'
            WHEN ts IS NULL THEN 'bad_timestamp'
        END AS reject_reason
    FROM bounded
)
SELECT
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    event_id,
    device_id,
    metric,
    value,
    ts,
    reject_reason,
    CASE WHEN reject_reason IS NOT NULL THEN data END AS payload
FROM judged
""",
    )
    op.create_materialized_view(
        "rejects",
        """
CREATE MATERIALIZED VIEW rejects WITH (retention_seconds = 86400) AS
SELECT
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    reject_reason,
    payload
FROM messages
WHERE reject_reason IS NOT NULL
""",
    )
    op.create_materialized_view(
        "duplicates",
        """
CREATE MATERIALIZED VIEW duplicates WITH (retention_seconds = 3600) AS
SELECT
    event_id,
    count(*) AS copies,
    max(kafka_timestamp) AS last_seen
FROM messages
WHERE reject_reason IS NULL
GROUP BY event_id
HAVING count(*) > 1
""",
    )
    op.create_materialized_view(
        "readings",
        """
CREATE MATERIALIZED VIEW readings WITH (retention_seconds = 3600) AS
SELECT
    r.event_id,
    r.device_id,
    r.metric,
    r.value,
    r.ts,
    r.kafka_partition,
    r.kafka_offset,
    r.kafka_timestamp,
    d.device_type,
    d.site,
    m.unit,
    m.low,
    m.high,
    r.kafka_timestamp > r.ts + INTERVAL '10 seconds' AS late
FROM (
    SELECT DISTINCT ON (event_id)
        event_id,
        device_id,
        metric,
        value,
        ts,
        kafka_partition,
        kafka_offset,
        kafka_timestamp
    FROM messages
    WHERE reject_reason IS NULL
) AS r
LEFT JOIN devices FOR SYSTEM_TIME AS OF PROCTIME() AS d
    ON r.device_id = d.device_id
LEFT JOIN metric_limits FOR SYSTEM_TIME AS OF PROCTIME() AS m
    ON d.device_type = m.device_type AND r.metric = m.metric
""",
    )
    op.create_materialized_view(
        "readings_10s",
        """
CREATE MATERIALIZED VIEW readings_10s WITH (retention_seconds = 3600) AS
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
CREATE MATERIALIZED VIEW device_activity_10s WITH (retention_seconds = 3600) AS
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
    op.create_materialized_view(
        "anomalies_threshold",
        """
CREATE MATERIALIZED VIEW anomalies_threshold WITH (retention_seconds = 3600) AS
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
CREATE MATERIALIZED VIEW anomalies_zscore WITH (retention_seconds = 3600) AS
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
CREATE MATERIALIZED VIEW anomalies_stuck WITH (retention_seconds = 3600) AS
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
CREATE MATERIALIZED VIEW anomalies_silent WITH (retention_seconds = 3600) AS
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
CREATE MATERIALIZED VIEW anomalies WITH (retention_seconds = 604800) AS
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
    op.create_materialized_view(
        "reject_counts",
        """
CREATE MATERIALIZED VIEW reject_counts AS
SELECT reject_reason, count(*) AS messages
FROM rejects
GROUP BY reject_reason
""",
    )


def downgrade() -> None:
    op.drop_materialized_view("reject_counts")
    op.drop_materialized_view("pipeline_counts")
    op.drop_materialized_view("anomalies")
    op.drop_materialized_view("anomalies_silent")
    op.drop_materialized_view("event_clock")
    op.drop_materialized_view("ingest_lag")
    op.drop_index("readings_10s_by_device")
    op.drop_index("readings_by_device")
    op.drop_materialized_view("latest_readings")
    op.drop_materialized_view("anomalies_stuck")
    op.drop_materialized_view("anomalies_zscore")
    op.drop_materialized_view("anomalies_threshold")
    op.drop_materialized_view("baselines")
    op.drop_materialized_view("device_activity_10s")
    op.drop_materialized_view("readings_10s")
    op.drop_materialized_view("readings")
    op.drop_materialized_view("duplicates")
    op.drop_materialized_view("rejects")
    op.drop_materialized_view("messages")
    op.create_materialized_view(
        "messages",
        r"""
CREATE MATERIALIZED VIEW messages AS
WITH decoded AS (
    SELECT
        kafka_partition::int AS kafka_partition,
        kafka_offset::bigint AS kafka_offset,
        kafka_timestamp,
        data,
        convert_from(data, 'utf8') AS body,
        CASE WHEN strpos(convert_from(data, 'utf8'), '\u0000') = 0 THEN convert_from(data, 'utf8')::jsonb END AS document
    FROM readings_raw
), fields AS (
    SELECT
        *,
        jsonb_typeof(document) AS document_type,
        CASE WHEN jsonb_typeof(document -> 'event_id') = 'string' THEN document ->> 'event_id' END AS event_id,
        CASE WHEN jsonb_typeof(document -> 'device_id') = 'string' THEN document ->> 'device_id' END AS device_id,
        CASE WHEN jsonb_typeof(document -> 'metric') = 'string' THEN document ->> 'metric' END AS metric,
        document ->> 'value' AS value_text,
        CASE
            WHEN jsonb_typeof(document -> 'value') = 'number' THEN (document ->> 'value')::double precision
        END AS value,
        document ->> 'ts' AS ts_text
    FROM decoded
), timed AS (
    SELECT
        *,
        CASE
            WHEN (
                ts_text LIKE '20__-__-__T__:__:__.%Z'
                OR ts_text LIKE '20__-__-__T__:__:__Z'
                OR ts_text LIKE '20__-__-__T__:__:__%+__:__'
                OR ts_text LIKE '20__-__-__T__:__:__%-__:__'
            )
            AND ts_text NOT LIKE '%T24:%'
            AND ts_text NOT LIKE '%:60%'
                THEN ts_text::timestamptz
        END AS any_ts
    FROM fields
), bounded AS (
    SELECT
        *,
        CASE
            WHEN any_ts >= '2000-01-01 00:00:00+00:00'::timestamptz
                AND any_ts < '2100-01-01 00:00:00+00:00'::timestamptz
                THEN any_ts
        END AS ts
    FROM timed
), judged AS (
    SELECT
        *,
        CASE
            WHEN data IS NULL THEN 'not_json'
            WHEN body IS NULL THEN 'not_utf8'
            WHEN document_type IS NULL THEN 'not_json'
            WHEN document_type <> 'object' THEN 'not_object'
            WHEN coalesce(length(event_id), 0) NOT BETWEEN 1 AND 200
                OR coalesce(length(device_id), 0) NOT BETWEEN 1 AND 200
                OR coalesce(length(metric), 0) NOT BETWEEN 1 AND 200
                OR value_text IS NULL
                OR ts_text IS NULL
                THEN 'missing_field'
            WHEN value IS NULL THEN 'bad_value'
            WHEN ts IS NULL THEN 'bad_timestamp'
        END AS reject_reason
    FROM bounded
)
SELECT
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    event_id,
    device_id,
    metric,
    value,
    ts,
    reject_reason,
    CASE WHEN reject_reason IS NOT NULL THEN data END AS payload
FROM judged
""",
    )
    op.create_materialized_view(
        "rejects",
        """
CREATE MATERIALIZED VIEW rejects AS
SELECT
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    reject_reason,
    payload
FROM messages
WHERE reject_reason IS NOT NULL
""",
    )
    op.create_materialized_view(
        "duplicates",
        """
CREATE MATERIALIZED VIEW duplicates AS
SELECT
    event_id,
    count(*) AS copies,
    max(kafka_timestamp) AS last_seen
FROM messages
WHERE reject_reason IS NULL
GROUP BY event_id
HAVING count(*) > 1
""",
    )
    op.create_materialized_view(
        "readings",
        """
CREATE MATERIALIZED VIEW readings AS
SELECT
    r.event_id,
    r.device_id,
    r.metric,
    r.value,
    r.ts,
    r.kafka_partition,
    r.kafka_offset,
    r.kafka_timestamp,
    d.device_type,
    d.site,
    m.unit,
    m.low,
    m.high,
    r.kafka_timestamp > r.ts + INTERVAL '10 seconds' AS late
FROM (
    SELECT DISTINCT ON (event_id)
        event_id,
        device_id,
        metric,
        value,
        ts,
        kafka_partition,
        kafka_offset,
        kafka_timestamp
    FROM messages
    WHERE reject_reason IS NULL
) AS r
LEFT JOIN devices FOR SYSTEM_TIME AS OF PROCTIME() AS d
    ON r.device_id = d.device_id
LEFT JOIN metric_limits FOR SYSTEM_TIME AS OF PROCTIME() AS m
    ON d.device_type = m.device_type AND r.metric = m.metric
""",
    )
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
