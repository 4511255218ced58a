-- One device's windows over time. Used by the dashboard's device page.
CREATE INDEX readings_10s_by_device ON readings_10s (device_id, metric, window_start);
