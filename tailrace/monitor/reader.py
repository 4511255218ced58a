"""Measure freshness from outside: tail the topic, poll a view, pair the two.

Job: an independent witness of produced-to-visible time. It has its own Kafka consumer and its own SQL
session, and runs in a process of its own (`python -m tailrace.monitor`), so that it neither slows the
loader, the engine or the screen, nor is slowed by them. Assumes that all views show the same barrier, so
that one small view (`ingest_lag`: per partition the newest Kafka timestamp) tells for all; and that Kafka
timestamps and this clock are of one machine or synchronised. Caller: the launcher, through
`tailrace.monitor.__main__`.

Every seventh message is a sample: unbiased over messages, and cheap in a burst. The SQL side is polled
every 15 ms, which is what limits the precision. The topic is read at leisure (`fetch.wait.max.ms` 250): the
estimator remembers the polls, so a message that is read late is judged by the poll that first showed it;
and each fetch costs the embedded broker time in proportion to all batches it holds (a second consumer at 10
ms doubled its load and slowed the engine it was to measure).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import psycopg
from confluent_kafka import TopicPartition

from tailrace.monitor.estimator import Estimator
from tailrace.verify.recount import open_consumer, partitions_of

EVERY: Final = 7
POLL_S: Final = 0.015
BATCH: Final = 10_000
QUERY: Final = "SELECT kafka_partition, last_kafka_timestamp FROM ingest_lag"


class Tail:
    """The topic from its present end on."""

    def __init__(self, bootstrap: str, topic: str, *, since_ms: float) -> None:
        self._consumer = open_consumer(
            bootstrap,
            "tailrace-freshness",
            # what comes late is paired with the poll that showed it all the same, so the broker is asked seldom
            **{"auto.offset.reset": "latest", "fetch.wait.max.ms": 250, "fetch.min.bytes": 1 << 20},
        )
        self._since_ms = since_ms
        self._phase = 0
        ends = [
            TopicPartition(topic, number, self._high_watermark(topic, number))
            for number in partitions_of(self._consumer, topic)
        ]
        self._consumer.assign(ends)

    def _high_watermark(self, topic: str, number: int) -> int:
        """Where the broker says the end is; too low on the embedded broker, hence `since_ms` drops what is
        older.
        """
        return int(self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10.0)[1])

    def sample(self, estimator: Estimator) -> int:
        """Hand what has come, sampled, to the estimator; give the number of messages that came."""
        batch = [message for message in self._consumer.consume(BATCH, timeout=0.0) if message.error() is None]
        for message in batch[self._phase :: EVERY]:
            created_ms = message.timestamp()[1]
            if created_ms >= self._since_ms:
                estimator.message(message.partition(), created_ms)
        self._phase = (self._phase - len(batch)) % EVERY
        return len(batch)

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()


class View:
    """The polled view; connects again when its session breaks."""

    def __init__(self, sql_url: str) -> None:
        self._sql_url = sql_url
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._retry_at = 0.0

    def poll(self, estimator: Estimator) -> None:
        """Ask once; without an answer nothing is observed, so that messages go on waiting."""
        if self._connection is None and time.monotonic() < self._retry_at:
            return
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._sql_url, autocommit=True, prepare_threshold=None, connect_timeout=5
                )
            rows: Iterable[tuple[Any, ...]] = self._connection.execute(QUERY).fetchall()
        except psycopg.Error:
            self.close()
            self._retry_at = time.monotonic() + 0.1
            return
        answered_ms = time.time() * 1000
        estimator.poll(answered_ms, {part: newest.timestamp() * 1000 for part, newest in rows if newest})

    def close(self) -> None:
        """End the session, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def measure(
    tail: Tail,
    view: View,
    estimator: Estimator,
    *,
    stopped: Callable[[], bool],
    report: Callable[[Estimator], None],
    report_every_s: float = 0.5,
) -> None:
    """Poll every 15 ms until `stopped`; call `report` twice a second."""
    report_at = 0.0
    while not stopped():
        started = time.monotonic()
        tail.sample(estimator)
        view.poll(estimator)
        if started >= report_at:
            report(estimator)
            report_at = started + report_every_s
        time.sleep(max(0.0, POLL_S - (time.monotonic() - started)))
