"""FROM: cross joins, orders of joins, names, shared CTEs; the views are in views/from_clause.sql."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.operators.histories import TABLES, Step, histories, play, quick, thorough, views
from tests.support.flow import FlowUnderTest

VIEWS = views("from_clause")


@quick
@given(history=histories())
def test_random_histories(engine: FlowUnderTest, history: tuple[Step, ...]) -> None:
    play(engine, history, VIEWS)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@thorough
@given(history=histories())
def test_many_random_histories(engine: FlowUnderTest, history: tuple[Step, ...]) -> None:
    play(engine, history, VIEWS)


@pytest.mark.parametrize("name", VIEWS)
def test_is_incremental(engine: FlowUnderTest, name: str) -> None:
    for table, columns in TABLES.items():
        engine.ddl(f"CREATE TABLE {table} ({columns})")
    lines = [line for (line,) in engine.ddl(f"EXPLAIN CREATE MATERIALIZED VIEW v AS {VIEWS[name]}").rows]
    assert not [line for line in lines if "Recompute " in line]


def test_an_equality_in_every_branch_of_or_makes_the_join(engine: FlowUnderTest) -> None:
    for table, columns in TABLES.items():
        engine.ddl(f"CREATE TABLE {table} ({columns})")
    query = VIEWS["equality_in_every_branch"]
    lines = [line for (line,) in engine.ddl(f"EXPLAIN CREATE MATERIALIZED VIEW v AS {query}").rows]
    assert not [line for line in lines if "O(state)" in line]
