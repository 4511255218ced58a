"""Windows of some rows against the batch; the views are in views/over_rows.sql."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.operators.histories import Step, histories, play, quick, thorough, views
from tests.support.flow import FlowUnderTest

VIEWS = views("over_rows")


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
