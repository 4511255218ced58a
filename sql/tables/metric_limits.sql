-- What is normal for a metric of a device type, and in which unit. NULL on a side means no limit there.
-- Seeded by `tailrace up`, edited by people (INSERT of an existing pair overwrites). Read by readings.
CREATE TABLE metric_limits (
    device_type varchar,
    metric varchar,
    low double precision,
    high double precision,
    unit varchar,
    PRIMARY KEY (device_type, metric)
);
