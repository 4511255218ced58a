-- Devices that stopped: a 10-second window with readings, and none in the next although 5 seconds of it have been read.
-- Judged by how far the pipeline has got (event_clock), not by the time of day: a pipeline that lags, or a fleet that stops
-- as a whole, makes nobody silent. Withdrawn if the missing readings arrive late; kept when the device comes back later.
-- ts is when the silence began at the latest, detected_at the earliest moment it could be seen. Read through anomalies.
-- Kept for an hour (docs/pipeline.md, "What is kept").
CREATE MATERIALIZED VIEW anomalies_silent WITH (retention_seconds = 3600) AS
SELECT
    'silent:' || w.device_id || ':' || (extract(epoch FROM w.window_end)::bigint)::varchar AS anomaly_id,
    'silent' AS rule,
    w.device_id,
    NULL::varchar AS metric,
    w.window_end AS ts,
    w.window_end + INTERVAL '5 seconds' AS detected_at,
    NULL::double precision AS value,
    w.samples::varchar || ' readings in its last 10 seconds, then none' AS detail
FROM device_activity_10s AS w
LEFT JOIN device_activity_10s AS n
    ON w.device_id = n.device_id AND w.window_end = n.window_start
WHERE n.device_id IS NULL
    AND w.window_end < (SELECT max(read_up_to) FROM event_clock) - INTERVAL '5 seconds';
