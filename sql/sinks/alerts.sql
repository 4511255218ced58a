-- Every anomaly as an alert on a topic, keyed by anomaly_id: a consumer that keeps the newest message of each key holds what
-- `anomalies` holds, and a message without a value withdraws an alert. Read by whoever has to be told.
CREATE SINK alerts FROM anomalies
WITH (
    connector = 'kafka',
    topic = '${TAILRACE_ALERTS_TOPIC}',
    properties.bootstrap.server = '${TAILRACE_KAFKA_FOR_ENGINE}',
    primary_key = 'anomaly_id'
) FORMAT UPSERT ENCODE JSON KEY ENCODE TEXT;
