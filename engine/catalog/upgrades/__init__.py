"""Upgrade steps of the private catalog: one module a step, in the registry below in the order in which they run.

A step only ever adds to what its version knew; a released one is history and does not change. What it creates stands in
`engine.catalog.schema`, where a new database takes it from too.
"""

from __future__ import annotations

from engine.catalog.upgrades import from_1_to_2, from_2_to_3
from engine.catalog.upgrades.step import Step

STEPS: tuple[Step, ...] = (Step(1, from_1_to_2.apply), Step(2, from_2_to_3.apply))
"""Version n at place n - 1, so that every version from 1 on leads to the newest."""

__all__ = ["STEPS", "Step"]
