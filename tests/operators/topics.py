"""Tables and sources over topics without a broker: a test hands over the messages, which are decoded as a reader would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from engine.connectors.decode import Decoder
from engine.connectors.source import Batch, Position
from engine.ddl import create_source
from tests.support.flow import FlowUnderTest
from tests.unit.connectors.messages import Recorded

TOPIC = "topic"
WITH = "WITH (connector = 'kafka', topic = 't', properties.bootstrap.server = 'nowhere:9')"


@contextmanager
def no_topic() -> Iterator[None]:
    """Sources are created without asking a broker; every topic has one partition, and begins empty."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(create_source, "start_positions", lambda spec: {0: Position(TOPIC, 0, 0)})
        yield


def produce(engine: FlowUnderTest, name: str, messages: Sequence[Recorded]) -> None:
    """One barrier with the messages of the topic behind a table or source, and those that apply them."""
    source = engine.flow.catalog.by_name(f"{name}_connector")
    assert source is not None
    decoded = Decoder(engine.flow.spec(source.id)).decode(messages)
    at = engine.flow.positions(source.id)[0]
    moved = Position(at.topic_id, 0, at.offset + len(messages))
    batch = Batch(decoded.rows, {0: moved}, decoded.skipped, decoded.nulled, rejects=decoded.rejects)
    engine.flow.barrier({source.id: batch})
    settle(engine)


def settle(engine: FlowUnderTest) -> None:
    """Barriers until no sink has anything left to do."""
    engine.barrier()
    while engine.flow.fed:
        engine.barrier()
