"""One connection on which any request of Kafka's protocol can be sent in any version.

The codec is kafka-python's, which is made from the protocol's own schemas: requests are its classes, built
with `version=`. Here are the connection, the frames, and short forms for the requests that tests send most.
"""

from __future__ import annotations

import socket
import struct
import time
import uuid
from collections import deque
from typing import Any

from kafka.protocol.api_message import ApiMessage
from kafka.protocol.consumer import FetchRequest, ListOffsetsRequest
from kafka.protocol.metadata import ApiVersionsRequest, MetadataRequest
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.producer import InitProducerIdRequest, ProduceRequest
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords

from tests.support.processes import wait_until

NONE = 0
OFFSET_OUT_OF_RANGE = 1
CORRUPT_MESSAGE = 2
UNKNOWN_TOPIC_OR_PARTITION = 3
MESSAGE_TOO_LARGE = 10
OUT_OF_ORDER_SEQUENCE_NUMBER = 45
DUPLICATE_SEQUENCE_NUMBER = 46
INVALID_PRODUCER_EPOCH = 47
EARLIEST = -2
LATEST = -1

# Versions that name topics (newer ones go by id) and that every supported client still speaks.
PRODUCE_VERSION = 9
FETCH_VERSION = 11
_NOT_YET = {14, 15}  # COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE
_TIMEOUT_S = 30


class Wire:
    """A connection to the broker. Used as a context manager."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), _TIMEOUT_S)
        self._protocol = KafkaProtocol(client_id="wire")
        self._received: deque[Any] = deque()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, request: ApiMessage) -> None:
        self._socket.sendall(self.encoded(request))

    def encoded(self, request: ApiMessage) -> bytes:
        """The request's frame, to be sent by `send_bytes`; its response is then the next to be received."""
        self._protocol.send_request(request)
        return bytes(self._protocol.send_bytes())

    def send_raw(self, frame: bytes) -> None:
        """Send bytes as they are, after their length."""
        self.send_bytes(struct.pack(">i", len(frame)) + frame)

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive_raw(self, most: int) -> bytes:
        """Some bytes of what comes; none when the broker has closed the connection."""
        try:
            return self._socket.recv(most)
        except ConnectionResetError:
            return b""

    def receive(self) -> Any:
        """The next response; ConnectionError when the broker has closed the connection."""
        while not self._received:
            data = self._socket.recv(1 << 20)
            if not data:
                raise ConnectionError("the broker closed the connection")
            self._received.extend(response for _, response in self._protocol.receive_bytes(data))
        return self._received.popleft()

    def call(self, request: ApiMessage) -> Any:
        self.send(request)
        return self.receive()

    def call_coordinator(self, request: ApiMessage) -> Any:
        """As `call`, again while the answer is to come again: Apache Kafka that has just started says so."""

        def answer() -> Any:
            response = self.call(request)
            part = response.coordinators[0] if getattr(response, "coordinators", None) else response
            return None if part.error_code in _NOT_YET else response

        return wait_until(answer, 20, "a coordinator")

    def versions(self) -> dict[int, range]:
        """The versions that the broker says it knows, by API key."""
        response = self.call(ApiVersionsRequest(version=0))
        assert response.error_code == NONE
        return {api.api_key: range(api.min_version, api.max_version + 1) for api in response.api_keys}

    def topic_id(self, name: str) -> uuid.UUID | None:
        """The id of a topic; None when there is no such topic."""
        asked = [MetadataRequest.MetadataRequestTopic(version=10, name=name)]
        found = self.call(MetadataRequest(version=10, topics=asked, allow_auto_topic_creation=False)).topics[
            0
        ]
        return found.topic_id if found.error_code == NONE else None

    def produce(self, topic: str, batch: bytes, *, partition: int = 0, version: int = PRODUCE_VERSION) -> Any:
        """Produce one batch with acks=all; the partition's part of the response."""
        response = self.call(produce_request(topic, batch, partition=partition, version=version))
        return response.responses[0].partition_responses[0]

    def fetch(self, topic: str, offset: int, **options: Any) -> Any:
        """Fetch from one partition; the partition's part of the response. Options as of `fetch_request`."""
        response = self.call(fetch_request(topic, offset, **options))
        assert response.error_code == NONE
        return response.responses[0].partitions[0]

    def list_offset(self, topic: str, timestamp_ms: int, *, partition: int = 0, version: int = 5) -> Any:
        request = ListOffsetsRequest(
            version=version,
            replica_id=-1,
            isolation_level=0,
            topics=[
                ListOffsetsRequest.ListOffsetsTopic(
                    version=version,
                    name=topic,
                    partitions=[
                        ListOffsetsRequest.ListOffsetsTopic.ListOffsetsPartition(
                            version=version, partition_index=partition, timestamp=timestamp_ms
                        )
                    ],
                )
            ],
        )
        return self.call(request).topics[0].partitions[0]

    def new_producer(self, version: int = 1) -> tuple[int, int]:
        """Id and epoch of a new idempotent producer."""
        request = InitProducerIdRequest(
            version=version,
            transactional_id=None,
            transaction_timeout_ms=60_000,
            producer_id=-1,
            producer_epoch=-1,
        )
        response = self.call_coordinator(request)
        assert response.error_code == NONE, version
        return response.producer_id, response.producer_epoch


