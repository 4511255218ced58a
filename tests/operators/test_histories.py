"""Each operator's views (views/<operator>.sql) over random histories: what they hold equals their queries as batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given

from tests.operators.histories import Step, histories, play, quick, thorough, views
from tests.support.flow import FlowUnderTest, running_flow
from tests.support.postgres import PostgresServer

OPERATORS = sorted({p.stem for p in (Path(__file__).parent / "views").glob("*.sql")} - {"sink"})
"""Sinks have no content to compare: `test_sink`."""


@pytest.fixture(scope="module", params=OPERATORS)
def operator(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def module_engine(postgres: PostgresServer, operator: str) -> Iterator[FlowUnderTest]:
    """One for each operator: a database in which thousands of tables came and went is slow."""
    with running_flow(postgres) as running:
        yield running


@quick
@given(history=histories())
def test_random_histories(engine: FlowUnderTest, operator: str, history: tuple[Step, ...]) -> None:
    play(engine, history, views(operator))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@thorough
@given(history=histories())
def test_many_random_histories(engine: FlowUnderTest, operator: str, history: tuple[Step, ...]) -> None:
    play(engine, history, views(operator))
