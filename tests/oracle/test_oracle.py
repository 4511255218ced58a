"""Some random queries over random histories with every run, many in the slow tests, and what once failed always.

`make oracle N=10000` looks for more.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operators.histories import Step, histories, quick, thorough
from tests.oracle import kept
from tests.oracle.play import play
from tests.oracle.queries import Query, queries
from tests.support.flow import FlowUnderTest, running_flow
from tests.support.postgres import PostgresServer

_THREE = st.lists(queries(), min_size=3, max_size=3)


@pytest.fixture(scope="module")
def engine(postgres: PostgresServer) -> Iterator[FlowUnderTest]:
    with running_flow(postgres) as running:
        yield running


@pytest.mark.slow
@quick
@given(history=histories(), drawn=_THREE)
def test_some_random_queries(engine: FlowUnderTest, history: tuple[Step, ...], drawn: list[Query]) -> None:
    play(engine, history, [query.text for query in drawn])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@thorough
@given(history=histories(), drawn=_THREE)
def test_many_random_queries(engine: FlowUnderTest, history: tuple[Step, ...], drawn: list[Query]) -> None:
    play(engine, history, [query.text for query in drawn])


@pytest.mark.parametrize("case", kept.read(), ids=lambda case: case.name)
def test_what_once_failed(engine: FlowUnderTest, case: kept.Case) -> None:
    outcome = play(engine, case.steps, [case.query])
    assert not outcome.refused
