"""ASOF join: each left row meets the one right row that is nearest to it, among those of equal columns.

Meaning: L ASOF [LEFT] JOIN R ON l.a = r.b AND l.x op r.y. For <= and < the match is the right row with the least y that
satisfies it, for >= and > the one with the greatest; among equals the one with the lowest key. LEFT keeps rows without a match.
Delta rule: a left row's match is looked up again when the row changes, or when a right row changes that lies next to it: for a
change of y only the left rows between y and the nearest other y of the new right content can see another match. The rows
found so are compared with the output stored for them.
State: the output; both contents, indexed by the join columns and x or y (a stored relation's own storage serves), without
what lies below watermarks (`_unread`).
NULL joins nothing. Key: the left key. Cost: O(delta log n) plus the left rows whose neighbour changed.
Source: RisingWave docs, "ASOF joins".
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
    Stored,
    Stream,
    equal,
    names,
    quote,
    rows_like,
)
from engine.operators.matching import Match, Sides
from engine.operators.watermark import Watermarks, least, moving

_BEYOND = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
"""How a left row lies to a right one that is not its match."""


@dataclass(eq=False)
class AsofJoin(Stored):
    """`nearest` is (x, op, y): left column, comparison, right column. Column names of the two sides are disjoint."""

    left: Operator
    right: Operator
    pairs: tuple[tuple[str, str], ...]
    nearest: tuple[str, str, str]
    outer: bool
    append_only = False

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
        equal = Match(self.pairs).watermarks(self.left.watermarks, self.right.watermarks)
        return {**self._settled, **equal}

    def lower(self, program: ProgramBuilder) -> Stream:
        x, _, y = self.nearest
        of_left, of_right = self._unread()
        left = program.searchable(self.left, [*(a for a, _ in self.pairs), x], unread=of_left)
        right = program.searchable(self.right, [*(b for _, b in self.pairs), y], unread=of_right)
        self._state = state = program.state_table(self.columns, self.key)
        read = program.keep(state, self.columns, of_left)
        columns, rows, key = names(self.columns), names(self.left.columns), names(self.left.key)
        touched, found = program.delta_table(self.left.columns), program.delta_table(self.left.columns)
        table = program.delta_table(self.columns)
        program.step(
            f"INSERT INTO {touched} ({rows}, {WEIGHT}) {consolidate(left.delta, rows)}; "
            f"IF NOT initial THEN INSERT INTO {touched} ({rows}, {WEIGHT}) "
            f"SELECT {names(self.left.columns, 'l.')}, 1 {self._neighbours(left, right)}; END IF"
        )
        program.step(
            f"INSERT INTO {found} ({rows}) SELECT DISTINCT ON ({key}) {rows} FROM {touched} AS d WHERE {WEIGHT} > 0"
        )
        old = rows_like(state, "d", self.key, names(self.columns, "s."))
        program.step(
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {columns}, sum({WEIGHT}) FROM ("
            f"SELECT o.*, -1 AS {WEIGHT} FROM (SELECT DISTINCT {key} FROM {touched}) AS d "
            f"CROSS JOIN LATERAL ({old}) AS o "
            f"UNION ALL SELECT {columns}, 1 {self._matched(found, right)}) AS q "
            f"GROUP BY {columns} HAVING sum({WEIGHT}) <> 0"
        )
        for statement in apply_delta(state, table, self, consolidated=True):
            program.step(statement)
        return Stream(table, state, read)

    @property
    def _settled(self) -> Watermarks:
        """Looking back, a left row has found its match for good when no right row can come before it any more."""
        x, op, y = self.nearest
        left, right = self.left.watermarks, self.right.watermarks
        return {x: least([left[x], right[y]])} if op in (">", ">=") and x in left and y in right else {}

    def _unread(self) -> Sides:
        """Rows below the watermark of equal columns meet nothing new, and left rows below one that are settled."""
        of_left, of_right = Match(self.pairs).unread(self.left.watermarks, self.right.watermarks)
        return {**of_left, **moving(self._settled)}, of_right

    def _matched(self, left: str, right: Stream) -> str:
        """FROM: the left rows with their matches."""
        x, op, y = self.nearest
        descending = " DESC" if op in (">", ">=") else ""
        order = ", ".join(
            [f"r.{quote(y)}{descending}", *([names(self.right.key, "r.")] if self.right.key else [])]
        )
        return (
            f"FROM {left} AS l {'LEFT' if self.outer else 'INNER'} JOIN LATERAL (SELECT {names(self.right.columns, 'r.')} "
            f"FROM {right.content} AS r WHERE {self._equal()} AND l.{quote(x)} {op} r.{quote(y)} "
            f"ORDER BY {order} LIMIT 1) AS m ON true"
        )

    def _neighbours(self, left: Stream, right: Stream) -> str:
        """FROM: the left rows that lie between a changed right row and the next one that would be their match instead."""
        x, op, y = self.nearest
        below = op in ("<", "<=")
        n, r = f"n.{quote(y)}", f"r.{quote(y)}"
        other = (
            f"SELECT {n} AS y FROM {right.content} AS n "
            f"WHERE {equal('n', 'r', [b for _, b in self.pairs])} AND {n} {'<' if below else '>'} {r} "
            f"ORDER BY {n} {'DESC' if below else 'ASC'} LIMIT 1"
        )
        changed = names([*(b for _, b in self.pairs), y])
        rows = f"SELECT * FROM {left.content} AS l WHERE {self._equal()} AND l.{quote(x)} {op} {r}"
        # two probes, each with a range that the index serves: an OR would read all that precedes
        return (
            f"FROM (SELECT DISTINCT {changed} FROM {right.delta} AS d) AS r LEFT JOIN LATERAL ({other}) AS n ON true "
            f"CROSS JOIN LATERAL (({rows} AND n.y IS NULL) UNION ALL ({rows} AND l.{quote(x)} {_BEYOND[op]} n.y)) AS l"
        )

    def _equal(self) -> str:
        return " AND ".join(f"l.{quote(a)} = r.{quote(b)}" for a, b in self.pairs)

    def describe(self) -> Description:
        x, op, y = self.nearest
        detail = f"{'left, ' if self.outer else ''}{self._equal()} AND nearest l.{quote(x)} {op} r.{quote(y)}"
        return Description("AsofJoin", detail, "per key", Cost.DELTA_LOG)
