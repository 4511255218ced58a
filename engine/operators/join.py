"""Inner join on equal columns, with an optional further condition; without either the cross join.

Meaning: L JOIN R ON l.a = r.b AND condition. Delta rule (bilinear; primes are contents after the barrier):
    d out = dL >< R' + L' >< dR - dL >< dR
State: both contents, indexed by the join columns (a stored relation's own storage serves), without rows below the watermark of a
column that the other side bounds (equal columns, l.t >= r.t - interval): no match can come. NULL joins nothing.
Where no columns are equal but some are compared (l.x < r.y), the matches are found by a range of the index on these.
Key: both keys together. Cost: O(delta log n) plus the matches (by equal columns, or by the first comparison), also where one side
has one row; else O(state): each changed row is compared with every row of the other side.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.builder import ProgramBuilder, consolidate
from engine.operators.base import WEIGHT, Column, Cost, Description, Operator, Origin, Stream, names
from engine.operators.matching import Match, joined_reading
from engine.operators.watermark import Watermarks


@dataclass(eq=False)
class Join(Operator):
    """Column names of the two sides are disjoint."""

    left: Operator
    right: Operator
    match: Match
    """When two rows are joined."""

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (*self.left.columns, *self.right.columns)

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*self.left.key, *self.right.key)

    @property
    def append_only(self) -> bool:  # type: ignore[override]
        return self.left.append_only and self.right.append_only

    @property
    def watermarks(self) -> Watermarks:
        """Below what nothing new matches, by column of either side."""
        return self.match.watermarks(self.left.watermarks, self.right.watermarks)

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.left, self.right)

    @property
    def of_one_row(self) -> bool:
        return self.left.of_one_row and self.right.of_one_row

    def lower(self, program: ProgramBuilder) -> Stream:
        left, right = self._sides(program)
        on = self.match.sql()
        columns = f"{names(self.left.columns, 'l.')}, {names(self.right.columns, 'r.')}"
        table = program.delta_table(self.columns)
        into = f"INSERT INTO {table} ({names(self.columns)}, {WEIGHT}) SELECT {columns}"
        both = f"{into}, -l.{WEIGHT} * r.{WEIGHT} FROM {left.delta} AS l JOIN {right.delta} AS r ON {on}"
        rights, lefts = self.match.probed("r", right.content), self.match.probed("l", left.content)
        of_left = f"{into}, l.{WEIGHT} FROM {left.delta} AS l JOIN {rights}"
        first = of_left
        if not self.match.ranges:  # by a hash of all
            first = f"{into}, l.{WEIGHT} * r.{WEIGHT} FROM {left.delta} AS l JOIN {right.delta} AS r ON {on}"
        net = ""
        if (
            self.append_only
        ):  # what comes on both sides comes twice and is taken back once: nobody behind expects that
            netted = program.delta_table(self.columns)
            listed = names(self.columns)
            net = (
                f"INSERT INTO {netted} ({listed}, {WEIGHT}) {consolidate(table, listed)}; DELETE FROM {table}; "
                f"INSERT INTO {table} ({listed}, {WEIGHT}) SELECT {listed}, {WEIGHT} FROM {netted} AS d; "
            )
        program.step(
            f"IF initial THEN {first}; ELSE {of_left}; {into}, r.{WEIGHT} FROM {right.delta} AS r JOIN {lefts}; "
            f"IF EXISTS (SELECT 1 FROM {left.delta}) AND EXISTS (SELECT 1 FROM {right.delta}) THEN "
            f"PERFORM set_config('enable_hashjoin', 'on', true); {both}; {net}"
            f"PERFORM set_config('enable_hashjoin', 'off', true); END IF; END IF"
        )
        content = f"(SELECT {columns} FROM {left.content} AS l JOIN {right.content} AS r ON {on})"
        return Stream(table, content, joined_reading(self.match, self.left, self.right, (left, right)))

    def _sides(self, program: ProgramBuilder, lonely: str = "") -> tuple[Stream, Stream]:
        """Both contents, to be probed by the join columns; `lonely` as in `Match.unread`."""
        of_left, of_right = self.match.unread(self.left.watermarks, self.right.watermarks, lonely=lonely)
        left = program.searchable(self.left, self.match.left, unread=of_left)
        return left, program.searchable(self.right, self.match.right, unread=of_right)

    def origin(self, column: str) -> Origin | None:
        side = self.left if any(c.name == column for c in self.left.columns) else self.right
        return side.origin(column)

    def describe(self) -> Description:
        return Description("Join", self.match.shown, "delta", cost(self.match, self.left, self.right))


def cost(match: Match, left: Operator, right: Operator) -> Cost:
    """O(delta log n) where an index leads to the matches, or one side is a row that all others match; else a changed row is
    compared with every row of the other side.
    """
    if match.by_index:
        return Cost.DELTA_LOG
    lone = left.of_one_row or right.of_one_row
    return Cost.DELTA_LOG if lone and match.condition is None else Cost.STATE
