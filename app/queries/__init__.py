"""The page's questions, one module a subject, one bounded query a function.

Every query names its columns, is parameterised, and is bounded: by a key, by a time range, or by LIMIT.
`readings` and `readings_10s` are read by their index (device_id, metric, time) only; totals come from the
maintained aggregates `pipeline_counts` and `ingest_lag`, never from counting rows.
"""
