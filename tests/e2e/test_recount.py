"""Recounting a topic that somebody goes on producing to."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from tailrace.topics import Topic, create_topics
from tailrace.verify.recount import real_ends, recount


@pytest.fixture
def busy_topic(broker: str) -> Iterator[str]:
    """A topic of two partitions that never falls quiet."""
    name = f"busy-{uuid.uuid4().hex[:8]}"
    create_topics(broker, [Topic(name, 2)])
    producer = Producer({"bootstrap.servers": broker, "linger.ms": 0})
    stop, begun = threading.Event(), threading.Event()

    def produce() -> None:
        number = 0
        while not stop.is_set():
            producer.produce(name, b"%d" % number, partition=number % 2, on_delivery=lambda *_: begun.set())
            producer.poll(0)
            number += 1
            stop.wait(0.002)

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        assert begun.wait(20)
        yield name
    finally:
        stop.set()
        thread.join()
        producer.flush(20)


def test_a_topic_that_never_falls_quiet_is_read_to_where_it_ended(broker: str, busy_topic: str) -> None:
    ends = real_ends(broker, busy_topic)
    assert sum(ends.values()) > 0
    counted = recount(broker, busy_topic, until=ends)
    assert counted.messages == sum(ends.values())
    assert recount(broker, busy_topic, start=ends, until=ends).messages == 0
