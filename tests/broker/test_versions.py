"""ApiVersions and metadata: what a client asks first; and each version of the main requests that is announced."""

from __future__ import annotations

import struct
from contextlib import ExitStack

import pytest
from confluent_kafka.admin import AdminClient
from kafka.protocol.api_message import ApiMessage
from kafka.protocol.consumer import FetchRequest, ListOffsetsRequest
from kafka.protocol.metadata import ApiVersionsRequest, FindCoordinatorRequest, MetadataRequest
from kafka.protocol.producer import InitProducerIdRequest, ProduceRequest

from tests.broker.conftest import Kafka
from tests.broker.topics import Topics
from tests.broker.wire import (
    EARLIEST,
    LATEST,
    NONE,
    UNKNOWN_TOPIC_OR_PARTITION,
    Wire,
    batch_of,
    fetch_request,
    produce_request,
    values_in,
)

_UNSUPPORTED_VERSION = 35
_LAST_BY_NAME = {ProduceRequest: 12, FetchRequest: 12}
_FIRST = {
    ProduceRequest: 3,
    FetchRequest: 4,
    ListOffsetsRequest: 1,
    MetadataRequest: 0,
    InitProducerIdRequest: 0,
}
_NEEDED = {
    "Produce": 0, "Fetch": 1, "ListOffsets": 2, "Metadata": 3, "OffsetCommit": 8, "OffsetFetch": 9,
    "FindCoordinator": 10, "JoinGroup": 11, "Heartbeat": 12, "LeaveGroup": 13, "SyncGroup": 14,
    "DescribeGroups": 15, "ListGroups": 16, "ApiVersions": 18, "CreateTopics": 19, "DeleteTopics": 20,
    "DeleteRecords": 21, "InitProducerId": 22, "DescribeConfigs": 32, "CreatePartitions": 37,
    "DeleteGroups": 42, "IncrementalAlterConfigs": 44,
}  # fmt: skip


def _versions(wire: Wire, request: type[ApiMessage]) -> list[int]:
    """The versions that both the broker and the codec know and that name topics."""
    last = min(request.max_version, _LAST_BY_NAME.get(request, request.max_version))
    return [version for version in wire.versions()[request.API_KEY] if _FIRST[request] <= version <= last]


@pytest.mark.parametrize("api", _NEEDED)
def test_every_api_that_the_product_uses_is_announced(wire: Wire, api: str) -> None:
    assert _NEEDED[api] in wire.versions()


@pytest.mark.parametrize("version", range(5))
def test_api_versions_answers_in_each_version(wire: Wire, version: int) -> None:
    announced = wire.versions()
    if version not in announced[ApiVersionsRequest.API_KEY]:
        pytest.skip(f"the broker does not announce ApiVersions v{version}")
    response = wire.call(
        ApiVersionsRequest(version=version, client_software_name="wire", client_software_version="1")
    )
    assert response.error_code == NONE
    assert {api.api_key for api in response.api_keys} == set(announced)


def test_api_versions_of_the_future_is_answered_in_version_0(kafka: Kafka) -> None:
    """A client that is newer than the broker learns what to speak (KIP-511)."""
    with Wire(kafka.bootstrap) as wire:
        wire.send_raw(struct.pack(">hhih", ApiVersionsRequest.API_KEY, 99, 7, -1) + b"\0\2x\2y\0")
        head = b""
        while len(head) < 10:
            piece = wire.receive_raw(10 - len(head))
            assert piece, "the connection was closed"
            head += piece
    _size, correlation, error = struct.unpack(">iih", head)
    assert (correlation, error) == (7, _UNSUPPORTED_VERSION)


def test_metadata_names_broker_cluster_and_controller(kafka: Kafka) -> None:
    metadata = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=10)
    assert metadata.cluster_id
    assert metadata.controller_id in metadata.brokers
    if kafka.kind != "given":
        (broker,) = metadata.brokers.values()
        assert f"{broker.host}:{broker.port}" == kafka.bootstrap


def test_metadata_lists_a_topic_with_a_leader_for_every_partition(topics: Topics) -> None:
    name = topics.create(partitions=3)
    found = topics.admin.list_topics(topic=name, timeout=10).topics[name]
    assert found.error is None
    assert sorted(found.partitions) == [0, 1, 2]
    for partition in found.partitions.values():
        assert partition.leader in partition.isrs


def test_metadata_answers_in_each_version(wire: Wire, topic: str) -> None:
    for version in _versions(wire, MetadataRequest):
        asked = [MetadataRequest.MetadataRequestTopic(version=version, name=topic)]
        response = wire.call(MetadataRequest(version=version, topics=asked, allow_auto_topic_creation=False))
        assert [(found.error_code, found.name) for found in response.topics] == [(NONE, topic)], version
        assert [part.partition_index for part in response.topics[0].partitions] == [0], version


def test_metadata_of_an_unknown_topic_is_an_error_and_creates_nothing(wire: Wire, topics: Topics) -> None:
    name = topics.name()
    asked = [MetadataRequest.MetadataRequestTopic(version=9, name=name)]
    for _ in range(2):
        response = wire.call(MetadataRequest(version=9, topics=asked, allow_auto_topic_creation=False))
        assert [found.error_code for found in response.topics] == [UNKNOWN_TOPIC_OR_PARTITION]
    assert name not in topics.admin.list_topics(timeout=10).topics


