"""RecomputeGroups: any query that can be asked of each group by itself, asked anew of the groups that changed.

Meaning: `query` over the input, where the result's rows of one value of `group` depend on the input's rows of that value
alone. Delta rule: of the groups that the delta touches, the query over their content is compared with what was put out for them,
    d out = query(content' of touched groups) - (old output of touched groups)
State: the output by its key and by group; the input's content, indexed by group (a stored relation's own storage serves). Groups
below the watermark of one of their columns go, unless somebody reads them.
Key: what the compiler says is unique. Cost: O(group); without group columns everything is one group, O(state).
Reference: the query as a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from engine.compile.builder import ProgramBuilder, apply_delta
from engine.operators.base import (
    WEIGHT,
    Column,
    Cost,
    Description,
    Origin,
    Stored,
    Stream,
    Unary,
    names,
    quote,
)
from engine.operators.groups import rows_of_groups, touched_groups
from engine.operators.watermark import Watermarks, moving


@dataclass(eq=False)
class RecomputeGroups(Stored, Unary):
    """`group` are columns of input and output; `query` gives a SELECT of `columns` from a relation of the input's rows."""

    group: tuple[str, ...]
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    query: Callable[[str], str]
    name: str
    detail: str
    windows: tuple[exp.Window, ...] = ()  # the window functions, if that is what it computes
    append_only = False

    @property
    def watermarks(self) -> Watermarks:
        return {c: w for c, w in self.input.watermarks.items() if c in self.group}

    def lower(self, program: ProgramBuilder) -> Stream:
        done = moving(self.watermarks)
        below = program.searchable(self.input, self.group, unread=done)
        self._state = state = program.state_table(self.columns, self.key)
        program.index([Origin(state, quote(g)) for g in self.group])
        read = program.keep(state, self.columns, done)
        groups = touched_groups(program, below.delta, [self.input.column(g) for g in self.group])
        now, table = program.delta_table(self.columns), program.delta_table(self.columns)
        columns = names(self.columns)
        rows = rows_of_groups(str(below.content), groups, self.group, self.input.columns)
        old = rows_of_groups(state, groups, self.group, self.columns)
        program.step(f"INSERT INTO {now} ({columns}) {self.query(f'({rows})')}")
        program.step(
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {columns}, sum({WEIGHT}) FROM ("
            f"SELECT {columns}, -1 AS {WEIGHT} FROM ({old}) AS q UNION ALL SELECT {columns}, 1 FROM {now} AS q) AS q "
            f"GROUP BY {columns} HAVING sum({WEIGHT}) <> 0"
        )
        for statement in apply_delta(state, table, self, consolidated=True):
            program.step(statement)
        return Stream(table, state, read)

    def describe(self) -> Description:
        how, cost = ("per group", Cost.GROUP) if self.group else ("whole", Cost.STATE)
        return Description(self.name, f"by ({', '.join(self.group)}) {self.detail}", how, cost)
