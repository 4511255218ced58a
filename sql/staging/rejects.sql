-- What was refused, why, and the bytes themselves, so that they can be mended and sent again.
-- Read by the dashboard and by whoever looks after the devices.
CREATE MATERIALIZED VIEW rejects AS
SELECT
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    reject_reason,
    payload
FROM messages
WHERE reject_reason IS NOT NULL;
