"""A Kafka topic as a sink's target: an idempotent producer, and a batch is delivered when the broker has acknowledged it all.

At least once: a batch that failed in part is produced again whole, in order, so that the last message of each key is the right
one. A message beyond the client's limit is set aside. The buffer is bounded by the batch. A broker that cannot be reached is an
error at once, not after librdkafka's time-out: the delivery process waits and tries again with a new producer. Used by the
delivery process; `check_topic` by the DDL.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from engine.connectors.bounded import probe_topic
from engine.connectors.sink import AUTO_CREATE, SinkSpec
from engine.connectors.sink_external import ExternalMessages, external_select, is_external
from engine.connectors.sink_messages import messages, select
from engine.connectors.sink_target import Batch, Change, DeliveryError, DeliveryStopped, Refused
from engine.connectors.source import InvalidOptionError, SourceSpec
from engine.connectors.topic import Topic, TopicMissingError
from engine.operators.base import Column
from tailrace.errors import TailraceError

BATCH_ROWS = 2_000


def check_topic(name: str, spec: SinkSpec) -> None:
    """Raises TailraceError when no broker answers or the topic does not exist: creating the sink would only fail later. With
    `allow.auto.create.topics` a missing topic is made.
    """
    asked = SourceSpec(name, spec.topic, spec.bootstrap, "earliest", "bytes", (), _client(spec))
    try:
        try:
            probe_topic(asked)
        except TopicMissingError:
            if AUTO_CREATE not in spec.properties:
                raise
            Topic(asked).create()
    except TailraceError as error:
        message = error.message.replace("source ", "sink ", 1)
        raise TailraceError(message, sqlstate=error.sqlstate, detail=error.detail, hint=error.hint) from error


def check_client(name: str, spec: SinkSpec) -> None:
    """Raises InvalidOptionError where librdkafka takes no such settings. No broker is asked."""
    if not spec.properties:
        return
    try:
        Producer(_settings(name, spec))
    except KafkaException as error:
        raise InvalidOptionError(f"sink {name}: {error.args[0].str()}") from error


def _settings(name: str, spec: SinkSpec) -> dict[str, Any]:
    """A producer's, but for what it calls."""
    return {
        "client.id": f"tailrace-sink-{name}",
        "bootstrap.servers": spec.bootstrap,
        "log_level": 0,
        "linger.ms": 2,
        "message.timeout.ms": 30_000,
        "reconnect.backoff.max.ms": 1_000,
        **{name: value for name, value in spec.properties.items() if name != AUTO_CREATE},
        "enable.idempotence": True,
    }


class KafkaTarget:
    """One sink's producer."""

    batch_rows = BATCH_ROWS
    linger_s = 0.0

    def __init__(
        self, name: str, spec: SinkSpec, columns: Sequence[Column], table: str, stop: threading.Event
    ) -> None:
        self._external = ExternalMessages(spec, columns) if is_external(spec) else None
        if self._external is None:
            self.select: Sequence[str] = select(spec, columns)
            self._messages = messages(spec, columns, table)
        else:
            self.select = external_select(spec, columns)
            self._messages = self._external.messages
        self._spec, self._stop = spec, stop
        self._waiting, self._at = 0, 0
        self._failure: KafkaError | None = None
        own = {**_settings(name, spec), "error_cb": self._on_error}
        try:
            self._producer = Producer(own)
        except KafkaException as error:
            raise DeliveryError(f"the producer's settings are refused: {error.args[0].str()}") from error

    def deliver(self, batch: Batch) -> None:
        """See `Target`."""
        self._failure = None
        if self._external is not None:
            self._external.refused = batch.reached.refused
        try:
            for key, value in self._messages(self._told(batch)):
                self._produce(key, value, batch.reached.refused)
            while self._waiting:
                self._producer.poll(0.05)
                self._check()
        except (DeliveryError, DeliveryStopped):
            self.close()
            raise
        self._check()

    def close(self) -> None:
        """Give up what has not been acknowledged."""
        self._producer.purge()
        self._producer.poll(0)

    def _told(self, batch: Batch) -> Iterator[Change]:
        """The changes one by one; `_at` is the one whose messages are being produced."""
        for change in batch.changes:
            self._at = change.seq
            yield change

    def _produce(self, key: bytes | None, value: bytes | None, refused: list[Refused]) -> None:
        while True:
            try:
                self._producer.produce(self._spec.topic, value, key, on_delivery=self._on_delivery)
            except BufferError:
                self._producer.poll(0.05)
                self._check()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise self._refused(error.args[0]) from error
                refused.append(
                    Refused(self._at, f"{error.args[0].str()}: properties.message.max.bytes", "54000")
                )
                return
            else:
                self._waiting += 1
                self._producer.poll(0)
                return

    def _on_delivery(self, error: KafkaError | None, _message: object) -> None:
        self._waiting -= 1
        if error is not None and self._failure is None:
            self._failure = error

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN or error.fatal():
            self._failure = error

    def _check(self) -> None:
        if self._failure is not None:
            raise self._refused(self._failure)
        if self._stop.is_set():
            raise DeliveryStopped

    def _refused(self, error: KafkaError) -> DeliveryError:
        what = f"topic {self._spec.topic} at {self._spec.bootstrap}"
        return DeliveryError(f"{what} does not take messages: {error.str()} ({error.name()})")


def _client(spec: SinkSpec) -> dict[str, str]:
    """The properties that an admin client understands too."""
    return {
        k: v for k, v in spec.properties.items() if k.startswith(("ssl.", "sasl.", "security.", "enable.ssl"))
    }
