"""Top-N per group: row_number() OVER (PARTITION BY ... ORDER BY ...) <= n, and ORDER BY ... LIMIT n.

Meaning: the first n rows of each partition in the given order (ties: lowest input key), with the rank if it is asked for.
Delta rule: of each partition that the delta touches, the new top is found and compared with the old one, which is the
state. Over an append-only input the candidates are the old top and the delta, so nothing else is kept; over an input
with retractions they are the first n of the partition's content by an index on (partition, order).
For n = 1 over an append-only input one conditional upsert does it all.
State: the current top rows. Key: the input's key (for n = 1 the partition). Cost: O(delta log n).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.program import ProgramBuilder, apply_delta
from engine.operators.base import (
    WEIGHT,
    Column,
    Cost,
    Description,
    Operator,
    Origin,
    Stream,
    equal,
    equal_nulls,
    names,
    no_nulls,
    quote,
)
from engine.operators.watermark import Watermarks


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
class TopN(Operator):
    """`rank` names the bigint column that carries the row number, or None."""

    input: Operator
    partition: tuple[str, ...]
    order: tuple[SortKey, ...]
    limit: int
    rank: str | None
    append_only = False
    _state: str = ""

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (*self.input.columns, *([Column(self.rank, "bigint")] if self.rank else []))

    @property
    def _single(self) -> bool:
        return self.limit == 1 and self.rank is None and self.input.append_only and bool(self.partition)

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.partition if self._single else self.input.key

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def owns_content(self) -> bool:
        return True

    @property
    def watermarks(self) -> Watermarks:
        return {c: w for c, w in self.input.watermarks.items() if c in self.partition}

    @property
    def probes_content(self) -> bool:
        return not self.input.append_only

    def lower(self, program: ProgramBuilder) -> Stream:
        return self._lower_single(program) if self._single else self._lower_ranked(program)

    def _lower_single(self, program: ProgramBuilder) -> Stream:
        below = self.input.lower(program)
        self._state = state = program.state_table(self.columns, self.partition)
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
        return Stream(table, state)

    def _lower_ranked(self, program: ProgramBuilder) -> Stream:
        if self.input.append_only:
            below = program.pin(self.input, self.input.lower(program))
        else:
            ordered = [*self.partition, *(k.column for k in self.order)]
            below = program.searchable(self.input, ordered, [k.direction for k in self.order])
        columns, inner = names(self.columns), names(self.input.columns)
        self._state = state = program.state_table(self.columns, self.key)
        program.index([Origin(state, quote(p)) for p in self.partition])
        groups = program.delta_table([self.input.column(p) for p in self.partition])
        ranked, table = program.delta_table(self.columns), program.delta_table(self.columns)
        if self.partition:
            program.step(
                f"INSERT INTO {groups} ({names(self.partition)}) SELECT DISTINCT {names(self.partition)} FROM {below.delta}"
            )
        else:
            program.step(f"INSERT INTO {groups} ({WEIGHT}) SELECT 1 FROM {below.delta} LIMIT 1")
        order = ", ".join([*(k.sql() for k in self.order), names(self.input.key)])
        by = f"PARTITION BY {names(self.partition)} " if self.partition else ""
        old = self._of_groups(state, groups, self.columns)
        if self.input.append_only:
            candidates = f"{self._of_groups(state, groups, self.input.columns)} UNION ALL SELECT {inner} FROM {below.delta}"
        else:
            first = f" ORDER BY {', '.join([*(k.sql('c.') for k in self.order), names(self.input.key, 'c.')])} LIMIT {self.limit}"
            candidates = self._of_groups(str(below.content), groups, self.input.columns, first)
        rank = f", row_number() OVER ({by}ORDER BY {order}) AS _rank"
        program.step(
            f"INSERT INTO {ranked} ({columns}) SELECT {inner}{', _rank' if self.rank else ''} "
            f"FROM (SELECT q.*{rank} FROM ({candidates}) AS q) AS q WHERE _rank <= {self.limit}"
        )
        program.step(
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {columns}, sum({WEIGHT}) FROM ("
            f"SELECT q.*, -1 AS {WEIGHT} FROM ({old}) AS q UNION ALL SELECT {columns}, 1 FROM {ranked}) AS q "
            f"GROUP BY {columns} HAVING sum({WEIGHT}) <> 0"
        )
        for statement in apply_delta(state, table, self):
            program.step(statement)
        return Stream(table, state)

    def _of_groups(self, content: str, groups: str, columns: tuple[Column, ...], first: str = "") -> str:
        """The rows of `content` in the touched partitions, each partition probed by index; NULL equals NULL."""
        listed = names(columns, "t.")
        if not self.partition:
            return f"SELECT {listed} FROM {groups} AS g CROSS JOIN LATERAL (SELECT * FROM {content} AS c{first}) AS t"
        strict = no_nulls("g", self.partition)
        plain = f"SELECT * FROM {content} AS c WHERE {strict} AND {equal('c', 'g', self.partition)}{first}"
        nulls = f"SELECT * FROM {content} AS c WHERE NOT ({strict}) AND {equal_nulls('c', 'g', self.partition)}{first}"
        return f"SELECT {listed} FROM {groups} AS g CROSS JOIN LATERAL (({plain}) UNION ALL ({nulls})) AS t"

    def origin(self, column: str) -> Origin | None:
        return Origin(self._state, quote(column))

    def describe(self) -> Description:
        order = ", ".join(k.sql() for k in self.order)
        detail = f"first {self.limit} by ({', '.join(self.partition)}) order {order}"
        return Description("TopN", detail, "per key" if self._single else "per group", Cost.DELTA_LOG)
