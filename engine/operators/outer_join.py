"""Left and full join: the inner join plus the rows that match nothing, padded with NULL.

Meaning: L LEFT JOIN R ON l.a = r.b AND condition; a right join is a left join with the sides exchanged, a full join keeps the
unmatched rows of both sides. Delta rule: the inner part as in `join`; for each unmatched part, with u(l) = 1 if l matches
nothing and u' the same after the barrier (see `matching`),
    d unmatched = u'(dL) + (u' - u)(L' - dL)
State: both contents, indexed by the join columns; what an inner join would not look at again stays as long as it counts for a row
that may still be padded or not.
Key: both keys together (NULL for the padded side), in a full join with a number that says which side is padded, since keys may
hold NULL themselves. Cost: O(delta log n) plus the matches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import count

from engine.compile.builder import ProgramBuilder
from engine.operators.base import WEIGHT, Column, Description, Operator, Origin, Stream, names, quote
from engine.operators.join import Join, cost
from engine.operators.matching import changes, is_matched, joined_reading
from engine.operators.watermark import Watermarks


@dataclass(eq=False)
class OuterJoin(Join):
    """Column names of the two sides are disjoint. `full`: unmatched rows of the right side are kept as well."""

    full: bool = False

    @cached_property
    def _side(self) -> str:
        """The column that says which side is padded: a full join of a full join has two."""
        taken = {c.name for c in (*self.left.columns, *self.right.columns)}
        return next(name for n in count() if (name := f"_side{n or ''}") not in taken)

    @property
    def append_only(self) -> bool:  # type: ignore[override]
        return False

    @property
    def of_one_row(self) -> bool:
        return not self.full and super().of_one_row

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        side = (Column(self._side, "smallint", hidden=True),) if self.full else ()
        return (*self.left.columns, *self.right.columns, *side)

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*self.left.key, *self.right.key, *((self._side,) if self.full else ()))

    @property
    def watermarks(self) -> Watermarks:
        of_left = {c.name for c in self.left.columns}
        return {} if self.full else {c: w for c, w in super().watermarks.items() if c in of_left}

    def lower(self, program: ProgramBuilder) -> Stream:
        left, right = self._sides(program, "lr" if self.full else "l")
        on, columns = self.match.sql(), self._columns(0)
        table = program.delta_table(self.columns)
        into = f"INSERT INTO {table} ({names(self.columns)}, {WEIGHT}) SELECT"
        # the content, not the delta: a delta may take rows back that it has brought
        rights, lefts = self.match.probed("r", right.content), self.match.probed("l", left.content)
        first = f"{into} {columns}, l.{WEIGHT} FROM {left.delta} AS l LEFT JOIN {self._all_of(right.content)}"
        if self.full:
            kept = f"(SELECT *, 1 AS {WEIGHT} FROM {right.content} AS r)"
            side = f"CASE WHEN r.{WEIGHT} IS NULL THEN 1 ELSE 0 END"
            first = f"{into} {self._columns(side)}, l.{WEIGHT} FROM {left.delta} AS l LEFT JOIN {self._all_of(kept)}"
            lonely = f"NOT {is_matched(self.match.flipped(), left, few=False)}"
            first += (
                f"; {into} {self._padded(self.right, 2)}, l.{WEIGHT} FROM {right.delta} AS l WHERE {lonely}"
            )
        program.step(
            f"IF initial THEN {first}; ELSE "
            f"{into} {columns}, l.{WEIGHT} FROM {left.delta} AS l JOIN {rights}; "
            f"IF EXISTS (SELECT 1 FROM {right.delta} AS r) THEN "
            f"{into} {columns}, r.{WEIGHT} FROM {right.delta} AS r JOIN {lefts}; "
            f"PERFORM set_config('enable_hashjoin', 'on', true); "
            f"{into} {columns}, -l.{WEIGHT} * r.{WEIGHT} FROM {left.delta} AS l JOIN {right.delta} AS r ON {on}; "
            f"PERFORM set_config('enable_hashjoin', 'off', true); END IF; END IF"
        )
        self._unmatched(program, into, left, right)
        if self.full:
            self._unmatched(program, into, right, left, of_right=True)
        reading = joined_reading(self.match, self.left, self.right, (left, right))
        return Stream(table, self._content(left, right, on), reading)

    def _all_of(self, content: str | None) -> str:
        """The right side, to be put behind LEFT JOIN where the left one comes as a whole: by a hash, where one is possible."""
        if self.match.ranges or self.match.null_safe:
            return self.match.probed("r", content)
        return f"{content} AS r ON {self.match.sql()}"

    def _unmatched(
        self, program: ProgramBuilder, into: str, one: Stream, other: Stream, *, of_right: bool = False
    ) -> None:
        """The rows of the left side, or `of_right`, whose stream is `one`, that match nothing on the other."""
        kept, match = (self.right, self.match.flipped()) if of_right else (self.left, self.match)
        padded = self._padded(kept, 2 if of_right else 1)
        prepare, rows = changes(program, kept, one, other, match)
        program.step(
            f"IF NOT initial THEN {into} {padded}, l.{WEIGHT} FROM {one.delta} AS l WHERE NOT {is_matched(match, other)}; "
            f"IF EXISTS (SELECT 1 FROM {other.delta} AS r) THEN {prepare}; "
            f"PERFORM set_config('enable_hashjoin', 'on', true); "
            f"{into} {padded}, l.{WEIGHT} * (l._was - l._is) FROM {rows} AS l; "
            f"PERFORM set_config('enable_hashjoin', 'off', true); END IF; END IF"
        )

    def _columns(self, side: int | str) -> str:
        both = f"{names(self.left.columns, 'l.')}, {names(self.right.columns, 'r.')}"
        return f"{both}, {side} AS {quote(self._side)}" if self.full else both

    def _padded(self, kept: Operator, side: int) -> str:
        """The columns of an unmatched row l of the side `kept`."""
        shown = [
            f"l.{quote(c.name)}" if each is kept else f"NULL::{c.type} AS {quote(c.name)}"
            for each in (self.left, self.right)
            for c in each.columns
        ]
        return ", ".join([*shown, *([f"{side} AS {quote(self._side)}"] if self.full else [])])

    def _content(self, left: Stream, right: Stream, on: str) -> str:
        if not self.full:
            return f"(SELECT {self._columns(0)} FROM {left.content} AS l LEFT JOIN {self._all_of(right.content)})"
        flipped = self.match.flipped()
        unmatched = f"NOT {is_matched(flipped, left, few=False)}"
        lonely = f"SELECT {self._padded(self.right, 2)} FROM {right.content} AS l WHERE {unmatched}"
        side = "CASE WHEN r._w IS NULL THEN 1 ELSE 0 END"
        kept = (
            f"SELECT {self._columns(side)} FROM {left.content} AS l LEFT JOIN (SELECT *, 1 AS _w FROM {right.content} AS r) AS r "
            f"ON {on}"
        )
        return f"({kept} UNION ALL {lonely})"

    def origin(self, column: str) -> Origin | None:
        return None if self.full else super().origin(column)

    def describe(self) -> Description:
        name = "FullJoin" if self.full else "LeftJoin"
        return Description(name, self.match.shown, "delta", cost(self.match, self.left, self.right))
