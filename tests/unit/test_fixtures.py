"""The shared fixtures are what they say."""

from __future__ import annotations

import uuid

import psycopg
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support.cluster import Cluster


def test_database_is_empty_and_the_superusers(database: str) -> None:
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        superuser = connection.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert tables == (0,)
    assert superuser == (True,)


def test_broker_returns_what_it_was_given(broker: str) -> None:
    topic = f"fixtures-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(20)
    producer = Producer({"bootstrap.servers": broker})
    producer.produce(topic, b"a reading", partition=0)
    assert producer.flush(20) == 0
    consumer = Consumer({"bootstrap.servers": broker, "group.id": topic, "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(20)
        assert message is not None
        assert message.error() is None
        assert message.value() == b"a reading"
    finally:
        consumer.close()


def test_cluster_answers(cluster: Cluster) -> None:
    with psycopg.connect(cluster.sql_url, autocommit=True) as connection:
        version = connection.execute("SELECT version()").fetchone()
    assert version is not None
    assert "RisingWave" in version[0]
