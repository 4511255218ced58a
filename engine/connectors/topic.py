"""The broker's word on one topic: its id, its partitions, their first and last offsets; and how a client is
set up.

Topic ids tell generations of a topic apart (KIP-516); a broker that does not know them reports one constant
id. An offset listed as latest is exact on Kafka and Redpanda, but Tansu answers the base offset of the last
batch + 1: `ends` therefore reads on from there. librdkafka's own log is off: what matters of it reaches us as
errors. Used by the reader and by bounded.py.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from engine.connectors.source import SourceSpec
from tailrace.errors import TailraceError

_TAIL_TIMEOUT_S: Final = 5.0
_MISSING: Final = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}


class BrokerUnreachableError(TailraceError):
    """No broker answers: the caller tries again, later."""

    sqlstate = "08001"


class TopicMissingError(TailraceError):
    """The broker answers and has no such topic: it must be created."""

    sqlstate = "42704"


class TopicChangedError(TailraceError):
    """The topic no longer holds the asked-for offsets: it was re-created or truncated."""

    sqlstate = "55000"


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic at one moment."""

    topic_id: str
    partitions: tuple[int, ...]


class Topic:
    """Asks the broker about the topic of a source. Thread-safe, as the client below it is."""

    def __init__(self, spec: SourceSpec) -> None:
        self._spec = spec
        try:
            self._admin = AdminClient(_common(spec))
        except KafkaException as error:
            raise refused(spec, error) from error

    def describe_later(self, timeout_s: float) -> concurrent.futures.Future[Any]:
        """Ask now, answer later; give the future's outcome to `state_of`."""
        asked = self._admin.describe_topics(TopicCollection([self._spec.topic]), request_timeout=timeout_s)
        future: concurrent.futures.Future[Any] = asked[self._spec.topic]
        return future

    def state_of(self, future: concurrent.futures.Future[Any]) -> TopicState:
        """The answer of a future that is done. Raises TopicMissingError or BrokerUnreachableError."""
        error = future.exception()
        if error is not None:
            raise refused(self._spec, error) from error
        answer = future.result()
        return TopicState(str(answer.topic_id), tuple(sorted(each.id for each in answer.partitions)))

    def describe(self, timeout_s: float, stopping: threading.Event | None = None) -> TopicState:
        """As `describe_later`, waiting; gives up early, as unreachable, when `stopping` is set."""
        future = self.describe_later(timeout_s)
        deadline = time.monotonic() + timeout_s + 1
        while not future.done():
            if time.monotonic() > deadline or (stopping is not None and stopping.is_set()):
                raise unreachable(self._spec)
            concurrent.futures.wait([future], timeout=0.05)
        return self.state_of(future)

    def create(self, timeout_s: float = 5.0) -> None:
        """Make the topic as the broker makes one by default. Raises TailraceError."""
        answer = self._admin.create_topics([NewTopic(self._spec.topic)], request_timeout=timeout_s)
        try:
            answer[self._spec.topic].result(timeout_s + 1)
        except (KafkaException, concurrent.futures.TimeoutError) as error:
            raise refused(self._spec, error) from error

    def starts(self, partitions: Iterable[int], timeout_s: float = 5.0) -> dict[int, int]:
        """By partition, the first offset there is."""
        return self._offsets(partitions, OffsetSpec.earliest(), timeout_s)

    def latest(self, partitions: Iterable[int], timeout_s: float = 5.0) -> dict[int, int]:
        """By partition, the end as the broker lists it: a lower bound of the true one (see above)."""
        return self._offsets(partitions, OffsetSpec.latest(), timeout_s)

    def since(self, partitions: Iterable[int], time_ms: int, timeout_s: float = 5.0) -> dict[int, int]:
        """By partition, the first offset whose message is of this time (ms since 1970) or later; its end where there is none."""
        found = self._offsets(partitions, OffsetSpec.for_timestamp(time_ms), timeout_s)
        later = [number for number, offset in found.items() if offset < 0]
        return {**found, **(self.ends(later) if later else {})}

    def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """By partition, the offset the next message will get, at a moment during this call.

        The last listed batch is read to its end; a partition written to faster than it can be read is cut off
        after 5 s.
        """
        partitions = list(partitions)
        first, listed = self.starts(partitions), self.latest(partitions)
        ends = dict(listed)
        open_ = {each for each in partitions if listed[each] > first[each]}
        consumer = open_consumer(self._spec, {"enable.partition.eof": True})
        try:
            consumer.assign([TopicPartition(self._spec.topic, each, listed[each] - 1) for each in open_])
            deadline = time.monotonic() + _TAIL_TIMEOUT_S
            while open_ and time.monotonic() < deadline:
                message = consumer.poll(0.1)
                if message is None:
                    continue
                partition, error = message.partition(), message.error()
                if error is None:
                    ends[partition] = max(ends[partition], message.offset() + 1)
                elif error.code() == KafkaError._PARTITION_EOF:
                    ends[partition] = max(ends[partition], message.offset())
                    open_.discard(partition)
                else:
                    raise refused(self._spec, KafkaException(error))
        finally:
            consumer.close()
        return ends

    def _offsets(self, partitions: Iterable[int], which: OffsetSpec, timeout_s: float) -> dict[int, int]:
        asked = {TopicPartition(self._spec.topic, each): which for each in partitions}
        if not asked:
            return {}
        answers = self._admin.list_offsets(asked, request_timeout=timeout_s)
        try:
            return {each.partition: answer.result(timeout_s + 1).offset for each, answer in answers.items()}
        except (KafkaException, concurrent.futures.TimeoutError) as error:
            raise refused(self._spec, error) from error


