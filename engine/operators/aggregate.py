"""GROUP BY: one row per group with the results of aggregate calls.

Meaning: one row per group of the input; without group columns exactly one row, also over nothing. Delta rule: the delta is
summed per group into partial accumulators and merged into the group's state by one upsert, whose old and new rows are
the output's retraction and insertion (RETURNING OLD / NEW, PostgreSQL 18). Groups whose count falls to zero go. What cannot be
merged is read from the input's content (see `accumulators`): by the edge of an index, or from all rows of the group.
Calls over DISTINCT values read the changes of `SELECT DISTINCT group, value`, an aggregate of its own.
State: one row per group with its accumulators; where DISTINCT is asked for, one per group and value; where content is read, the
input's content, indexed by the group columns and what edges are sorted by (a stored relation's own storage serves). Groups below
the watermark of a group column go out of all of these, unless somebody reads them.
HAVING is applied to what is put out, before it is written.
Key: the group columns. Cost: O(delta log n); O(group) where whole groups are read,
O(state) where everything is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from engine.compile.builder import ONE, ProgramBuilder
from engine.operators.accumulators import SOURCE, Accumulators, AggregateCall, Cell, Fresh
from engine.operators.base import (
    WEIGHT,
    Along,
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
from engine.operators.watermark import Watermarks, moving

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
    def of_one_row(self) -> bool:
        return not self.group or self.input.of_one_row

    @property
    def state(self) -> str:
        """The table of the groups, once lowered."""
        return self._state

    def _accumulators(self) -> Accumulators:
        kept = Accumulators(tie=self.input.key, tagged=any(c.distinct for c in self.calls))
        for call in self.calls:
            kept.add(call, self.input.column(call.argument).type if call.argument is not None else None)
        return kept

    @property
    def watermarks(self) -> Watermarks:
        return {c: w for c, w in self.input.watermarks.items() if c in self.group}

    def _fresh_cells(self) -> list[Cell]:
        """The cells that may have to be read from content; over an append-only input only those that always are."""
        wanted = {Fresh.ALWAYS} if self.input.append_only else {Fresh.ALWAYS, Fresh.ON_RETRACTION}
        return [c for c in self._accumulators().cells.values() if c.fresh in wanted]

    def lower(self, program: ProgramBuilder) -> Stream:
        kept, fresh = self._accumulators(), self._fresh_cells()
        cells = list(kept.cells.values())
        resets = any(c.fresh is Fresh.ON_RETRACTION for c in fresh)
        below = self._lower_input(program, fresh, pinned=bool(kept.distincts))
        delta = self._with_distincts(program, below, kept) if kept.tagged else below.delta
        flag = [Column("_reset", "boolean")] if resets else []
        keys = self.columns[: len(self.key)]
        self._state = state = program.state_table(
            [*keys, Column("_n", "bigint"), *flag, *(c.column for c in cells)], self.key
        )
        read = program.keep(state, keys, moving(self.watermarks))
        target = f"({names(keys)}, _n{', _reset' if resets else ''}{_listed(cells)})"
        updates = ["_n = s._n + EXCLUDED._n", *(["_reset = EXCLUDED._reset"] if resets else [])]
        for cell in cells:
            name = quote(cell.column.name)
            merged = cell.merge.format(s="s.", x="EXCLUDED.")
            if cell in fresh and cell.fresh is Fresh.ON_RETRACTION:
                merged = f"CASE WHEN EXCLUDED._reset THEN EXCLUDED.{name} ELSE {merged} END"
            updates.append(f"{name} = {merged}")
        touched = self._touched(delta, cells, tagged=kept.tagged, resets=resets)
        select = self._read_fresh(touched, below, cells, fresh, resets=resets) if fresh else touched
        upsert = f"INSERT INTO {state} AS s {target} {select} ON CONFLICT ({names(keys)}) DO UPDATE SET {', '.join(updates)}"
        table = program.delta_table(self.columns)
        if not self.group:
            nothing = (
                f"(SELECT i.*{f', 0 AS {SOURCE}' if kept.tagged else ''} FROM {below.delta} AS i WHERE false)"
            )
            empty = f"SELECT 0, count(*){', false' if resets else ''}{_partials(cells, whole=True)} FROM {nothing} AS d"
            row = f"(SELECT {self._output('s.', kept, alias=True)} FROM {state} AS s) AS c"
            shown = f"SELECT {names(self.columns)}, 1 FROM {row}{self._filter}"
            program.step(
                f"IF initial THEN INSERT INTO {state} {target} {empty}; "
                f"INSERT INTO {table} ({names(self.columns)}, {WEIGHT}) {shown}; END IF"
            )
        sorted_reads = any(c.edge is not None for c in fresh)
        if sorted_reads:  # the edge is at the end of the index: no other index and a sort may take its place
            program.step("PERFORM set_config('enable_sort', 'off', true)")
        self._emit(program, upsert, kept, table, state)
        if sorted_reads:
            program.step("PERFORM set_config('enable_sort', 'on', true)")
        live = " WHERE s._n > 0" if self.group else ""
        content = f"(SELECT {self._output('s.', kept, alias=True)} FROM {state} AS s{live})"
        if self.having is not None:
            content = f"(SELECT * FROM {content} AS c{self._filter})"
        return Stream(table, content, read)

    def _lower_input(self, program: ProgramBuilder, fresh: Sequence[Cell], *, pinned: bool) -> Stream:
        """The input, with its content indexed as the fresh cells read it."""
        if not fresh:
            stream = self.input.lower(program)
            return program.pin(self.input, stream) if pinned else stream
        probes: list[tuple[list[str], list[str]]] = []
        for cell in fresh:
            sorting = (
                [k for k in cell.edge.order if k.column not in self.group] if cell.edge is not None else []
            )
            if cell.edge is not None and cell.fresh is Fresh.ALWAYS:
                sorting = [k for k in sorting if k.column not in self.input.key] or sorting
            probe = ([*self.group, *(k.column for k in sorting)], [k.direction for k in sorting])
            if probe not in probes:
                probes.append(probe)
        probes.sort(key=lambda p: -len(p[0]))
        return program.searchable_by(self.input, probes, unread=moving(self.watermarks))

    def _with_distincts(self, program: ProgramBuilder, below: Stream, kept: Accumulators) -> str:
        """The delta with the changes of each set of distinct values behind it, and which it is in SOURCE."""
        read = [
            *self.group,
            *(c.argument for c in self.calls if c.argument),
            *(c.filter for c in self.calls if c.filter),
        ]
        columns = list(dict.fromkeys(read))
        listed = "".join(f"{quote(c)}, " for c in columns)
        parts = [f"SELECT {listed}{WEIGHT}, 0 AS {SOURCE} FROM {below.delta} AS i"]
        for number, (argument, condition) in enumerate(kept.distincts, 1):
            group = tuple(dict.fromkeys([*self.group, argument]))
            passing = f"{quote(argument)} IS NOT NULL" + (f" AND {quote(condition)}" if condition else "")
            some = f"(SELECT {names(self.input.columns)}, {WEIGHT} FROM {below.delta} AS i WHERE {passing})"
            changes = Aggregate(_Lowered(self.input, Stream(some, None)), group, ()).lower(program).delta
            shown = "".join(
                (quote(c) if c in group else f"NULL::{self.input.column(c).type}") + ", " for c in columns
            )
            parts.append(f"SELECT {shown}{WEIGHT}, {number} FROM {changes} AS i")
        return f"({' UNION ALL '.join(parts)})"

    @property
    def _filter(self) -> str:
        return "" if self.having is None else f" WHERE {sql(self.having)}"

    def _touched(self, delta: str, cells: Sequence[Cell], *, tagged: bool, resets: bool) -> str:
        """Each touched group with its partial accumulators."""
        if self.group:
            keys = ", ".join(f"d.{quote(g)} AS {quote(g)}" for g in self.group)
        else:
            keys = f"0::smallint AS {quote(_ONE.name)}"
        grouping = f" GROUP BY {names(self.group, 'd.')}" if self.group else " HAVING count(*) > 0"
        own = f" FILTER (WHERE d.{SOURCE} = 0)" if tagged else ""
        reset = f", bool_or({WEIGHT} < 0){own} AS _reset" if resets else ""
        return f"SELECT {keys}, sum({WEIGHT}){own} AS _n{reset}{_partials(cells)} FROM {delta} AS d{grouping}"

    def _read_fresh(
        self, touched: str, below: Stream, cells: Sequence[Cell], fresh: Sequence[Cell], *, resets: bool
    ) -> str:
        """The touched groups `g`, with fresh values in the place of the partial ones that are none."""
        strict, laterals = no_nulls("g", self.group), ""
        where = {
            True: f"{strict} AND {equal('c', 'g', self.group)}",
            False: f"NOT ({strict}) AND {equal_nulls('c', 'g', self.group)}",
        }
        if not self.group:
            where = {True: "true", False: "false"}
        values: dict[str, str] = {}
        for kind, alias in ((Fresh.ON_RETRACTION, "r"), (Fresh.ALWAYS, "w")):
            read = [c for c in fresh if c.fresh is kind and c.edge is None]
            if not read:
                continue
            wholes = ", ".join(f"{c.whole} AS {quote(c.column.name)}" for c in read)
            when = "g._reset AND " if kind is Fresh.ON_RETRACTION else ""
            for is_strict in (True, False):
                rows = f"(SELECT c.*, 1 AS {WEIGHT}, 0 AS {SOURCE} FROM {below.content} AS c WHERE {when}{where[is_strict]})"
                laterals += (
                    f" CROSS JOIN LATERAL (SELECT {wholes} FROM {rows} AS d) AS {alias}{int(is_strict)}"
                )
            for cell in read:
                name = quote(cell.column.name)
                values[cell.column.name] = f"CASE WHEN {strict} THEN {alias}1.{name} ELSE {alias}0.{name} END"
        for cell in fresh:
            if cell.edge is None:
                continue
            by = ", ".join(k.sql("c.") for k in cell.edge.order)
            first = (
                f"SELECT c.{quote(cell.edge.column)} FROM {below.content} AS c WHERE {cell.edge.condition}"
            )
            read_one, read_null = (
                f"({first} AND {where[s]}{f' ORDER BY {by}' if by else ''} LIMIT 1)" for s in (True, False)
            )
            values[cell.column.name] = f"CASE WHEN {strict} THEN {read_one} ELSE {read_null} END"
        picked = ["g._n", *(["g._reset"] if resets else [])]
        for cell in cells:
            name = quote(cell.column.name)
            value = values.get(cell.column.name, f"g.{name}")
            if cell.column.name in values and cell.fresh is Fresh.ON_RETRACTION:
                value = f"CASE WHEN g._reset THEN {value} ELSE g.{name} END"
            picked.append(value)
        # WHERE true: a SELECT with joins before ON CONFLICT is ambiguous to the parser without it
        return f"SELECT {names(self.key, 'g.')}, {', '.join(picked)} FROM ({touched} OFFSET 0) AS g{laterals} WHERE true"

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
        calls = ", ".join(f"{c.function}({'distinct ' * c.distinct}{c.argument or '*'})" for c in self.calls)
        having = f" having {sql(self.having)}" if self.having is not None else ""
        detail = f"by ({', '.join(self.group)}) {calls}{having}"
        fresh = self._fresh_cells()
        if any(c.edge is None and c.fresh is Fresh.ALWAYS for c in fresh):
            how, cost = ("per group", Cost.GROUP) if self.group else ("whole", Cost.STATE)
            return Description("Aggregate", detail, how, cost)
        if any(c.edge is None for c in fresh):
            how, cost = ("per group", Cost.GROUP) if self.group else ("whole", Cost.STATE)
            return Description("Aggregate", detail, f"accumulator, {how} on retraction", cost)
        how = "accumulator, edge of an index" if fresh else "accumulator"
        return Description("Aggregate", detail, how, Cost.DELTA_LOG)


@dataclass(eq=False)
class _Lowered(Along):
    """The rows of `input`, which has been lowered; `stream` holds some of its changes."""

    stream: Stream

    @property
    def watermarks(self) -> Watermarks:
        return self.input.watermarks

    def lower(self, program: ProgramBuilder) -> Stream:
        return self.stream

    def describe(self) -> Description:
        return self.input.describe()


def _listed(cells: Sequence[Cell]) -> str:
    return "".join(f", {quote(c.column.name)}" for c in cells)


def _partials(cells: Sequence[Cell], *, whole: bool = False) -> str:
    return "".join(f", {(whole and c.whole) or c.partial} AS {quote(c.column.name)}" for c in cells)
