-- How far the pipeline has got: up to this broker timestamp every partition has been read. A partition whose newest
-- message is more than 30 seconds older than the newest of all has nothing to say, and does not hold the clock.
-- One row. Stands still when nothing comes, and lags when the pipeline does. Read by anomalies_silent.
CREATE MATERIALIZED VIEW event_clock AS
SELECT min(last_kafka_timestamp) AS read_up_to
FROM ingest_lag
WHERE last_kafka_timestamp >= (SELECT max(last_kafka_timestamp) FROM ingest_lag) - INTERVAL '30 seconds';
