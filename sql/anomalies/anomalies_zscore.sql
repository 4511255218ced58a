-- Readings far from what the same device's metric showed before: more than 8 standard deviations from the mean of its
-- closed windows, of which there must be 15 samples. So that a nearly constant metric does not alarm at noise,
-- the distance must also exceed 0.8% of the mean. Judged once, on arrival. Read through anomalies.
-- Kept for an hour (docs/pipeline.md, "What is kept").
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
    AND abs(r.value - b.mean) > 0.008 * abs(b.mean) + 0.000001;
