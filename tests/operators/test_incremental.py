"""What the planner turns into joins and linear operators, where recomputing would be right too."""

from __future__ import annotations

import pytest

from tests.operators.histories import make_tables, views
from tests.support.flow import FlowUnderTest

OPERATORS = ("expand", "from_clause", "outer_join", "subquery")


@pytest.mark.parametrize(("operator", "view"), [(o, view) for o in OPERATORS for view in views(o)])
def test_nothing_is_recomputed(engine: FlowUnderTest, operator: str, view: str) -> None:
    make_tables(engine)
    assert not [line for line in engine.explain(views(operator)[view]) if "Recompute " in line]
