-- How far each partition has been read, and how old its newest message and newest measurement are.
-- Read by the dashboard, the live screen and the freshness monitor: compare with the topic's end and the clock.
CREATE MATERIALIZED VIEW ingest_lag AS
SELECT
    kafka_partition,
    count(*) AS messages,
    max(kafka_offset) AS last_offset,
    max(kafka_timestamp) AS last_kafka_timestamp,
    max(ts) FILTER (WHERE reject_reason IS NULL) AS last_ts
FROM messages
GROUP BY kafka_partition;
