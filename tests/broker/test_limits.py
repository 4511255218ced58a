"""What our broker does not let clients do to it: too many connections, silent ones, too many bytes; and missing topics."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from confluent_kafka import KafkaError

from tests.broker.conftest import Kafka
from tests.broker.topics import Sender, Topics, consume_to_end
from tests.broker.wire import NONE, Wire, batch_of, produce_request, values_in
from tests.support.broker import BrokerProcess

_SECONDS = 30
_MIB = 1 << 20


def _closed(wire: Wire) -> bool:
    return wire.receive_raw(1) == b""


def test_clients_beyond_the_number_are_turned_away_and_others_served(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path, "--max-connections", "5") as broker, ExitStack() as opened:
        wires = [opened.enter_context(Wire(broker.bootstrap)) for _ in range(5)]
        assert all(wire.versions() for wire in wires)
        with Wire(broker.bootstrap) as one_more:
            assert _closed(one_more)
        assert wires[0].versions()
        opened.close()
        for _ in range(50):  # the broker learns of the ends in its own time
            with Wire(broker.bootstrap) as again:
                again.send_raw(struct.pack(">hhih", 18, 0, 1, -1))
                if again.receive_raw(1):
                    return
        pytest.fail("nobody is served after the others have left")


def test_a_connection_that_says_nothing_is_closed_and_a_parked_one_is_not(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path, "--idle-s", "1") as broker:
        name = Topics(broker.bootstrap).create()
        with Wire(broker.bootstrap) as silent, Wire(broker.bootstrap) as parked:
            parked.send(_fetch_for(name, 2_500))
            assert _closed(silent)
            assert parked.receive().responses[0].partitions[0].error_code == NONE


def _fetch_for(name: str, wait_ms: int):
    from tests.broker.wire import fetch_request

    return fetch_request(name, 0, max_wait_ms=wait_ms)


def test_many_half_sent_requests_do_not_fill_the_memory(tmp_path: Path) -> None:
    """Forty clients send 4 MB each, all but the last byte; then they finish, and everything is taken."""
    with BrokerProcess(tmp_path, "--max-memory", "16M") as broker, ExitStack() as opened:
        name = Topics(broker.bootstrap).create(max_message_bytes=8 * _MIB)
        before = psutil.Process(broker.pid).memory_info().rss
        wires = [opened.enter_context(Wire(broker.bootstrap)) for _ in range(40)]
        rests: dict[socket.socket, memoryview] = {}
        for wire in wires:
            request = wire.encoded(produce_request(name, batch_of([bytes(4 * _MIB)])))
            rests[wire._socket] = memoryview(request)
            wire._socket.setblocking(False)
        _push(rests, keep=1)
        with Wire(broker.bootstrap) as other:
            assert other.versions(), "a small request is served meanwhile"
        grown = psutil.Process(broker.pid).memory_info().rss - before
        assert grown < 80 * _MIB, "of 160 MiB sent"
        deadline = time.monotonic() + _SECONDS
        while any(rests.values()):
            assert time.monotonic() < deadline, "the broker reads no further"
            _push(rests, keep=0)
        for wire in wires:
            wire._socket.settimeout(_SECONDS)
            assert wire.receive().responses[0].partition_responses[0].error_code == NONE
        with Wire(broker.bootstrap) as reader:
            assert reader.fetch(name, 0, max_bytes=1).high_watermark == 40


def _push(rests: dict[socket.socket, memoryview], keep: int) -> None:
    """Send what the sockets take, but for the last `keep` bytes of each, until they take no more."""
    moved = True
    while moved:
        moved = False
        for client, rest in rests.items():
            try:
                sent = client.send(rest[: max(len(rest) - keep, 0)]) if len(rest) > keep else 0
            except BlockingIOError:
                continue
            rests[client] = rest[sent:]
            moved = moved or sent > 0


def test_readers_that_do_not_read_do_not_fill_the_memory(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path, "--max-memory", "16M") as broker, ExitStack() as opened:
        name = Topics(broker.bootstrap).create(max_message_bytes=2 * _MIB)
        with Wire(broker.bootstrap) as writer:
            for _ in range(32):
                assert writer.produce(name, batch_of([bytes(_MIB)])).error_code == NONE
        before = psutil.Process(broker.pid).memory_info().rss
        for _ in range(20):
            opened.enter_context(Wire(broker.bootstrap)).send(_fetch_for(name, 0))
        with Wire(broker.bootstrap) as reader:
            assert len(values_in(reader.fetch(name, 0).records)) >= 1
        grown = psutil.Process(broker.pid).memory_info().rss - before
        assert grown < 120 * _MIB, "twenty answers of 16 MiB would be 320"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org"])
def test_other_machines_are_let_in_only_on_request(tmp_path: Path, host: str) -> None:
    command = [sys.executable, "-m", "broker", "--data-dir", str(tmp_path), "--port", "0", "--host", host]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert ran.returncode == 2
    assert "--open-to-everyone" in ran.stderr


def test_a_producer_to_a_missing_topic_is_told_so(kafka: Kafka, topics: Topics, topic: str) -> None:
    """librdkafka waits for a topic to appear for `topic.metadata.propagation.max.ms`, here shortened, then says why."""
    name = topics.name()
    sender = Sender(kafka.bootstrap, topic_metadata_propagation_max_ms=100, message_timeout_ms=20_000)
    begun = time.monotonic()
    sender.send(name, b"lost", partition=0)
    sender.flush()
    assert time.monotonic() - begun < 10, "told only by the message's own time-out"
    ((error, _),) = sender.failed
    assert error.code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}
    assert name not in topics.admin.list_topics(timeout=10).topics
    assert consume_to_end(kafka.bootstrap, topic) == []
