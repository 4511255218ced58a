-- Valid readings, each event id once (the copy that arrived first), with what the registry and the limits said
-- when it arrived. Append-only. Read by all windows, rules and pages.
-- A reading of an unknown device or metric stays, with NULL for what is not known.
-- late: it reached the broker more than 10 seconds after it was measured.
-- Kept for an hour (docs/pipeline.md, "What is kept").
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
    ON d.device_type = m.device_type AND r.metric = m.metric;
