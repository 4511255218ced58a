-- All rules' findings in one shape. anomaly_id says rule and occasion and is the same on every engine and every run,
-- so a consumer can de-duplicate by it. Read by the dashboard, the live screen, alerts and verification.
-- Kept for seven days (docs/pipeline.md, "What is kept").
CREATE MATERIALIZED VIEW anomalies WITH (retention_seconds = 604800) AS
SELECT anomaly_id, rule, device_id, metric, ts, detected_at, value, detail FROM anomalies_threshold
UNION ALL
SELECT anomaly_id, rule, device_id, metric, ts, detected_at, value, detail FROM anomalies_zscore
UNION ALL
SELECT anomaly_id, rule, device_id, metric, ts, detected_at, value, detail FROM anomalies_stuck
UNION ALL
SELECT anomaly_id, rule, device_id, metric, ts, detected_at, value, detail FROM anomalies_silent;
