"""Window functions in EMIT ON WINDOW CLOSE: a row goes out once, when all the rows that its frames reach have closed.

Meaning: over the rows below the watermark, in the order of the time column, the window functions; a row is put out when it has
`following` rows behind it in its partition, or, with a SESSION frame, when a later session has begun.
Delta rule: the input brings each partition's rows in the order of time. Of the partitions touched the functions are computed over
the rows kept, and those that can be put out now go out.
State: the rows that are not out yet, and of the others the last `preceding` in each partition, by key and by partition; all of
them where that is None (ranks count from the beginning).
Append-only. Key: the input's. Cost: O(rows kept of the partitions touched).
Source: RisingWave docs, "Emit on window close", and its e2e tests' descriptions of what is put out when.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from engine.compile.builder import ProgramBuilder
from engine.operators.base import (
    WEIGHT,
    Column,
    Cost,
    Description,
    Origin,
    Stream,
    Unary,
    equal,
    equal_nulls,
    names,
    no_nulls,
    place_of,
    quote,
)
from engine.operators.groups import rows_of_groups, touched_groups
from engine.operators.project import sql

_OUT = Column("_out", "boolean", hidden=True)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the frames of some windows reach: rows behind, rows before (None: all), and the gap of SESSION frames."""

    following: int
    preceding: int | None
    gap: exp.Expr | None = None


@dataclass(eq=False)
class OverOnClose(Unary):
    """`query` computes the functions over rows of `input`, which emits on window close by column `time`."""

    group: tuple[str, ...]
    columns: tuple[Column, ...]
    query: Callable[[str], str]
    detail: str
    time: str
    reach: Reach
    append_only = True

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.input.key

    def lower(self, program: ProgramBuilder) -> Stream:
        group, key, rows = self.group, self.input.key, names(self.input.columns)
        below = program.pin(self.input, self.input.lower(program))
        state = program.state_table([*self.input.columns, _OUT], key)
        program.index([Origin(state, quote(g)) for g in group])
        groups = touched_groups(program, below.delta, [self.input.column(g) for g in group])
        table, columns = program.delta_table(self.columns), names(self.columns)
        program.step(
            f"INSERT INTO {state} ({rows}, {_OUT.name}) SELECT {rows}, false FROM {below.delta} AS d"
        )
        kept = rows_of_groups(state, groups, group, self.input.columns)
        waiting = self._is_state(state, "w", f"NOT s.{_OUT.name}")
        program.step(
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {columns}, 1 FROM ({self._judged(kept)}) AS w "
            f"WHERE w._after >= {self.reach.following} AND w._ended AND {waiting}"
        )
        program.step(
            f"UPDATE {state} AS t SET {_OUT.name} = true "
            f"FROM (SELECT {place_of(state, 'd', key)} AS _at FROM {table} AS d OFFSET 0) AS g WHERE t.ctid = g._at"
        )
        if self.reach.preceding is not None:
            out = rows_of_groups(state, groups, group, [*self.input.columns, _OUT])
            by = f"PARTITION BY {names(group)} " if group else ""
            number = f"row_number() OVER ({by}ORDER BY {self._last_first}) AS _n"
            old = f"SELECT {names(key)}, {number} FROM ({out}) AS o WHERE o.{_OUT.name}"
            program.step(
                f"DELETE FROM {state} AS t USING (SELECT {place_of(state, 'd', key)} AS _at FROM ({old}) AS d "
                f"WHERE d._n > {self.reach.preceding} OFFSET 0) AS g WHERE t.ctid = g._at"
            )
        return Stream(table, None)

    @property
    def _last_first(self) -> str:
        return ", ".join(f"{quote(c)} DESC" for c in (self.time, *self.input.key))

    def _judged(self, rows: str) -> str:
        """The rows with the functions, how many rows lie behind each (`_after`), and whether its session is over (`_ended`)."""
        by = f"PARTITION BY {names(self.group)} " if self.group else ""
        backwards = f"OVER ({by}ORDER BY {self._last_first})"
        ended = "true"
        found = f"SELECT v.*, true AS _last FROM ({self.query(f'({rows})')}) AS v"
        if self.reach.gap is not None:
            time = quote(self.time)
            beyond = f"lag({time}) {backwards} > {time} + {sql(self.reach.gap)}"
            found = f"SELECT v.*, coalesce({beyond}, false) AS _last FROM ({self.query(f'({rows})')}) AS v"
            ended = f"bool_or(_last) {backwards}"
        return f"SELECT v.*, row_number() {backwards} - 1 AS _after, {ended} AS _ended FROM ({found}) AS v"

    def _is_state(self, state: str, outer: str, condition: str) -> str:
        """Does the state hold the row of `outer` with this condition?"""
        key = self.input.key
        plain = f"EXISTS (SELECT 1 FROM {state} AS s WHERE {equal('s', outer, key)} AND {condition})"
        nulls = f"EXISTS (SELECT 1 FROM {state} AS s WHERE {equal_nulls('s', outer, key)} AND {condition})"
        return f"CASE WHEN {no_nulls(outer, key)} THEN {plain} ELSE {nulls} END"

    def describe(self) -> Description:
        reach = f"{self.reach.following} following, {'all' if self.reach.preceding is None else self.reach.preceding} preceding"
        session = ", sessions" if self.reach.gap is not None else ""
        return Description(
            "OverOnClose",
            f"by ({', '.join(self.group)}) {self.detail}; {reach}{session}",
            "per group",
            Cost.GROUP,
        )
