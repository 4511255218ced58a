"""Semi and anti join: the rows of one side that match some row of the other, or none.

Meaning: L WHERE [NOT] EXISTS (SELECT FROM R WHERE l.a = r.b AND condition). Delta rule, with m(l) = 1 if l qualifies and m' the
same after the barrier (see `matching`):
    d out = m'(dL) + (m' - m)(L' - dL)
State: both contents, indexed by the join columns (a stored relation's own storage serves), without what lies below watermarks as
in a left join. NULL matches nothing, except in columns that are compared NULL-safe. Key: the left one.
Cost: O(delta log n) plus the rows that match what changed on the right (by equal columns, or by the first comparison); O(state)
where a condition decides that no index serves.
Reference: the query as a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.builder import ProgramBuilder
from engine.operators.base import WEIGHT, Column, Cost, Description, Operator, Origin, Stream, names
from engine.operators.matching import Match, changes, is_matched, joined_reading
from engine.operators.watermark import Watermarks


@dataclass(eq=False)
class SemiJoin(Operator):
    """With `anti` the rows that match nothing. Column names of the two sides are disjoint."""

    left: Operator
    right: Operator
    match: Match
    anti: bool
    append_only = False

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return self.left.columns

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.left.key

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.left, self.right)

    @property
    def of_one_row(self) -> bool:
        return self.left.of_one_row

    @property
    def watermarks(self) -> Watermarks:
        of_left = {c.name for c in self.columns}  # a right row may show or hide left rows of any time
        found = self.match.watermarks(self.left.watermarks, self.right.watermarks)
        return {c: w for c, w in found.items() if c in of_left}

    def lower(self, program: ProgramBuilder) -> Stream:
        of_left, of_right = self.match.unread(self.left.watermarks, self.right.watermarks, lonely="l")
        left = program.searchable(self.left, self.match.left, unread=of_left)
        right = program.searchable(self.right, self.match.right, unread=of_right)
        columns, shown = names(self.columns), names(self.columns, "l.")
        table = program.delta_table(self.columns)
        into = f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {shown}"
        negated = "NOT " if self.anti else ""
        qualifies = f"{negated}{is_matched(self.match, right)}"
        all_qualify = f"{negated}{is_matched(self.match, right, few=False)}"
        prepare, rows = changes(program, self.left, left, right, self.match)
        sign = "-" if self.anti else ""
        program.step(
            f"IF initial THEN {into}, l.{WEIGHT} FROM {left.delta} AS l WHERE {all_qualify}; ELSE "
            f"{into}, l.{WEIGHT} FROM {left.delta} AS l WHERE {qualifies}; "
            f"IF EXISTS (SELECT 1 FROM {right.delta} AS r) THEN {prepare}; "
            "PERFORM set_config('enable_hashjoin', 'on', true); "
            f"{into}, {sign}l.{WEIGHT} * (l._is - l._was) FROM {rows} AS l; "
            "PERFORM set_config('enable_hashjoin', 'off', true); END IF; END IF"
        )
        content = f"(SELECT {shown} FROM {left.content} AS l WHERE {all_qualify})"
        return Stream(table, content, joined_reading(self.match, self.left, self.right, (left, right)))

    def origin(self, column: str) -> Origin | None:
        return self.left.origin(column)

    def describe(self) -> Description:
        return Description("AntiJoin" if self.anti else "SemiJoin", self.match.shown, "delta", self._cost())

    def _cost(self) -> Cost:
        read_through = not self.match.by_index and self.match.condition is not None
        return Cost.STATE if read_through else Cost.DELTA_LOG
