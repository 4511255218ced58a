-- Readings outside the limits that held when they arrived. Read through anomalies.
-- Kept for an hour (docs/pipeline.md, "What is kept").
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
WHERE value < low OR value > high;
