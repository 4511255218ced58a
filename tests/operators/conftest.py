"""One flow per test module: databases are costly, and `clear` leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
