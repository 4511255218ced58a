-- What was refused, why, and the bytes themselves, so that they can be mended and sent again.
-- Read by the dashboard and by whoever looks after the devices.
-- Kept for a day (docs/pipeline.md, "What is kept"); counted for ever in reject_counts.
CREATE MATERIALIZED VIEW rejects WITH (retention_seconds = 86400) AS
SELECT
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    reject_reason,
    payload
FROM messages
WHERE reject_reason IS NOT NULL;
