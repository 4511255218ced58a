-- How many messages were refused for each reason, ever: rejects themselves are kept for a while only.
-- Read by the report and by whoever looks after the devices.
CREATE MATERIALIZED VIEW reject_counts AS
SELECT reject_reason, count(*) AS messages
FROM rejects
GROUP BY reject_reason;
