"""The schedule hangs on its seed alone."""

from __future__ import annotations

import json
from collections import Counter

from tests.chaos.disturbances import DISTURBANCES
from tests.chaos.schedule import schedule


def test_the_same_seed_gives_the_same_schedule_and_another_one_another() -> None:
    assert schedule(7, 40, DISTURBANCES) == schedule(7, 40, DISTURBANCES)
    assert schedule(7, 40, DISTURBANCES) != schedule(8, 40, DISTURBANCES)


def test_a_longer_schedule_begins_like_the_shorter_one() -> None:
    assert schedule(7, 60, DISTURBANCES)[:20] == schedule(7, 20, DISTURBANCES)


def test_everything_comes_up_as_often_as_it_weighs() -> None:
    weights = {each.name: each.weight for each in DISTURBANCES}
    assert len(weights) == len(DISTURBANCES)
    drawn = Counter(step.name for step in schedule(3, 2 * sum(weights.values()), DISTURBANCES))
    assert drawn == {name: 2 * weight for name, weight in weights.items()}


def test_parameters_survive_json() -> None:
    for step in schedule(5, 100, DISTURBANCES):
        assert json.loads(json.dumps(step.parameters)) == step.parameters