def produce_request(
    topic: str, batch: bytes, *, partition: int = 0, version: int = PRODUCE_VERSION, acks: int = -1
) -> ProduceRequest:
    data = ProduceRequest.TopicProduceData
    partitions = [data.PartitionProduceData(version=version, index=partition, records=batch)]
    return ProduceRequest(
        version=version,
        transactional_id=None,
        acks=acks,
        timeout_ms=10_000,
        topic_data=[data(version=version, name=topic, partition_data=partitions)],
    )


def fetch_request(
    topic: str,
    offset: int,
    *,
    partition: int = 0,
    max_wait_ms: int = 0,
    min_bytes: int = 1,
    max_bytes: int = 1 << 24,
    partition_max_bytes: int = 1 << 24,
    version: int = FETCH_VERSION,
) -> FetchRequest:
    part = FetchRequest.FetchTopic.FetchPartition(
        version=version,
        partition=partition,
        current_leader_epoch=-1,
        fetch_offset=offset,
        last_fetched_epoch=-1,
        log_start_offset=-1,
        partition_max_bytes=partition_max_bytes,
    )
    return FetchRequest(
        version=version,
        replica_id=-1,
        max_wait_ms=max_wait_ms,
        min_bytes=min_bytes,
        max_bytes=max_bytes,
        isolation_level=0,
        session_id=0,
        session_epoch=-1,
        topics=[FetchRequest.FetchTopic(version=version, topic=topic, partitions=[part])],
        forgotten_topics_data=[],
        rack_id="",
    )


def batch_of(
    values: list[bytes],
    *,
    producer: tuple[int, int] = (-1, -1),
    sequence: int = -1,
    timestamp_ms: int | None = None,
) -> bytes:
    """An uncompressed record batch of the values, without keys, all of one create time: now, if none is given."""
    timestamp_ms = time.time_ns() // 1_000_000 if timestamp_ms is None else timestamp_ms
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=False,
        producer_id=producer[0],
        producer_epoch=producer[1],
        base_sequence=sequence,
        batch_size=1 << 30,
    )
    for number, value in enumerate(values):
        builder.append(number, timestamp_ms, None, value, [])
    return bytes(builder.build())


def values_in(records: bytes | None) -> list[tuple[int, bytes | None]]:
    """Offset and value of every whole record that a fetch returned."""
    found, batches = [], MemoryRecords(bytes(records or b""))
    while (batch := batches.next_batch()) is not None:
        assert batch.validate_crc()
        found.extend((record.offset, record.value) for record in batch)
    return found
