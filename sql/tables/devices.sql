-- The registry: which devices there are, of which type, and where they stand.
-- Seeded by `tailrace up`, edited by people (INSERT of an existing device_id overwrites). Read by readings.
-- A change counts for readings that arrive after it; rows already enriched keep what they had.
CREATE TABLE devices (
    device_id varchar PRIMARY KEY,
    device_type varchar,
    site varchar
);
