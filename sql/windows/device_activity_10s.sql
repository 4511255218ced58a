-- How many readings, of whatever metric, a device gave in each 10 seconds of event time. A window without readings
-- has no row. Read by anomalies_silent.
CREATE MATERIALIZED VIEW device_activity_10s AS
SELECT
    device_id,
    window_start,
    window_end,
    count(*) AS samples
FROM TUMBLE(readings, ts, INTERVAL '10 seconds')
GROUP BY device_id, window_start, window_end;
