"""GAP_FILL: between a row and the next one by time, a row for every whole interval.

Meaning: see `tailrace.sql.gap_fill`. A row and what it fills depend on the row and its successor in the order (time, key) alone.
Delta rule: for each time that the delta touches, the rows of that time and of the nearest time before it are filled anew and
compared with what was put out for them; what rows that are gone had put out is taken back.
State: the output, by the row that made it and the number of the point; the input's content, indexed by time.
Rows whose gap is closed for good go, unless somebody reads them.
Over rows that emit on window close, which come in the order of time, nothing put out is ever taken back.
Key: the input's key and the number. Cost: O(delta log n) plus the points of the gaps that changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from engine.compile.builder import ProgramBuilder, apply_delta
from engine.operators.base import (
    WEIGHT,
    Column,
    Cost,
    Description,
    Stored,
    Stream,
    Unary,
    names,
    quote,
    rows_like,
)
from engine.operators.watermark import Watermark, Watermarks, moving
from tailrace.sql.gap_fill import INTERPOLATE, filled, points, steps

_NUMBER = Column("_gap_n", "integer", hidden=True)


@dataclass(eq=False)
class GapFill(Stored, Unary):
    """`strategies` by visible column; `time` is one too."""

    time: str
    interval: exp.Expr
    strategies: dict[str, str]
    append_only = False

    @property
    def _anchor(self) -> tuple[Column, ...]:
        """The input's key, under names of its own: the filled rows have other values there."""
        return tuple(
            Column(f"_gap_{number}", self.input.column(k).type, hidden=True)
            for number, k in enumerate(self.input.key)
        )

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (*self.input.visible, *self._anchor, _NUMBER)

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*(c.name for c in self._anchor), _NUMBER.name)

    @property
    def watermarks(self) -> Watermarks:
        return {}  # a gap is filled behind the watermark, when the row that ends it has come

    def lower(self, program: ProgramBuilder) -> Stream:
        below = program.probed(self.input, [self.time])
        self._state = state = program.state_table(self.columns, self.key)
        done = self._done(str(below.content))
        below.reads(done)
        read = program.keep(state, self.columns, done)
        key, rows, columns = self.input.key, names(self.input.columns), names(self.columns)
        anchor = [c.name for c in self._anchor]
        touched, gone = program.delta_table(self.input.columns), program.delta_table(self._anchor)
        table = program.delta_table(self.columns)
        time = quote(self.time)
        before = f"SELECT b.{time} AS t FROM {below.content} AS b WHERE b.{time} < d.{time} ORDER BY b.{time} DESC LIMIT 1"
        same = f"SELECT c.* FROM {below.content} AS c WHERE c.{time} = d.{time}"
        earlier = f"SELECT c.* FROM ({before}) AS p JOIN {below.content} AS c ON c.{time} = p.t"
        timeless = f"SELECT c.* FROM {below.content} AS c WHERE d.{time} IS NULL AND c.{time} IS NULL"
        program.step(
            f"INSERT INTO {touched} ({rows}) SELECT DISTINCT ON ({names(key, 'q.')}) {names(self.input.columns, 'q.')} "
            f"FROM (SELECT DISTINCT {time} FROM {below.delta} AS d) AS d "
            f"CROSS JOIN LATERAL (({same}) UNION ALL ({earlier}) UNION ALL ({timeless})) AS q"
        )
        program.step(
            f"INSERT INTO {gone} ({names(anchor)}) SELECT {names(key)} FROM {touched} AS d "
            f"UNION SELECT {names(key)} FROM {below.delta} AS d"
        )
        old = (
            f"SELECT {names(self.columns, 'o.')}, -1 AS {WEIGHT} FROM {gone} AS d "
            f"CROSS JOIN LATERAL ({rows_like(state, 'd', anchor)}) AS o"
        )
        program.step(
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {columns}, sum({WEIGHT}) FROM ({old} UNION ALL "
            f"{self._filled(touched, str(below.content))}) AS q GROUP BY {columns} HAVING sum({WEIGHT}) <> 0"
        )
        for statement in apply_delta(state, table, self, consolidated=True):
            program.step(statement)
        return Stream(table, state, read)

    def _done(self, content: str) -> Watermarks:
        """Rows before the last one below the watermark have the successor that they will keep."""
        found = moving(self.input.watermarks).get(self.time)
        if found is None:
            return {}
        time = quote(self.time)
        last = f"(SELECT max(c.{time}) FROM {content} AS c WHERE c.{time} < {found.sql})"
        return {self.time: Watermark(last)}

    def _filled(self, rows: str, content: str) -> str:
        """The rows with the points up to their successors."""
        time, key = quote(self.time), names(self.input.key)
        following = (
            f"SELECT f.* FROM {content} AS f WHERE f.{time} >= a.{time} AND (f.{time}, {names(self.input.key, 'f.')}) > "
            f"(a.{time}, {names(self.input.key, 'a.')}) ORDER BY f.{time}, {key} LIMIT 1"
        )
        between = {
            f"i{number}": (f"a.{quote(c.name)}", f"f.{quote(c.name)}")
            for number, c in enumerate(self.input.visible)
            if self.strategies.get(c.name) == INTERPOLATE
        }
        values = [
            f"g.at AS {time}"
            if c.name == self.time
            else f"{filled(f'a.{quote(c.name)}', self.strategies.get(c.name), f'i{number}')} AS {quote(c.name)}"
            for number, c in enumerate(self.input.visible)
        ]
        shown = ", ".join([*values, *(f"a.{quote(k)}" for k in self.input.key), "g.n", "1"])
        ends = (f"a.{time}", f"f.{time}")
        return (
            f"SELECT {shown} FROM {rows} AS a LEFT JOIN LATERAL ({following}) AS f ON true "
            f"CROSS JOIN LATERAL {steps(between, *ends, self.interval)} CROSS JOIN LATERAL {points(*ends, self.interval)}"
        )

    def describe(self) -> Description:
        how = ", ".join(f"{s.lower()}({c})" for c, s in self.strategies.items())
        detail = f"{self.time} every {self.interval.sql(dialect='postgres')} {how}".rstrip()
        return Description("GapFill", detail, "per key", Cost.DELTA_LOG)
