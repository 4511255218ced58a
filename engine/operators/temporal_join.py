"""Temporal join: each left row meets the right relation as it is when the row is processed.

Meaning: L [LEFT] JOIN R FOR SYSTEM_TIME AS OF PROCTIME() ON ...: rows are looked up once and never revised; changes of R
emit nothing (RisingWave docs, "Temporal joins"). Delta rule: dL >< R'. State: none (R's storage, by its key).
Needs an append-only left side and a right relation whose key is covered by the join columns, so the key is the left's.
Exact given the recorded order of arrival. Cost: O(delta log n).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from engine.compile.program import ProgramBuilder
from engine.operators.base import WEIGHT, Column, Cost, Description, Operator, Stream, names
from engine.operators.join import join_condition


@dataclass(eq=False)
class TemporalJoin(Operator):
    """`outer` keeps left rows that find nothing."""

    left: Operator
    right: Operator
    pairs: tuple[tuple[str, str], ...]
    condition: exp.Expr | None
    outer: bool
    append_only = True

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (*self.left.columns, *self.right.columns)

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.left.key

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.left, self.right)

    def lower(self, program: ProgramBuilder) -> Stream:
        left = self.left.lower(program)
        right = program.searchable(self.right, [b for _, b in self.pairs])
        columns = f"{names(self.left.columns, 'l.')}, {names(self.right.columns, 'r.')}"
        kind = "LEFT JOIN" if self.outer else "JOIN"
        on = join_condition(self.pairs, self.condition)
        return Stream(
            f"(SELECT {columns}, l.{WEIGHT} FROM {left.delta} AS l {kind} {right.content} AS r ON {on})", None
        )

    def describe(self) -> Description:
        kind = "left, " if self.outer else ""
        return Description(
            "TemporalJoin", kind + join_condition(self.pairs, self.condition), "delta", Cost.DELTA_LOG
        )
