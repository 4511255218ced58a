-- Every message of the topic, parsed once: one row a message, with its fields or the reason why it was refused.
-- Append-only. Read by everything that follows, so that nothing parses twice.
--
-- The shape of ts is checked before its cast, since engines differ in what else they take for a time.
-- A cast that fails in a streaming expression yields NULL, so the reason is told by the first step that is NULL:
--   not_utf8       bytes that are not UTF-8 text
--   not_json       no payload at all, an empty one, no JSON, or text with \u0000 (PostgreSQL cannot hold it)
--   not_object     JSON, but a list or a bare value
--   missing_field  a field is absent or null; or an identifier is not text of 1 to 200 characters
--   bad_value      value is not a JSON number, or is one that a double cannot hold
--   bad_timestamp  ts is not an ISO 8601 time with offset (or Z), or lies outside [2000, 2100)
-- Kept for an hour (docs/pipeline.md, "What is kept").
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
FROM judged;
