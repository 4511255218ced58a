"""A durable node that speaks Kafka's protocol: topics on disk, consumer groups, idempotent and transactional producers."""
