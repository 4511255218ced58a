"""Failing examples as text: written when one is found, read by the tests for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.operators.histories import CREATE, Step, barrier

KEPT = Path(__file__).with_name("kept.yaml")


@dataclass(frozen=True, slots=True)
class Case:
    """One query with the history that broke it."""

    name: str
    query: str
    steps: tuple[Step, ...]


def read(path: Path = KEPT) -> list[Case]:
    """The cases of a file."""
    return [
        Case(c["name"], c["query"], tuple(_step(s) for s in c["steps"]))
        for c in yaml.safe_load(path.read_text()) or ()
    ]


def written(case: Case) -> str:
    """A case as YAML, to be appended to `kept.yaml`."""
    content = {"name": case.name, "query": case.query, "steps": [_plain(step) for step in case.steps]}
    return yaml.safe_dump([content], sort_keys=False, width=140, allow_unicode=True)


def _step(value: Any) -> Step:
    if value == "create":
        return CREATE
    if isinstance(value, dict):
        return barrier(value["barrier"])
    return Step(value[0], tuple(value[1:]))


def _plain(step: Step) -> Any:
    if step.create:
        return "create"
    if step.barrier:
        return {"barrier": step.advance_s}
    return [step.sql, *step.parameters]


def without(steps: Sequence[Step], start: int, count: int) -> tuple[Step, ...]:
    """The steps with some left out, CREATE kept: what a smaller case is tried with."""
    return tuple(s for i, s in enumerate(steps) if s.create or not start <= i < start + count)
