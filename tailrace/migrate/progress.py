"""What a caller of upgrade and downgrade is told as it goes: one value per statement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tailrace.migrate.steps import Direction, Step


@dataclass(frozen=True, slots=True)
class StepProgress:
    """Statement `index` of `total` (from 1, over all revisions of this run) is done.

    `seconds` is how long it took; `skipped` says that an earlier, interrupted run had done it already.
    """

    index: int
    total: int
    revision: str
    direction: Direction
    step: Step
    seconds: float
    skipped: bool

    @property
    def name(self) -> str:
        """The relation's name."""
        return self.step.name


OnProgress = Callable[[StepProgress], None]
