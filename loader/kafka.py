"""Reaching the broker: the producer's settings, and the topics that must be there.

Works with any broker that speaks the Kafka protocol. Called by ``loader.cli``; topics are created only on
request (``--create-topics``), since a typo in a topic's name should be an error, not a new topic.
"""

from __future__ import annotations

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from loader.errors import BrokerAwayError, LoaderError

QUEUE_MESSAGES = 200_000
LINGER_MS = 20
_TOPIC_EXISTS = "TOPIC_ALREADY_EXISTS"
# librdkafka would write every refused connection to stderr; the loader says it once, in its own words.
_QUIET = {"log_level": 2, "log.connection.close": False}


def make_producer(bootstrap: str, patience_s: float) -> Producer:
    """A producer that loses and repeats nothing: idempotent, acks from all, a bounded queue.

    The partitioner is that of the Java clients, so that other tools agree on a device's partition.
    """
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "client.id": "tailrace-loader",
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": LINGER_MS,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": QUEUE_MESSAGES,
            "message.timeout.ms": int(patience_s * 1000) + 5_000,
            **_QUIET,
        }
    )


def check_topics(bootstrap: str, topics: tuple[str, ...], timeout_s: float) -> None:
    """Make sure that the broker answers and has the topics. Raises BrokerAwayError, LoaderError."""
    try:
        present = (
            AdminClient({"bootstrap.servers": bootstrap, **_QUIET}).list_topics(timeout=timeout_s).topics
        )
    except KafkaException as error:
        raise BrokerAwayError(
            f"no broker answers at {bootstrap} (waited {timeout_s:g} s: {error.args[0].str()}). "
            "Start one, or point --bootstrap (or TAILRACE_KAFKA) at one that runs"
        ) from error
    missing = [topic for topic in topics if topic not in present]
    if missing:
        raise LoaderError(
            f"the broker at {bootstrap} has no topic {', '.join(missing)}. "
            "Pass --create-topics to create what is missing, or name others with --topic and --truth-topic"
        )


def create_topics(bootstrap: str, partitions: dict[str, int], timeout_s: float) -> None:
    """Create the topics that do not exist yet, with so many partitions each. Raises BrokerAwayError."""
    admin = AdminClient({"bootstrap.servers": bootstrap, **_QUIET})
    wanted = [NewTopic(topic, count, 1) for topic, count in partitions.items()]
    for topic, future in admin.create_topics(wanted, operation_timeout=timeout_s).items():
        try:
            future.result(timeout=timeout_s)
        except KafkaException as error:
            if error.args[0].name() != _TOPIC_EXISTS:
                raise BrokerAwayError(
                    f"cannot create topic {topic} at {bootstrap}: {error.args[0].str()}"
                ) from error
        except TimeoutError as error:
            raise BrokerAwayError(
                f"cannot create topic {topic}: no broker answers at {bootstrap} (waited {timeout_s:g} s)"
            ) from error
