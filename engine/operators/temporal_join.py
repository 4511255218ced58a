"""Temporal join: each left row meets the right relation as it is when the row is processed.

Meaning: L [LEFT] JOIN R FOR SYSTEM_TIME AS OF PROCTIME() ON ...: rows are looked up once and never revised; changes of R
emit nothing (RisingWave docs, "Temporal joins"). Delta rule: dL >< R' for rows that come. Rows that go take with them what
they have met, whatever R holds now.
State: none where the left side is append-only (R's storage serves, indexed by the join columns), else the output.
Key: the left key, with the right one where a row can meet several. Exact given the recorded order of arrival.
Cost: O(delta log n) plus the matches, found by equal columns or by a range of an index; where nothing is compared every right row
matches, or is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.builder import ProgramBuilder, apply_delta, consolidate
from engine.operators.base import (
    WEIGHT,
    Column,
    Cost,
    Description,
    Operator,
    Origin,
    Stream,
    names,
    quote,
    rows_like,
)
from engine.operators.matching import Match
from engine.operators.project import Filter, Project
from engine.operators.scan import Scan
from engine.operators.watermark import Watermarks, moving


@dataclass(eq=False)
class TemporalJoin(Operator):
    """`outer` keeps left rows that find nothing."""

    left: Operator
    right: Operator
    match: Match
    outer: bool
    _elsewhere: bool = False
    _state: str = ""

    @property
    def append_only(self) -> bool:  # type: ignore[override]
        return self.left.append_only

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (*self.left.columns, *self.right.columns)

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        one = bool(self.right.key) and set(self.right.key) <= {b for _, b in self.match.pairs}
        return self.left.key if one else (*self.left.key, *self.right.key)

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.left, self.right)

    @property
    def owns_content(self) -> bool:
        return not self.left.append_only

    @property
    def watermarks(self) -> Watermarks:
        return self.left.watermarks

    @property
    def fills_up(self) -> bool:
        """Is the right side one that this view keeps, and that fills up with its input? Known once lowered."""
        return not self._elsewhere

    def lower(self, program: ProgramBuilder) -> Stream:
        left = self.left.lower(program)
        right = program.searchable(self.right, self.match.right, unread={})
        self._elsewhere = _is_relation(self.right) and right.content not in program.stored
        if not self.left.append_only:
            return self._lower_remembering(program, program.pin(self.left, left), right)
        return Stream(f"(SELECT {self._columns}, l.{WEIGHT} {self._met(left.delta, right)})", None)

    def _lower_remembering(self, program: ProgramBuilder, left: Stream, right: Stream) -> Stream:
        self._state = state = program.state_table(self.columns, self.key)
        program.index([Origin(state, quote(k)) for k in self.left.key])
        read = program.keep(state, self.columns, moving(self.watermarks))
        changed, table = program.delta_table(self.left.columns), program.delta_table(self.columns)
        rows, columns, key = names(self.left.columns), names(self.columns), self.left.key
        program.step(f"INSERT INTO {changed} ({rows}, {WEIGHT}) {consolidate(left.delta, rows)}")
        met = rows_like(state, "d", key, names(self.columns, "s."))
        program.step(
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {names(self.columns, 'o.')}, -1 "
            f"FROM {changed} AS d CROSS JOIN LATERAL ({met}) AS o WHERE d.{WEIGHT} < 0"
        )
        program.step(
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {self._columns}, 1 {self._met(changed, right)} "
            f"WHERE l.{WEIGHT} > 0"
        )
        for statement in apply_delta(state, table, self, consolidated=True):
            program.step(statement)
        return Stream(table, state, read)

    @property
    def _columns(self) -> str:
        return f"{names(self.left.columns, 'l.')}, {names(self.right.columns, 'r.')}"

    def _met(self, left: str, right: Stream) -> str:
        """FROM: the left rows with what they meet."""
        return f"FROM {left} AS l {'LEFT JOIN' if self.outer else 'JOIN'} {self.match.probed('r', right.content)}"

    def origin(self, column: str) -> Origin | None:
        return Origin(self._state, quote(column)) if self._state else None

    def describe(self) -> Description:
        kind = "left, " if self.outer else ""
        on = self.match.shown if self.match.by_index or self.match.condition is not None else "every row"
        quick = self.match.by_index or (self.right.of_one_row and self.match.condition is None)
        how, cost = "delta" if self.append_only else "per key", Cost.DELTA_LOG if quick else Cost.STATE
        return Description("TemporalJoin", kind + on, how, cost)


def _is_relation(operator: Operator) -> bool:
    """Is the content that of a stored relation, seen through projections and filters?"""
    while isinstance(operator, Project | Filter):
        operator = operator.input
    return isinstance(operator, Scan) and operator.content is not None
