"""FROM: what the random histories over views/from_clause.sql do not tell."""

from __future__ import annotations

from tests.operators.histories import make_tables, views
from tests.support.flow import FlowUnderTest


def test_an_equality_in_every_branch_of_or_makes_the_join(engine: FlowUnderTest) -> None:
    make_tables(engine)
    explained = engine.explain(views("from_clause")["equality_in_every_branch"])
    assert not [line for line in explained if "O(state)" in line]
