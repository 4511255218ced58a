"""Reads with an end: looking a topic up, where a new source starts, and catching a late view up to where
others are.

Called by the flow (CREATE SOURCE, backfill), in its own thread: these calls wait, with limits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from engine.connectors.decode import Decoded, Decoder
from engine.connectors.pending import Pending
from engine.connectors.source import Batch, Position, SourceSpec
from engine.connectors.topic import Topic, TopicChangedError, open_consumer, refused, unreachable

_log = logging.getLogger(__name__)
_LOOK_UP_TIMEOUT_S: Final = 5.0
_STALL_TIMEOUT_S: Final = 10.0
_READ_MESSAGES: Final = 2_000


def probe_topic(spec: SourceSpec) -> tuple[str, list[int]]:
    """The topic's id and partitions. Raises TopicMissingError or BrokerUnreachableError, each saying what to
    do.
    """
    state = Topic(spec).describe(_LOOK_UP_TIMEOUT_S)
    return state.topic_id, list(state.partitions)


def start_positions(spec: SourceSpec) -> dict[int, Position]:
    """Where a new source starts, by its `startup`: the first offsets there are, the ends as they are now, or the first
    messages from a time on (the ends where there are none yet).

    'latest' is resolved here, once, so that every view of the source sees the same messages (as RisingWave
    does).
    """
    topic = Topic(spec)
    state = topic.describe(_LOOK_UP_TIMEOUT_S)
    if spec.startup.isdecimal():
        offsets = topic.since(state.partitions, int(spec.startup))
    else:
        offsets = topic.ends(state.partitions) if spec.startup == "latest" else topic.starts(state.partitions)
    return {each: Position(state.topic_id, each, offsets[each]) for each in state.partitions}


def read_range(
    spec: SourceSpec, start: Mapping[int, Position], end: Mapping[int, Position], chunk_rows: int
) -> Iterator[Batch]:
    """Rows from `start` (inclusive; a partition not in it: from its first offset) to `end` (exclusive), in
    batches. What the topic's retention has taken meanwhile is left out, and told in the log.

    The last batch's positions reach `end` exactly. Raises TopicChangedError when the topic is not the one of
    `end`, or does not reach it; BrokerUnreachableError when reading stalls (10 s): the caller goes on from
    the last batch's positions.
    """
    ids = {position.topic_id for position in (*start.values(), *end.values())}
    if not end:
        return
    if len(ids) != 1:
        raise _changed(spec, f"positions of {len(ids)} generations of the topic: {', '.join(sorted(ids))}")
    (topic_id,) = ids
    topic = Topic(spec)
    _verify(spec, topic, topic_id)
    first = topic.starts(end)
    offsets = {each: max(start[each].offset, first[each]) if each in start else first[each] for each in end}
    expired = sum(offsets[each] - start[each].offset for each in start if each in end)
    if expired:
        _log.warning("source %s: %d messages have expired and cannot be read again", spec.name, expired)
    open_ = {each: end[each].offset for each in end if offsets[each] < end[each].offset}
    decoder, pending = Decoder(spec), Pending()
    for messages in _messages(spec, {each: offsets[each] for each in open_}, open_):
        pending.append(topic_id, decoder.decode(messages))
        if pending.rows >= chunk_rows:
            _verify(spec, topic, topic_id)
        while pending.rows >= chunk_rows:
            batch = pending.take(chunk_rows)
            assert batch is not None  # noqa: S101  # rows are there
            yield batch
    _verify(spec, topic, topic_id)
    pending.append(topic_id, Decoded([], [], [], {each: end[each].offset for each in end}, 0))
    last = pending.take(chunk_rows + 1)
    if last is not None:
        yield last


def _messages(
    spec: SourceSpec, offsets: Mapping[int, int], ends: Mapping[int, int]
) -> Iterator[list[Message]]:
    """Messages below `ends`, as they come, until every partition got there."""
    lost = threading.Event()

    def on_error(error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            lost.set()

    next_offset, open_ = dict(offsets), set(offsets)
    consumer = open_consumer(spec, {"enable.partition.eof": True}, on_error)
    try:
        consumer.assign([TopicPartition(spec.topic, each, offset) for each, offset in offsets.items()])
        moved_at = time.monotonic()
        while open_:
            first = consumer.poll(0.1)
            wanted: list[Message] = []
            for message in [first, *consumer.consume(_READ_MESSAGES, 0)] if first is not None else []:
                partition, reached = message.partition(), message.offset()
                if message.error() is None:
                    if reached < ends[partition]:
                        wanted.append(message)
                        reached += 1
                elif message.error().code() != KafkaError._PARTITION_EOF:
                    raise refused(spec, KafkaException(message.error()))
                elif reached < ends[partition]:
                    raise _changed(spec, f"partition {partition} ends at {reached}, not at {ends[partition]}")
                next_offset[partition] = max(next_offset[partition], reached)
                if next_offset[partition] >= ends[partition] and partition in open_:
                    open_.discard(partition)
                    consumer.pause([TopicPartition(spec.topic, partition)])
            if wanted:
                moved_at = time.monotonic()
                yield wanted
            elif lost.is_set() or time.monotonic() - moved_at > _STALL_TIMEOUT_S:
                _explain_stall(spec, consumer, {each: next_offset[each] for each in open_})
    finally:
        consumer.close()


def _explain_stall(spec: SourceSpec, consumer: Consumer, next_offset: Mapping[int, int]) -> None:
    for partition, offset in next_offset.items():
        high = consumer.get_watermark_offsets(TopicPartition(spec.topic, partition), cached=True)[1]
        if 0 <= high < offset:
            raise _changed(spec, f"partition {partition} ends at {high}, before {offset}")
    raise unreachable(spec, f"partitions {sorted(next_offset)} stopped before their end")


def _verify(spec: SourceSpec, topic: Topic, topic_id: str) -> None:
    state = topic.describe(_LOOK_UP_TIMEOUT_S)
    if state.topic_id != topic_id:
        raise _changed(spec, f"its id is {state.topic_id}, not {topic_id}")


def _changed(spec: SourceSpec, detail: str) -> TopicChangedError:
    return TopicChangedError(
        f"source {spec.name}: topic {spec.topic} does not hold the messages asked for",
        detail=detail,
        hint="the topic was re-created or truncated: what it held before cannot be read again",
    )
