-- How many rows each stage holds. Every message is a reading, a reject or a surplus copy:
-- messages = readings + rejects + duplicates; late is a part of readings.
-- Read by the live screen, the report and whoever wants to know that nothing is lost.
CREATE MATERIALIZED VIEW pipeline_counts AS
SELECT 'messages' AS stage, count(*) AS rows FROM messages
UNION ALL
SELECT 'readings' AS stage, count(*) AS rows FROM readings
UNION ALL
SELECT 'rejects' AS stage, count(*) AS rows FROM rejects
UNION ALL
SELECT 'duplicates' AS stage, coalesce(sum(copies - 1), 0)::bigint AS rows FROM duplicates
UNION ALL
SELECT 'late' AS stage, count(*) FILTER (WHERE late) AS rows FROM readings
UNION ALL
SELECT 'anomalies' AS stage, count(*) AS rows FROM anomalies;
