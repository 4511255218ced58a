"""One flow per test module: databases are costly, and `clear` leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.operators.sources import Oracle, ReferenceSource, no_broker, oracle_session
from tests.support.flow import FlowUnderTest, running_flow
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def module_engine(postgres: PostgresServer) -> Iterator[FlowUnderTest]:
    with running_flow(postgres) as running:
        yield running


@pytest.fixture
def engine(module_engine: FlowUnderTest) -> Iterator[FlowUnderTest]:
    """An empty engine."""
    module_engine.clear()
    yield module_engine


@pytest.fixture(scope="module")
def sources() -> Iterator[dict[str, ReferenceSource]]:
    """Sources that need no broker, by name; a test puts in what it makes."""
    found: dict[str, ReferenceSource] = {}
    with no_broker(found):
        yield found


@pytest.fixture(scope="module")
def oracle(module_engine: FlowUnderTest) -> Iterator[Oracle]:
    with oracle_session(module_engine) as session:
        yield session
