"""OverRows: window functions that look at a few rows before and behind: ROWS frames between bounds, lag() and lead().

Meaning: the input's rows with the windows' values, all windows of one partition and order. Delta rule: a row that comes or goes
at a place changes its own values and those of the `behind` rows after the place and of the `ahead` rows before it; these are
computed again from them and as many rows around them, found by index, and compared with what was put out for them.
State: the input's rows with the values, by key and by (partition, order, key). For that index NULL is replaced by a value and
a flag, so that a place is one comparison of rows. Asks for one direction in `order`, NULLs at the end that is usual for it, and
types that ZERO lists. Key: the input's. Cost: O(delta log n), times the rows that a frame reaches.
Reference: the query as a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.compile.builder import ProgramBuilder, consolidate
from engine.operators.base import (
    WEIGHT,
    Along,
    Column,
    Cost,
    Description,
    Origin,
    Stored,
    Stream,
    names,
    place_of,
    quote,
)
from engine.operators.watermark import Watermarks, moving

ZERO = {
    "smallint": "0",
    "integer": "0",
    "bigint": "0",
    "numeric": "0",
    "real": "0",
    "double precision": "0",
    "boolean": "false",
    "text": "''",
    "character varying": "''",
    "date": "'epoch'",
    "timestamp without time zone": "'epoch'",
    "timestamp with time zone": "'epoch'",
    "interval": "'0'",
}
"""What stands for NULL in the index, beside the flag that says so."""


@dataclass(eq=False)
class OverRows(Stored, Along):
    """`items` are the windows as SQL over the input's columns, with their columns; `behind` and `ahead` are counts of rows."""

    partition: tuple[str, ...]
    order: tuple[str, ...]
    descending: bool
    behind: int
    ahead: int
    items: tuple[tuple[str, Column], ...]
    append_only = False

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (*self.input.columns, *(column for _, column in self.items))

    @property
    def watermarks(self) -> Watermarks:
        return {c: w for c, w in self.input.watermarks.items() if c in self.partition}

    def query(self, rows: str) -> str:
        """SELECT of the columns over whole partitions."""
        items = ", ".join(f"{text} AS {quote(column.name)}" for text, column in self.items)
        return f"SELECT {names(self.input.columns)}, {items} FROM {rows} AS q"

    @property
    def _places(self) -> tuple[str, ...]:
        """The columns that say where a row stands."""
        return tuple(dict.fromkeys([*self.partition, *self.order, *self.key]))

    def _ranks(self, columns: Sequence[str], prefix: str = "") -> list[str]:
        """NULL-free expressions that sort as the columns do, ascending and NULLs last."""
        found = []
        for name in columns:
            type_ = self.input.column(name).type
            column = prefix + quote(name)
            found += [f"{column} IS NULL", f"COALESCE({column}, {ZERO[base_type(type_)]}::{type_})"]
        return found

    def lower(self, program: ProgramBuilder) -> Stream:
        below = self.input.lower(program)
        fresh = Column("_fresh", "boolean")
        self._state = state = program.state_table([*self.columns, fresh], self.key)
        program.index([Origin(state, e) for e in self._ranks(self._places)])
        read = program.keep(state, self.columns, moving(self.watermarks))
        changes = program.delta_table(self.input.columns)
        gone = program.delta_table([Column("_at", "tid")])
        around = program.delta_table([Column("_at", "tid"), Column("_hit", "boolean")])
        now = program.delta_table([*self.columns, fresh, Column("_at", "tid")])
        table = program.delta_table(self.columns)
        inner, columns = names(self.input.columns), names(self.columns)
        windows = ", ".join(f"{text} AS {quote(c.name)}" for text, c in self.items)
        steps = [
            f"INSERT INTO {changes} ({inner}, {WEIGHT}) {consolidate(below.delta, inner)}",
            f"INSERT INTO {gone} (_at) {self._rows_that_go(changes)}",
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {names(self.columns, 's.')}, -1 "
            f"FROM {gone} AS g JOIN {state} AS s ON s.ctid = g._at",
            f"DELETE FROM {state} AS s USING {gone} AS g WHERE s.ctid = g._at",
            f"INSERT INTO {state} ({inner}, _fresh) SELECT {inner}, true FROM {changes} AS d WHERE {WEIGHT} > 0",
            f"INSERT INTO {around} (_at, _hit) {self._neighbours(changes)}",
            f"INSERT INTO {now} ({columns}, _fresh, _at) SELECT {columns}, _fresh, _at FROM ("
            f"SELECT q.*, {windows} FROM (SELECT {names(self.input.columns, 's.')}, s._fresh, a._at, a._hit "
            f"FROM {around} AS a JOIN {state} AS s ON s.ctid = a._at) AS q) AS q WHERE _hit",
            *self._compare(now, table),
        ]
        whole = (
            f"INSERT INTO {state} ({columns}, _fresh) SELECT {inner}, {windows}, false FROM {below.delta} AS q; "
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {columns}, 1 FROM {state} AS s"
        )
        program.step(f"IF initial THEN {whole}; ELSE {'; '.join(steps)}; END IF")
        return Stream(table, f"(SELECT {columns} FROM {state} AS s)", read)

    def _rows_that_go(self, changes: str) -> str:
        return f"SELECT {place_of(self._state, 'd', self.key)} FROM {changes} AS d WHERE d.{WEIGHT} < 0"

    def _neighbours(self, changes: str) -> str:
        """The rows around each place of a change, and whether their values can have changed."""
        rest = [c for c in self._places if c not in self.partition]
        same = [
            f"{a} = {b}"
            for a, b in zip(
                [f"({r})" for r in self._ranks(self.partition, "c.")],
                [f"({r})" for r in self._ranks(self.partition, "p.")],
                strict=True,
            )
        ]
        mine, its = ", ".join(self._ranks(rest, "c.")), ", ".join(self._ranks(rest, "p."))
        reach = self.behind + self.ahead

        def side(op: str, direction: str, touched: int, read: int) -> str:
            where = " AND ".join([*same, f"ROW({mine}) {op} ROW({its})"])
            by = ", ".join(f"{r} {direction}" for r in self._ranks(rest, "c."))
            return (
                f"(SELECT c.ctid AS _at, row_number() OVER (ORDER BY {by}) <= {touched} AS _hit "
                f"FROM {self._state} AS c WHERE {where} ORDER BY {by} LIMIT {read})"
            )

        onwards, backwards = ("<=", ">") if self.descending else (">=", "<")
        down, up = ("DESC", "ASC") if self.descending else ("ASC", "DESC")
        sides = [side(onwards, down, self.behind + 1, reach + 1)]
        if reach:
            sides.append(side(backwards, up, self.ahead, reach))
        places = f"(SELECT DISTINCT {names(self._places)} FROM {changes} AS d)"
        return (
            f"SELECT n._at, bool_or(n._hit) FROM {places} AS p CROSS JOIN LATERAL ({' UNION ALL '.join(sides)}) AS n "
            "GROUP BY n._at"
        )

    def _compare(self, now: str, table: str) -> list[str]:
        """Put out what differs from before, and keep it."""
        outputs = [c.name for _, c in self.items]
        inner, columns = names(self.input.columns, "s."), names(self.columns)
        differs = f"(n._fresh OR ROW({names(outputs, 's.')}) IS DISTINCT FROM ROW({names(outputs, 'n.')}))"
        joined = f"FROM {now} AS n JOIN {self._state} AS s ON s.ctid = n._at WHERE {differs}"
        sets = ", ".join(f"{quote(o)} = n.{quote(o)}" for o in outputs)
        return [
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {names(self.columns, 's.')}, -1 {joined} AND NOT n._fresh "
            f"UNION ALL SELECT {inner}, {names(outputs, 'n.')}, 1 {joined}",
            f"UPDATE {self._state} AS s SET {sets}, _fresh = false FROM {now} AS n WHERE s.ctid = n._at AND {differs}",
        ]

    def describe(self) -> Description:
        shown = ", ".join(text for text, _ in self.items)
        detail = f"by ({', '.join(self.partition)}) {shown}"
        return Description("OverRows", detail, "neighbouring rows", Cost.DELTA_LOG)


def base_type(type_: str) -> str:
    """The type's name without its modifiers, as ZERO has it."""
    return type_.split("(", maxsplit=1)[0].strip() if not type_.startswith("time") else type_
