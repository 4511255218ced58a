-- What is usual for each device's metric: mean and standard deviation over its closed windows, those that ended
-- more than 5 seconds ago. Read by anomalies_zscore, as of the moment a reading arrives.
-- deviation is NULL while there is a single sample.
-- lint: ignore float_sum a device's metric has a few hundred windows at most, and the sums are compared with a tolerance
CREATE MATERIALIZED VIEW baselines AS
SELECT
    device_id,
    metric,
    samples,
    total / samples AS mean,
    sqrt(greatest(total_squares - total * total / samples, 0::double precision) / nullif(samples - 1, 0)) AS deviation
FROM (
    SELECT
        device_id,
        metric,
        sum(samples)::bigint AS samples,
        sum(total) AS total,
        sum(total_squares) AS total_squares
    FROM readings_10s
    WHERE window_end < now() - INTERVAL '5 seconds'
    GROUP BY device_id, metric
) AS closed;
