"""Top-N per group: row_number() or rank() OVER (PARTITION BY ... ORDER BY ...) <= n, and ORDER BY ... LIMIT n OFFSET m.

Meaning: the rows of each partition whose row number (ties: lowest input key) or rank lies above `offset` and up to `limit`,
with the rank if it is asked for. LIMIT n OFFSET m is m < row_number() <= m + n, WITH TIES is rank().
Delta rule: of each partition that the delta touches, the new top is found and compared with the old one, which is the
state. Over an append-only input the candidates are the old top and the delta, so nothing else is kept; over an input
with retractions, or where the first rows are left out, they are the first n of the partition's content by an index on
(partition, order).
For n = 1 over an append-only input one conditional upsert does it all.
State: the current top rows; partitions below the watermark of one of their columns go, unless somebody reads them.
Key: the input's key (for n = 1 the partition). Cost: O(delta log n).
"""

from __future__ import annotations

from dataclasses import dataclass

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

ROW_NUMBER, RANK = "row_number", "rank"
_FEW = 10_000
"""Up to so many rows a group, comparing old and new top is no more than a barrier's usual work."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """An input column and its direction."""

    column: str
    descending: bool
    nulls_first: bool

    def sql(self, prefix: str = "") -> str:
        """For ORDER BY."""
        return f"{prefix}{quote(self.column)} {self.direction}"

    @property
    def direction(self) -> str:
        """ASC or DESC, and where NULLs go."""
        return f"{'DESC' if self.descending else 'ASC'} NULLS {'FIRST' if self.nulls_first else 'LAST'}"


def precedes(order: tuple[SortKey, ...], left: str, right: str) -> str:
    """A boolean: does the row `left` come strictly before the row `right`?"""
    condition = "false"
    for key in reversed(order):
        a, b = f"{left}.{quote(key.column)}", f"{right}.{quote(key.column)}"
        null, other = (a, b) if key.nulls_first else (b, a)
        before = f"({a} {'>' if key.descending else '<'} {b} OR ({null} IS NULL AND {other} IS NOT NULL))"
        condition = f"({before} OR ({a} IS NOT DISTINCT FROM {b} AND {condition}))"
    return f"coalesce({condition}, false)"


@dataclass(eq=False)
class TopN(Stored, Unary):
    """`rank` names the bigint column that carries the row number or rank, or None; `limit` is the highest that stays."""

    partition: tuple[str, ...]
    order: tuple[SortKey, ...]
    limit: int
    rank: str | None
    offset: int = 0
    function: str = ROW_NUMBER
    append_only = False

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (*self.input.columns, *([Column(self.rank, "bigint")] if self.rank else []))

    @property
    def of_one_row(self) -> bool:
        single = not self.partition and self.limit - self.offset <= 1 and self.function == ROW_NUMBER
        return single or self.input.of_one_row

    @property
    def _single(self) -> bool:
        plain = self.rank is None and self.offset == 0 and self.function == ROW_NUMBER
        return plain and self.limit == 1 and self.input.append_only and bool(self.partition)

    @property
    def _keeps_top(self) -> bool:
        """Is the state all that is needed to judge what comes?"""
        return self.input.append_only and self.offset == 0

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.partition if self._single else self.input.key

    @property
    def watermarks(self) -> Watermarks:
        return {c: w for c, w in self.input.watermarks.items() if c in self.partition}

    def lower(self, program: ProgramBuilder) -> Stream:
        return self._lower_single(program) if self._single else self._lower_ranked(program)

    def _lower_single(self, program: ProgramBuilder) -> Stream:
        below = self.input.lower(program)
        self._state = state = program.state_table(self.columns, self.partition)
        read = program.keep(state, self.columns, moving(self.watermarks))
        table = program.delta_table(self.columns)
        columns, partition = names(self.columns), names(self.partition)
        rest = [c.name for c in self.columns if c.name not in self.partition]
        sets = ", ".join(f"{quote(c)} = EXCLUDED.{quote(c)}" for c in rest or self.partition)
        order = ", ".join([partition, *(k.sql() for k in self.order), names(self.input.key)])
        upsert = (
            f"INSERT INTO {state} AS s ({columns}) SELECT DISTINCT ON ({partition}) {columns} FROM {below.delta} AS d "
            f"ORDER BY {order} ON CONFLICT ({partition}) DO UPDATE SET {sets} "
            f"WHERE {precedes(self.order, 'EXCLUDED', 's')}"
        )
        old = ", ".join(f"old.{quote(c.name)} AS o{i}" for i, c in enumerate(self.columns))
        new = ", ".join(f"new.{quote(c.name)} AS n{i}" for i, c in enumerate(self.columns))
        count = range(len(self.columns))
        emit = (
            f"WITH changed AS ({upsert} RETURNING old.ctid IS NOT NULL AS existed, {old}, {new}) "
            f"INSERT INTO {table} ({columns}, {WEIGHT}) "
            f"SELECT {', '.join(f'c.o{i}' for i in count)}, -1 FROM changed AS c WHERE c.existed "
            f"UNION ALL SELECT {', '.join(f'c.n{i}' for i in count)}, 1 FROM changed AS c"
        )
        program.leaf_step(self, emit, upsert)
        return Stream(table, state, read)

    def _lower_ranked(self, program: ProgramBuilder) -> Stream:
        if self._keeps_top:
            below = program.pin(self.input, self.input.lower(program))
        else:
            sorted_by = [k.column for k in self.order] or list(self.input.key)
            ordered = [*self.partition, *(c for c in sorted_by if c not in self.partition)]
            directions = [k.direction for k in self.order]
            below = program.searchable(self.input, ordered, directions, unread=moving(self.watermarks))
        columns, inner = names(self.columns), names(self.input.columns)
        self._state = state = program.state_table(self.columns, self.key)
        program.index([Origin(state, quote(p)) for p in self.partition])
        read = program.keep(state, self.columns, moving(self.watermarks))
        groups = touched_groups(program, below.delta, [self.input.column(p) for p in self.partition])
        ranked, table = program.delta_table(self.columns), program.delta_table(self.columns)
        by = f"PARTITION BY {names(self.partition)} " if self.partition else ""
        old = rows_of_groups(state, groups, self.partition, self.columns)
        inputs = self.input.columns
        if self._keeps_top:
            top = rows_of_groups(state, groups, self.partition, inputs)
            candidates = f"{top} UNION ALL SELECT {inner} FROM {below.delta}"
        else:
            candidates = rows_of_groups(str(below.content), groups, self.partition, inputs, self._first())
        rank = f", {self.function}() OVER ({by}{self._order('')}) AS _rank"
        wanted = f"_rank <= {self.limit}" + (f" AND _rank > {self.offset}" if self.offset else "")
        program.step(
            f"INSERT INTO {ranked} ({columns}) SELECT {inner}{', _rank' if self.rank else ''} "
            f"FROM (SELECT q.*{rank} FROM ({candidates}) AS q) AS q WHERE {wanted}"
        )
        program.step(
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {columns}, sum({WEIGHT}) FROM ("
            f"SELECT q.*, -1 AS {WEIGHT} FROM ({old}) AS q UNION ALL SELECT {columns}, 1 FROM {ranked}) AS q "
            f"GROUP BY {columns} HAVING sum({WEIGHT}) <> 0"
        )
        for statement in apply_delta(state, table, self):
            program.step(statement)
        return Stream(table, state, read)

    def _order(self, prefix: str) -> str:
        """ORDER BY: what is equal in it is decided by the input's key, or is a tie."""
        ties = [] if self.function == RANK else [names(self.input.key, prefix)] if self.input.key else []
        by = ", ".join([*(k.sql(prefix) for k in self.order), *ties])
        return f"ORDER BY {by}" if by else ""

    def _first(self) -> str:
        """What is put behind the probe of a partition: its first rows, as far as the limit."""
        if self.function == ROW_NUMBER:
            return f" {self._order('c.')} LIMIT {self.limit}"
        ties = f" {self._order('c.')} FETCH FIRST {self.limit} ROWS WITH TIES"
        return ties if self.order else "" if self.limit else " LIMIT 0"

    def describe(self) -> Description:
        order = ", ".join(k.sql() for k in self.order)
        after = f" after {self.offset}" if self.offset else ""
        ties = " with ties" if self.function == RANK else ""
        detail = f"first {self.limit}{after}{ties} by ({', '.join(self.partition)}) order {order}"
        cost = Cost.DELTA_LOG if self.limit <= _FEW else Cost.GROUP
        return Description("TopN", detail, "per key" if self._single else "per group", cost)
