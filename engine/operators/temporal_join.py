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
from engine.operators.project import Filter, Project
from engine.operators.scan import Scan
from engine.operators.watermark import Watermarks


@dataclass(eq=False)
class TemporalJoin(Operator):
    """`outer` keeps left rows that find nothing."""

    left: Operator
    right: Operator
    pairs: tuple[tuple[str, str], ...]
    condition: exp.Expr | None
    outer: bool
    append_only = True
    _elsewhere: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (*self.left.columns, *self.right.columns)

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.left.key

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.left, self.right)

    @property
    def watermarks(self) -> Watermarks:
        return self.left.watermarks

    @property
    def probes_content(self) -> bool:
        """False once lowered over a right side that is a stored relation: one that this view keeps fills up with its input."""
        return not self._elsewhere

    def lower(self, program: ProgramBuilder) -> Stream:
        left = self.left.lower(program)
        right = program.searchable(self.right, [b for _, b in self.pairs])
        self._elsewhere = _is_relation(self.right) and right.content not in program.stored
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


def _is_relation(operator: Operator) -> bool:
    """Is the content that of a stored relation, seen through projections and filters?"""
    while isinstance(operator, Project | Filter):
        operator = operator.input
    return isinstance(operator, Scan) and operator.content is not None
