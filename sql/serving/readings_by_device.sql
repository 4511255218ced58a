-- One device's signal over time without a scan of all readings. Used by the dashboard's device page.
CREATE INDEX readings_by_device ON readings (device_id, metric, ts);
