"""Repeat: each row once for each number of a constant list. HOP puts a row into size / hop windows by it.

Meaning: L CROSS JOIN (VALUES (0), (1), ...) AS v(n). Delta rule: the same on the delta, weights untouched (linear). State: none.
Asks for distinct numbers. Key: the input's and the number. Cost: O(delta), times the length of the list. Reference: the
query as a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.builder import ProgramBuilder
from engine.operators.base import WEIGHT, Column, Cost, Description, Linear, Origin, Stream, names, quote
from engine.operators.watermark import Watermark, Watermarks


@dataclass(eq=False)
class Repeat(Linear):
    """`number` names the integer column that is added."""

    number: str
    numbers: tuple[int, ...]

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (*self.input.columns, Column(self.number, "integer"))

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*self.input.key, self.number)

    @property
    def watermarks(self) -> Watermarks:
        return {**self.input.watermarks, self.number: Watermark(str(min(self.numbers)), moves=False)}

    def lower(self, program: ProgramBuilder) -> Stream:
        below = self.input.lower(program)
        listed = ", ".join(f"({n})" for n in self.numbers)
        shown = f"{names(self.input.columns, 'i.')}, v.{quote(self.number)}"
        values = f"CROSS JOIN (VALUES {listed}) AS v ({quote(self.number)})"
        delta = f"(SELECT {shown}, i.{WEIGHT} FROM {below.delta} AS i {values})"
        content = None if below.content is None else f"(SELECT {shown} FROM {below.content} AS i {values})"
        return Stream(delta, content, below.read)

    def origin(self, column: str) -> Origin | None:
        return None if column == self.number else self.input.origin(column)

    def describe(self) -> Description:
        return Description("Repeat", f"{len(self.numbers)} times", "delta", Cost.DELTA)
