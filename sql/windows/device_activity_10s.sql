-- How many readings, of whatever metric, a device gave in each 10 seconds of event time. A window without readings
-- has no row. Read by anomalies_silent.
-- Kept for an hour (docs/pipeline.md, "What is kept").
CREATE MATERIALIZED VIEW device_activity_10s WITH (retention_seconds = 3600) AS
SELECT
    device_id,
    window_start,
    window_end,
    count(*) AS samples
FROM TUMBLE(readings, ts, INTERVAL '10 seconds')
GROUP BY device_id, window_start, window_end;