def open_consumer(
    spec: SourceSpec, more: Mapping[str, object], on_error: Callable[[KafkaError], None] | None = None
) -> Consumer:
    """A consumer to `assign`: no group is joined, nothing is committed, a bad offset is an error and not a
    silent jump.
    """
    own: dict[str, object] = {
        "group.id": f"tailrace-{spec.name}",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        # a fetch every 10 ms, or when 64 kB wait: answered at once it would be asked for again at once, and each
        # fetch costs the embedded broker more as its log grows
        "fetch.wait.max.ms": 10,
        "fetch.min.bytes": 64 << 10,
        "fetch.queue.backoff.ms": 20,
        "fetch.error.backoff.ms": 100,
        "fetch.max.bytes": 8 << 20,
        "queued.min.messages": 20_000,
        "queued.max.messages.kbytes": 16 << 10,
        **({"error_cb": on_error} if on_error else {}),
    }
    try:
        return Consumer({**own, **_common(spec), **more})
    except KafkaException as error:
        raise refused(spec, error) from error


def _common(spec: SourceSpec) -> dict[str, object]:
    return {
        "client.id": "tailrace",
        "reconnect.backoff.ms": 500,
        "reconnect.backoff.max.ms": 1000,
        "log_level": 0,
        "bootstrap.servers": spec.bootstrap,
        **spec.properties,
    }


def unreachable(spec: SourceSpec, detail: str | None = None) -> BrokerUnreachableError:
    """The error for a broker that does not answer."""
    return BrokerUnreachableError(
        f"source {spec.name}: no Kafka broker answers at {spec.bootstrap}",
        detail=detail,
        hint="start the broker, or correct properties.bootstrap.server",
    )


def refused(spec: SourceSpec, error: BaseException) -> TailraceError:
    """What a failure of the client means to the user."""
    reason = error.args[0] if isinstance(error, KafkaException) and error.args else None
    if not isinstance(reason, KafkaError):
        return unreachable(spec, str(error) or type(error).__name__)
    if reason.code() in _MISSING:
        return TopicMissingError(
            f"source {spec.name}: topic {spec.topic} does not exist at {spec.bootstrap}",
            hint=f"create it first: tailrace topics create {spec.topic}, or rpk topic create {spec.topic}",
        )
    if reason.code() == KafkaError._INVALID_ARG:
        message = f"source {spec.name}: {reason.str()}"
        return TailraceError(message, sqlstate="22023", hint="correct the properties.* option it names")
    if reason.code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN):
        return unreachable(spec, reason.str())
    return BrokerUnreachableError(
        f"source {spec.name}: the broker at {spec.bootstrap} answers {reason.name()}",
        detail=reason.str(),
        hint="check the topic's access rights and the broker's log",
    )
