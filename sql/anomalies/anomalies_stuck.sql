-- Windows in which a metric did not move at all: at least 5 samples, all equal. Raised while the window is open and
-- withdrawn if a later sample differs. ts and detected_at are the newest sample's. Read through anomalies.
-- Kept for an hour (docs/pipeline.md, "What is kept").
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
WHERE samples >= 5 AND minimum = maximum;
