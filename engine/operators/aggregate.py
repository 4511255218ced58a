"""GROUP BY: count, sum, avg, min, max, variance and standard deviation per group, each with FILTER.

Meaning: one row per group of the input; without group columns exactly one row, also over nothing. Delta rule: the delta is
summed per group into partial accumulators and merged into the group's state by one upsert, whose old and new rows are
the output's retraction and insertion (RETURNING OLD / NEW, PostgreSQL 18). Groups whose count falls to zero go.
State: one row per group with its accumulators (see `accumulators`). Where a group sees a retraction and an accumulator is
not invertible, the group is recomputed from the input's content, which is then indexed by the group columns.
HAVING is applied to what is put out, before it is written.
Key: the group columns. Cost: O(delta log n); O(group) for groups recomputed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from engine.compile.program import ONE, ProgramBuilder
from engine.operators.accumulators import Accumulators, AggregateCall, Cell
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
from engine.operators.project import sql
from engine.operators.watermark import Watermarks

_ONE = Column(ONE, "smallint", hidden=True)


@dataclass(eq=False)
class Aggregate(Operator):
    """`group` are input columns; `calls` read input columns."""

    input: Operator
    group: tuple[str, ...]
    calls: tuple[AggregateCall, ...]
    having: exp.Expr | None = None
    append_only = False
    unread: bool = False  # nobody reads the delta: see emit_on_close
    _state: str = ""

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        keys = tuple(self.input.column(g) for g in self.group) or (_ONE,)
        return (*keys, *(c.output for c in self.calls))

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.group or (_ONE.name,)

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def owns_content(self) -> bool:
        return True

    @property
    def state(self) -> str:
        """The table of the groups, once lowered."""
        return self._state

    def _accumulators(self) -> Accumulators:
        kept = Accumulators()
        for call in self.calls:
            kept.add(call, self.input.column(call.argument).type if call.argument is not None else None)
        return kept

    @property
    def _recomputes(self) -> bool:
        return not self.input.append_only and not self._accumulators().invertible

    @property
    def watermarks(self) -> Watermarks:
        return {c: w for c, w in self.input.watermarks.items() if c in self.group}

    @property
    def probes_content(self) -> bool:
        return self._recomputes

    def lower(self, program: ProgramBuilder) -> Stream:
        kept = self._accumulators()
        recomputes = self._recomputes
        below = program.searchable(self.input, self.group) if recomputes else self.input.lower(program)
        reset = [Column("_reset", "boolean")] if recomputes else []
        cells = list(kept.cells.values())
        keys = self.columns[: len(self.key)]
        self._state = state = program.state_table(
            [*keys, Column("_n", "bigint"), *reset, *(c.column for c in cells)], self.key
        )
        select = self._select(below, cells, recomputes=recomputes)
        target = f"({names(keys)}, _n{', _reset' if recomputes else ''}{_listed(cells)})"
        updates = ["_n = s._n + EXCLUDED._n", *(["_reset = EXCLUDED._reset"] if recomputes else [])]
        for cell in cells:
            name = quote(cell.column.name)
            merged = cell.merge.format(s="s.", x="EXCLUDED.")
            if recomputes:
                merged = f"CASE WHEN EXCLUDED._reset THEN EXCLUDED.{name} ELSE {merged} END"
            updates.append(f"{name} = {merged}")
        if recomputes:
            updates[0] = "_n = CASE WHEN EXCLUDED._reset THEN EXCLUDED._n ELSE s._n + EXCLUDED._n END"
        upsert = f"INSERT INTO {state} AS s {target} {select} ON CONFLICT ({names(keys)}) DO UPDATE SET {', '.join(updates)}"
        table = program.delta_table(self.columns)
        if not self.group:
            empty = f"SELECT 0, count(*){', false' if recomputes else ''}{_partials(cells)} FROM {below.delta} AS d WHERE false"
            row = f"(SELECT {self._output('s.', kept, alias=True)} FROM {state} AS s) AS c"
            shown = f"SELECT {names(self.columns)}, 1 FROM {row}{self._filter}"
            program.step(
                f"IF initial THEN INSERT INTO {state} {target} {empty}; "
                f"INSERT INTO {table} ({names(self.columns)}, {WEIGHT}) {shown}; END IF"
            )
        self._emit(program, upsert, kept, table, state)
        live = " WHERE s._n > 0" if self.group else ""
        content = f"(SELECT {self._output('s.', kept, alias=True)} FROM {state} AS s{live})"
        return Stream(
            table, content if self.having is None else f"(SELECT * FROM {content} AS c{self._filter})"
        )

    @property
    def _filter(self) -> str:
        return "" if self.having is None else f" WHERE {sql(self.having)}"

    def _select(self, below: Stream, cells: Sequence[Cell], *, recomputes: bool) -> str:
        """Each touched group's partial accumulators; with `recomputes` whole ones for groups with a retraction."""
        if self.group:
            keys = ", ".join(f"d.{quote(g)} AS {quote(g)}" for g in self.group)
        else:
            keys = f"0::smallint AS {quote(_ONE.name)}"
        grouping = f" GROUP BY {names(self.group, 'd.')}" if self.group else " HAVING count(*) > 0"
        counts = f"sum({WEIGHT}) AS _n"
        if not recomputes:
            return f"SELECT {keys}, {counts}{_partials(cells)} FROM {below.delta} AS d{grouping}"
        strict = no_nulls("g", self.group)
        whole = f"SELECT count(*) AS _n{_partials(cells)} FROM (SELECT c.*, 1 AS {WEIGHT} FROM {below.content} AS c"
        plain = f"{whole} WHERE g._reset AND {strict} AND {equal('c', 'g', self.group)}) AS d"
        nulls = f"{whole} WHERE g._reset AND NOT ({strict}) AND {equal_nulls('c', 'g', self.group)}) AS d"

        def pick(name: str) -> str:
            return f"CASE WHEN NOT g._reset THEN g.{name} WHEN {strict} THEN a.{name} ELSE b.{name} END"

        picked = [pick("_n"), "g._reset", *(pick(quote(c.column.name)) for c in cells)]
        touched = (
            f"SELECT {keys}, {counts}, bool_or({WEIGHT} < 0) AS _reset{_partials(cells)} "
            f"FROM {below.delta} AS d{grouping} OFFSET 0"
        )
        # WHERE true: a SELECT with joins before ON CONFLICT is ambiguous to the parser without it
        return (
            f"SELECT {names(self.key, 'g.')}, {', '.join(picked)} FROM ({touched}) AS g "
            f"CROSS JOIN LATERAL ({plain}) AS a CROSS JOIN LATERAL ({nulls}) AS b WHERE true"
        )

    def _output(self, prefix: str, kept: Accumulators, *, alias: bool = False) -> str:
        keys = [f"{prefix}{quote(k)}" for k in self.key]
        values = [
            text.format(p=prefix) + (f" AS {quote(call.output.name)}" if alias else "")
            for text, call in zip(kept.outputs, self.calls, strict=True)
        ]
        return ", ".join([*keys, *values])

    def _emit(self, program: ProgramBuilder, upsert: str, kept: Accumulators, table: str, state: str) -> None:
        columns = names(self.columns)
        old = [f"({t.format(p='old.')}) AS o{i}" for i, t in enumerate(kept.outputs)]
        new = [f"({t.format(p='new.')}) AS n{i}" for i, t in enumerate(kept.outputs)]
        returning = ", ".join(
            [names(self.key, "new."), "old._n AS _old", "new._n AS _new", "new.ctid AS _at", *old, *new]
        )
        was, now = [f"c.o{i}" for i in range(len(old))], [f"c.n{i}" for i in range(len(new))]
        live = ("c._old > 0", "c._new > 0") if self.group else ("c._old IS NOT NULL", "true")
        differs = f"ROW({', '.join(was)}) IS DISTINCT FROM ROW({', '.join(now)})" if was else "false"
        changed = f"({live[0]}) IS DISTINCT FROM ({live[1]}) OR {differs}"
        sides = (
            f"SELECT {names(self.key, 'c.')}{''.join(', ' + w for w in was)}, -1 FROM changed AS c "
            f"WHERE {live[0]} AND ({changed}) UNION ALL "
            f"SELECT {names(self.key, 'c.')}{''.join(', ' + n for n in now)}, 1 FROM changed AS c "
            f"WHERE {live[1]} AND ({changed})"
        )
        if self.having is not None:
            sides = f"SELECT e.* FROM ({sides}) AS e ({columns}, {WEIGHT}){self._filter}"
        emit = f"INSERT INTO {table} ({columns}, {WEIGHT}) {sides}"
        if self.unread and self.input.append_only:
            program.step(upsert)
            return
        if self.input.append_only or not self.group:
            program.leaf_step(self, f"WITH changed AS ({upsert} RETURNING {returning}) {emit}", upsert)
            return
        gone = program.delta_table([Column("at", "tid")])
        program.step(
            f"WITH changed AS ({upsert} RETURNING {returning}), emptied AS (INSERT INTO {gone} (at) "
            f"SELECT c._at FROM changed AS c WHERE c._new = 0 RETURNING 1) {emit}"
        )
        program.step(f"DELETE FROM {state} AS s USING {gone} AS g WHERE s.ctid = g.at")

    def origin(self, column: str) -> Origin:
        if column in self.key:
            return Origin(self._state, quote(column))
        outputs = self._accumulators().outputs
        return next(
            Origin(self._state, text.format(p=""))
            for text, call in zip(outputs, self.calls, strict=True)
            if call.output.name == column
        )

    def describe(self) -> Description:
        calls = ", ".join(f"{c.function}({c.argument or '*'})" for c in self.calls)
        having = f" having {sql(self.having)}" if self.having is not None else ""
        detail = f"by ({', '.join(self.group)}) {calls}{having}"
        if self._recomputes:
            return Description("Aggregate", detail, "accumulator, per group on retraction", Cost.GROUP)
        return Description("Aggregate", detail, "accumulator", Cost.DELTA_LOG)


def _listed(cells: Sequence[Cell]) -> str:
    return "".join(f", {quote(c.column.name)}" for c in cells)


def _partials(cells: Sequence[Cell]) -> str:
    return "".join(f", {c.partial} AS {quote(c.column.name)}" for c in cells)
