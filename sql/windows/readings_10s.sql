-- Each device's metric in windows of 10 seconds of event time. Late readings still count: their window is revised.
-- total and total_squares let longer periods be combined from these windows. Read by baselines, stuck, the dashboard.
-- Kept for an hour (docs/pipeline.md, "What is kept").
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
GROUP BY device_id, metric, window_start, window_end;
