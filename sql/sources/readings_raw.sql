-- The topic as it is: bytes, untouched, so that no message is lost to a parser. Read by messages only.
-- ${...} is filled in when deployed (docs/migrations.md): an engine in a container reaches the broker by
-- another name than the host does.
-- lint: ignore source_without_watermark every message has to be accounted for, and a watermark drops late ones
CREATE SOURCE readings_raw (
    data bytea
)
INCLUDE partition AS kafka_partition
INCLUDE offset AS kafka_offset
INCLUDE timestamp AS kafka_timestamp
WITH (
    connector = 'kafka',
    topic = '${TAILRACE_READINGS_TOPIC}',
    properties.bootstrap.server = '${TAILRACE_KAFKA_FOR_ENGINE}',
    scan.startup.mode = 'earliest'
) FORMAT PLAIN ENCODE BYTES;
