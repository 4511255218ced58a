"""Requests with wrong bytes in them: answered or refused, never more than the connection's end, nothing left behind."""

from __future__ import annotations

import asyncio
import logging
import random
import struct
from pathlib import Path

import pytest
from kafka.protocol.consumer import ListOffsetsRequest
from kafka.protocol.metadata import FindCoordinatorRequest, MetadataRequest
from kafka.protocol.producer import InitProducerIdRequest

from broker.connection import Connection
from broker.handlers import APIS
from broker.node import Node
from broker.options import Options
from tests.broker.wire import batch_of, fetch_request, produce_request

_FRAMES = 1_500


class Transport(asyncio.Transport):
    """Takes what the broker answers."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.answered = 0

    def set_write_buffer_limits(self, high=None, low=None) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def writelines(self, parts) -> None:
        self.answered += sum(len(part) for part in parts)


def _requests() -> list[bytes]:
    """Frames as clients send them, without their length."""
    made = [
        produce_request("t", batch_of([b"value"] * 3)),
        fetch_request("t", 0),
        MetadataRequest(version=9, topics=[MetadataRequest.MetadataRequestTopic(version=9, name="t")]),
        FindCoordinatorRequest(version=3, key="g", key_type=0),
        InitProducerIdRequest(version=1, transactional_id="x", transaction_timeout_ms=1_000),
        ListOffsetsRequest(version=5, replica_id=-1, isolation_level=0, topics=[]),
    ]
    frames = []
    for number, request in enumerate(made):
        request.with_header(correlation_id=number, client_id="fuzz")
        frames.append(bytes(request.encode(header=True)))
    return frames


def _broken(chance: random.Random, frames: list[bytes]) -> bytes:
    """A good frame with some bytes changed, cut or doubled; or an API's header with nothing sensible behind."""
    if chance.random() < 0.3:
        api = chance.choice(list(APIS.values()))
        version = chance.randint(api.low, api.high)
        head = struct.pack(">hhih", api.key, version, 1, -1) + b"\0" * chance.randint(0, 1)
        return head + chance.randbytes(chance.randint(0, 60))
    frame = bytearray(chance.choice(frames))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(frame))
        frame[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    if chance.random() < 0.3:
        at = chance.randrange(len(frame))
        frame[at:] = frame[at:] * chance.randint(0, 2)
    return bytes(frame)


@pytest.mark.parametrize("seed", range(2))
def test_wrong_bytes_cost_no_more_than_the_connection(
    tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "broker.connection")
    chance, answered, closed = random.Random(seed), 0, 0

    async def attack() -> None:
        nonlocal answered, closed
        node = Node(Options(tmp_path))
        node.topics.create("t", 1, {})
        frames = _requests()
        for _ in range(_FRAMES):
            connection, transport = Connection(node), Transport()
            connection.connection_made(transport)
            broken = _broken(chance, frames)
            connection.data_received(struct.pack(">i", len(broken)) + broken)
            await asyncio.sleep(0)
            answered += transport.answered > 0
            closed += transport.closed
            connection.connection_lost(None)
        await asyncio.sleep(0)
        assert node.memory.used == 0
        assert not node.connections
        assert all(not partition.waiters for partition in node.topics.partitions())
        node.close()

    asyncio.run(attack())
    assert answered > _FRAMES / 20
    assert closed > _FRAMES / 20
    ours = [record for record in caplog.records if record.name.startswith("broker")]
    unforeseen = [record.exc_text or str(record.exc_info) for record in ours if record.exc_info]
    assert unforeseen == [], "refused by accident, not on purpose"
