"""The Kafka connector as the flow uses it: look a topic up, where to start, read for ever, read a range."""

from engine.connectors.bounded import probe_topic, read_range, start_positions
from engine.connectors.reader import KafkaReader, PartitionStatus
from engine.connectors.topic import BrokerUnreachableError, TopicChangedError, TopicMissingError

__all__ = [
    "BrokerUnreachableError",
    "KafkaReader",
    "PartitionStatus",
    "TopicChangedError",
    "TopicMissingError",
    "probe_topic",
    "read_range",
    "start_positions",
]
