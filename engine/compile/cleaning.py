"""Which rows of a state table nobody looks at any more, and the statement that deletes them.

Operators look into state by keys that changes bring. Where a key holds a column with a watermark, rows below it are never looked
at again: a window that has closed, a reading that is too old for an interval join. Every reader of a table tells so
(`Stream.reads`), the operator that writes it included where it reads it itself; when all is lowered, a table whose readers
all leave rows below a watermark of one column unread is cleaned by that column. The content of the view itself is read by
clients, so it is kept. Called by `ProgramBuilder`; pure.

The deletes run at the end of a step, since the barrier's own changes may lie below the watermark that stands after them. Below
watermarks they do not run before the view is filled: a fill brings rows of all times in any order. What it leaves behind goes in
parts, barrier by barrier.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.operators.base import Column, quote
from engine.operators.watermark import Watermark, Watermarks, least

MOST_ROWS = 100_000
"""What a barrier deletes of one table: some 100 ms."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Rows of `table` whose `column` lies below `watermark` may go."""

    table: str
    column: Column
    watermark: Watermark

    def explain(self) -> str:
        """For EXPLAIN.

        >>> Bound("engine.state_1_2", Column("ts", "date"), Watermark("w")).explain()
        'engine.state_1_2 is cleaned: "ts" below its watermark'
        """
        below = "past now()" if self.watermark.timed else "below its watermark"
        return f"{self.table} is cleaned: {quote(self.column.name)} {below}"

    def delete(self, variable: str) -> str:
        """The statements that do it. The watermark is put into a variable first: by that the planner finds the index."""
        column = quote(self.column.name)
        old = f"SELECT o.ctid FROM {self.table} AS o WHERE o.{column} < {variable} LIMIT {MOST_ROWS}"
        return f"{variable} := {self.watermark.sql}; DELETE FROM {self.table} AS s WHERE s.ctid = ANY (ARRAY({old}))"


@dataclass(slots=True)
class Kept:
    """A state table and what its readers leave unread, one entry a reader."""

    table: str
    columns: tuple[Column, ...]
    readers: list[Watermarks] = field(default_factory=list)

    def read(self, unread: Watermarks) -> None:
        """A `Reading`."""
        self.readers.append(unread)

    def bounds(self) -> list[Bound]:
        """By which columns it may be cleaned; none where some reader looks at rows of any age, or nobody has said anything."""
        if not self.readers:
            return []
        found = []
        for column in self.columns:
            marks = [m for r in self.readers if (m := r.get(column.name)) is not None and m.moves]
            if len(marks) == len(self.readers):
                found.append(Bound(self.table, column, least(list({m.sql: m for m in marks}.values()))))
        return found
