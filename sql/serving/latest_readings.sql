-- The newest reading of each device's metric, by event time; of equal times the one further on in its partition.
-- Read by the dashboard and the freshness monitor.
CREATE MATERIALIZED VIEW latest_readings AS
SELECT
    device_id,
    metric,
    value,
    ts,
    kafka_timestamp
FROM (
    SELECT
        device_id,
        metric,
        value,
        ts,
        kafka_timestamp,
        row_number() OVER (PARTITION BY device_id, metric ORDER BY ts DESC, kafka_offset DESC) AS newest_first
    FROM readings
) AS ranked
WHERE newest_first <= 1;
