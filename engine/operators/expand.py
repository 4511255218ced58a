"""Expand: each row joined with the rows that an expression makes of it: table functions, set-returning functions, VALUES.

Meaning: L CROSS JOIN LATERAL (rows) AS f, or with `outer` L LEFT JOIN LATERAL (rows) AS f ON true. The rows depend on the row
of L alone. Delta rule: the same on the delta, weights untouched (linear). State: none. Key: the input's and the number of the
row among those that it makes, from 1 on (NULL where it is padded). Asks for rows that are the same each time, in the same order.
Cost: O(delta), times the rows made. Reference: the query as a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.builder import ProgramBuilder
from engine.operators.base import WEIGHT, Column, Cost, Description, Linear, Origin, Stream, names


@dataclass(eq=False)
class Expand(Linear):
    """`rows` is PostgreSQL text of a FROM item over the input's columns, which gives `made` and then the row's number."""

    rows: str
    made: tuple[Column, ...]
    number: str
    outer: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (*self.input.columns, *self.made, Column(self.number, "bigint", hidden=True))

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*self.input.key, self.number)

    def lower(self, program: ProgramBuilder) -> Stream:
        below = self.input.lower(program)
        fresh = [*(c.name for c in self.made), self.number]
        shown = f"{names(self.input.columns, 'i.')}, {names(fresh, 'f.')}"
        kind, on = ("LEFT JOIN", " ON true") if self.outer else ("CROSS JOIN", "")
        made = f"{kind} LATERAL {self.rows} AS f ({names(fresh)}){on}"
        delta = f"(SELECT {shown}, i.{WEIGHT} FROM {below.delta} AS i {made})"
        content = None if below.content is None else f"(SELECT {shown} FROM {below.content} AS i {made})"
        return Stream(delta, content, below.read)

    def origin(self, column: str) -> Origin | None:
        fresh = {*(c.name for c in self.made), self.number}
        return None if column in fresh else self.input.origin(column)

    def describe(self) -> Description:
        return Description("Expand", self.rows, "delta", Cost.DELTA)