def test_produce_and_fetch_answer_in_each_version(wire: Wire, topic: str) -> None:
    produced = _versions(wire, ProduceRequest)
    assert produced
    for offset, version in enumerate(produced):
        found = wire.produce(topic, batch_of([b"v%d" % version]), version=version)
        assert (found.error_code, found.base_offset) == (NONE, offset), version
    expected = [(offset, b"v%d" % version) for offset, version in enumerate(produced)]
    for version in _versions(wire, FetchRequest):
        part = wire.fetch(topic, 0, version=version)
        assert (part.error_code, part.high_watermark) == (NONE, len(produced)), version
        assert values_in(part.records) == expected, version


def test_produce_and_fetch_by_topic_id(wire: Wire, topic: str) -> None:
    """Produce v13 and Fetch v13 and above name a topic by its id alone."""
    announced = wire.versions()
    topic_id = wire.topic_id(topic)
    batch = batch_of([b"by id"])
    expected = [(0, b"by id")]
    if 13 in announced[ProduceRequest.API_KEY]:
        request = produce_request(topic, batch, version=13)
        request.topic_data[0].topic_id = topic_id
        (part,) = wire.call(request).responses[0].partition_responses
        assert part.error_code == NONE
    else:
        assert wire.produce(topic, batch).error_code == NONE
    for version in range(13, min(FetchRequest.max_version, announced[FetchRequest.API_KEY][-1]) + 1):
        request = fetch_request(topic, 0, version=version)
        request.topics[0].topic_id = topic_id
        (part,) = wire.call(request).responses[0].partitions
        assert part.error_code == NONE, version
        assert values_in(part.records) == expected, version


def test_list_offsets_answers_in_each_version(wire: Wire, topic: str) -> None:
    wire.produce(topic, batch_of([b"a", b"b"]))
    for version in _versions(wire, ListOffsetsRequest):
        for asked, offset in ((EARLIEST, 0), (LATEST, 2)):
            found = wire.list_offset(topic, asked, version=version)
            assert (found.error_code, found.offset) == (NONE, offset), version


def test_init_producer_id_answers_in_each_version(wire: Wire) -> None:
    made = [wire.new_producer(version) for version in _versions(wire, InitProducerIdRequest)]
    assert {epoch for _, epoch in made} == {0}
    assert len({number for number, _ in made}) == len(made)


@pytest.mark.parametrize("version", range(7))
def test_find_coordinator_names_the_broker(kafka: Kafka, wire: Wire, version: int) -> None:
    if version not in wire.versions()[FindCoordinatorRequest.API_KEY]:
        pytest.skip(f"the broker does not announce FindCoordinator v{version}")
    response = wire.call_coordinator(
        FindCoordinatorRequest(version=version, key="group", key_type=0, coordinator_keys=["group"])
    )
    found = response.coordinators[0] if version >= 4 else response
    assert found.error_code == NONE
    if kafka.kind != "given":
        assert f"{found.host}:{found.port}" == kafka.bootstrap


def test_responses_keep_the_order_of_requests_sent_at_once(wire: Wire, topic: str) -> None:
    for number in range(20):
        wire.send(produce_request(topic, batch_of([b"%d" % number])))
    offsets = [wire.receive().responses[0].partition_responses[0].base_offset for _ in range(20)]
    assert offsets == list(range(20))


def test_a_request_behind_a_parked_fetch_is_answered_after_it(wire: Wire, topic: str) -> None:
    wire.send(fetch_request(topic, 0, max_wait_ms=400))
    wire.send(produce_request(topic, batch_of([b"behind"])))
    assert wire.receive().responses[0].partitions[0].error_code == NONE
    assert wire.receive().responses[0].partition_responses[0].error_code == NONE


def test_a_request_that_comes_byte_by_byte_is_answered(wire: Wire, topic: str) -> None:
    for byte in wire.encoded(produce_request(topic, batch_of([b"slow"]))):
        wire.send_bytes(bytes([byte]))
    assert wire.receive().responses[0].partition_responses[0].error_code == NONE
    assert values_in(wire.fetch(topic, 0).records) == [(0, b"slow")]


def test_two_hundred_connections_are_served(kafka: Kafka, topic: str) -> None:
    with ExitStack() as opened:
        wires = [opened.enter_context(Wire(kafka.bootstrap)) for _ in range(200)]
        for wire in wires:
            wire.send(produce_request(topic, batch_of([b"x"])))
        answers = [wire.receive().responses[0].partition_responses[0] for wire in wires]
    assert sorted(answer.base_offset for answer in answers) == list(range(200))


def test_garbage_ends_its_own_connection_and_no_other(kafka: Kafka, wire: Wire) -> None:
    with Wire(kafka.bootstrap) as other:
        other.send_raw(b"\xff" * 64)
        assert other.receive_raw(1) == b""
    assert wire.versions()


def test_an_impossible_length_ends_the_connection(kafka: Kafka, wire: Wire) -> None:
    with Wire(kafka.bootstrap) as other:
        other.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
        assert other.receive_raw(1) == b""
    assert wire.versions()
