"""Staging: messages, rejects, duplicates, readings."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
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


def downgrade() -> None:
    op.drop_materialized_view("readings")
    op.drop_materialized_view("duplicates")
    op.drop_materialized_view("rejects")
    op.drop_materialized_view("messages")
