"""OneRow: the row that SELECT without FROM stands on, and what constant rows are joined to.

Meaning: one row without visible columns. Delta rule: the row comes when the view is filled, and never changes. State: none.
Key: a constant. Cost: O(delta).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.builder import ProgramBuilder
from engine.operators.base import WEIGHT, Column, Cost, Description, Operator, Stream, elsewhere, quote


@dataclass(eq=False)
class OneRow(Operator):
    """`name` is its hidden column's."""

    name: str
    append_only = True

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (Column(self.name, "smallint", hidden=True),)

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.name,)

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return ()

    @property
    def of_one_row(self) -> bool:
        return True

    def lower(self, program: ProgramBuilder) -> Stream:
        row = f"SELECT 0::smallint AS {quote(self.name)}"
        return Stream(f"({row}, 1 AS {WEIGHT} WHERE initial)", f"({row})", elsewhere)

    def describe(self) -> Description:
        return Description("OneRow", "", "delta", Cost.DELTA)
