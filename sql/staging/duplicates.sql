-- Event ids that came more than once. One copy counts as a reading, the other copies - 1 are surplus.
-- Read by pipeline_counts and the dashboard.
-- Kept for an hour (docs/pipeline.md, "What is kept").
CREATE MATERIALIZED VIEW duplicates WITH (retention_seconds = 3600) AS
SELECT
    event_id,
    count(*) AS copies,
    max(kafka_timestamp) AS last_seen
FROM messages
WHERE reject_reason IS NULL
GROUP BY event_id
HAVING count(*) > 1;
