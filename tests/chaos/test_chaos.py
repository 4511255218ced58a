"""The whole stack, disturbed: a short run always, and the runs that once failed among the slow tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chaos.disturbances import named
from tests.chaos.run import Result, run
from tests.chaos.schedule import Step, schedule
from tests.chaos.stack import Settings, Stack, why_no_small_disks

CASES = yaml.safe_load((Path(__file__).parent / "seeds.yaml").read_text())


def _run(directory: Path, settings: Settings, steps: list[Step], *, small_disks: bool) -> Result:
    stack = Stack(directory, settings, small_disks=small_disks)
    return run(stack, settings.seed, steps, full_every=10, tell=lambda *_: None)


@pytest.mark.timeout(170)
def test_kills_under_load_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    steps = [
        Step(n, f"kill {name}", 0.3, {"times": 1}) for n, name in enumerate(("flow", "wire", "postgres"), 1)
    ]
    result = _run(tmp_path / "chaos", Settings(devices=100, rate=1500, seed=11), steps, small_disks=False)
    assert result.passed, result.as_json()
    assert [outcome.verdict for outcome in result.outcomes] == ["ok"] * 3
    assert result.messages > 1500


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['seed']}-{case['number']}: {case['found']}")
def test_what_once_failed(tmp_path: Path, case: dict[str, Any]) -> None:
    steps = schedule(case["seed"], case["number"], named(case.get("only"), case.get("without")))
    small_disks = why_no_small_disks(tmp_path) is None
    settings = Settings(devices=200, rate=1000, seed=case["seed"])
    result = _run(tmp_path / "chaos", settings, steps, small_disks=small_disks)
    assert result.passed, result.as_json()
