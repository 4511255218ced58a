"""What is disturbed, in which order and when: drawn from a seed alone, so that a run can be repeated.

Pure. The same seed, length and registry give the same schedule; what a machine cannot do is skipped while running, not left
out here. A bag of all disturbances is shuffled, emptied, and filled again: every kind comes up before any comes up twice more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

Parameters = Mapping[str, Any]
LOAD_S = (0.5, 4.0)
"""How long the load runs undisturbed before each disturbance."""


class Drawable(Protocol):
    """What the schedule needs of a disturbance."""

    @property
    def name(self) -> str: ...

    @property
    def weight(self) -> int:
        """How often it lies in each bag."""

    def draw(self, random: Random) -> Parameters:
        """Its parameters for one time, JSON-ready."""


@dataclass(frozen=True, slots=True)
class Step:
    """One disturbance to come; `load_s` is the quiet time under load before it."""

    number: int
    name: str
    load_s: float
    parameters: Parameters

    def __str__(self) -> str:
        shown = " ".join(f"{key}={value}" for key, value in self.parameters.items())
        return f"{self.name} {shown}".strip()


def schedule(seed: int, number: int, disturbances: Sequence[Drawable]) -> list[Step]:
    """So many steps for this seed."""
    random = Random(seed)
    bag: list[Drawable] = []
    steps = []
    for index in range(1, number + 1):
        if not bag:
            bag = [each for each in disturbances for _ in range(each.weight)]
            random.shuffle(bag)
        drawn = bag.pop()
        # A generator of its own: one that draws more than before does not change what comes after it.
        own = Random(random.getrandbits(64))
        steps.append(Step(index, drawn.name, round(own.uniform(*LOAD_S), 2), drawn.draw(own)))
    return steps
