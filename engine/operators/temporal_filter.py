"""Temporal filter: WHERE with now(). Rows come in or age out as the barrier's time advances.

Meaning: the rows with `column op now() - interval` at the barrier's time. Delta rule, with s for the filter at a time:
    d out = s_last(d in) + (s_now - s_last)(content')
that is, changes are judged by the last barrier's time, and the rows of the new content that lie between the two cut-offs
cross over: they leave for `>` and `>=`, they enter for `<` and `<=`. Rows with NULL never qualify.
State: the input's content, indexed by the column, without the rows that have crossed over: of a lower bound nobody looks at them
again, of an upper bound those who read the filter's content may.
Cost: O(delta log n) plus the rows that cross.
Source: RisingWave docs, "Temporal filters".
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from engine.compile.builder import ProgramBuilder
from engine.operators.base import WEIGHT, Along, Cost, Description, Origin, Stream, names, quote
from engine.operators.project import sql
from engine.operators.watermark import Watermark, Watermarks

NOW = "barrier_now"
LAST = "barrier_last"

_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}


@dataclass(eq=False)
class TemporalFilter(Along):
    """`column op bound`, where `bound` is an expression over now() that grows with it."""

    time: str
    op: str
    bound: exp.Expr

    @property
    def ages_out(self) -> bool:
        """True for a lower bound (rows leave), False for an upper bound (rows enter)."""
        return self.op in (">", ">=")

    @property
    def append_only(self) -> bool:  # type: ignore[override]
        return self.input.append_only and not self.ages_out

    def _cutoff(self, time: str) -> str:
        def at(node: exp.Expr) -> exp.Expr:
            return exp.column(time) if isinstance(node, exp.CurrentTimestamp) else node

        return f"({sql(self.bound.copy().transform(at))})"

    def lower(self, program: ProgramBuilder) -> Stream:
        program.uses_now = True
        crossed = {self.time: Watermark(self._cutoff(NOW), timed=True)}
        below = program.searchable(self.input, [self.time], unread=crossed)
        columns, column = names(self.columns), quote(self.time)
        now, last = self._cutoff(NOW), self._cutoff(LAST)
        table = program.delta_table(self.columns)
        weight = -1 if self.ages_out else 1
        if self.ages_out:
            between = f"{column} {self.op} {last} AND {column} {_OPPOSITE[self.op]} {now}"
        else:
            between = f"{column} {self.op} {now} AND {column} {_OPPOSITE[self.op]} {last}"
        into = f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {columns}"
        program.step(
            f"IF initial THEN {into}, {WEIGHT} FROM {below.delta} AS i WHERE {column} {self.op} {now}; "
            f"ELSE {into}, {WEIGHT} FROM {below.delta} AS i WHERE {column} {self.op} {last}; "
            f"{into}, {weight} FROM {below.content} AS i WHERE {between}; END IF"
        )

        def read(unread: Watermarks) -> None:
            below.reads({**unread, **crossed} if self.ages_out else unread)

        # IS TRUE hides the comparison from the planner: a join probes by its own columns, never by this wide range
        content = f"(SELECT {columns} FROM {below.content} AS i WHERE ({column} {self.op} {now}) IS TRUE)"
        return Stream(table, content, read)

    def origin(self, column: str) -> Origin | None:
        return self.input.origin(column)

    def describe(self) -> Description:
        detail = f"{self.time} {self.op} {sql(self.bound)}"
        return Description("TemporalFilter", detail, "delta", Cost.DELTA_LOG)
