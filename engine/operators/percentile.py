"""Percentiles of groups: the values at places of each group's order, kept by a cursor that moves with the changes.

Meaning: for each group with rows, percentile_cont, percentile_disc or approx_percentile of one column, in ascending order. The
value stands at a place that the number of rows says (0 is the first): the fraction of it, see `Place`.
Delta rule: the rows of a group are ordered by the value and the input's key. The state holds where the value was read last, the
cursor, and how many rows lie before it; the weights of changed rows before the cursor bring that number up to date. The new
place is then found by going from the cursor, forwards or backwards along the index, as many rows as it is away: no more than
twice the rows that have changed. A group's first cursor is counted from its beginning.
State: a row for each group with its cursors and values; the input's content, indexed by group, value and key (a stored relation's
own storage serves). Groups below the watermark of a group column go from both, unless they are read. Asks for no NULL in the
column (the compiler filters), and for a key and groups of types that `ZERO` holds.
Key: the group. Cost: O(delta log n). Reference: PostgreSQL's own aggregates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.compile.builder import ONE, ProgramBuilder
from engine.operators.base import (
    WEIGHT,
    Column,
    Cost,
    Description,
    Operator,
    Origin,
    Stored,
    Stream,
    Unary,
    names,
    quote,
    rows_like,
)
from engine.operators.over_rows import ZERO, base_type
from engine.operators.project import Filter, Project
from engine.operators.scan import Scan
from engine.operators.watermark import Watermarks, moving

CONT, DISC, APPROX = "percentile_cont", "percentile_disc", "approx_percentile"
FUNCTIONS = (CONT, DISC, APPROX)
_ONE = Column(ONE, "smallint", hidden=True)


@dataclass(frozen=True, slots=True)
class Place:
    """One of FUNCTIONS at `fraction` (0 to 1, as SQL); `error` is approx_percentile's relative one, as SQL."""

    function: str
    fraction: str
    output: Column
    error: str = "0.01"

    @property
    def index(self) -> str:
        """The place of the value, SQL over the count _n; of the lower one where percentile_cont lies between two."""
        if self.function == DISC:
            return f"greatest(ceil({self.fraction}::double precision * _n)::bigint - 1, 0)"
        return f"greatest(floor({self.fraction}::double precision * (_n - 1))::bigint, 0)"

    @property
    def beyond(self) -> str:
        """How far percentile_cont lies behind that place, from 0 to 1."""
        return f"({self.fraction}::double precision * (_n - 1) - {self.index})"

    def value(self, low: str, high: str) -> str:
        """The output from the value at the place and the next one."""
        if self.function == DISC:
            return f"{low}::{self.output.type}"
        if self.function == APPROX:
            return (
                f"rw.approx_percentile_in(ARRAY[{low}::double precision], 0, {self.error}::double precision)"
            )
        low, high = f"{low}::double precision", f"{high}::double precision"
        return f"CASE WHEN {self.beyond} = 0 THEN {low} ELSE {low} + {self.beyond} * ({high} - {low}) END"


@dataclass(eq=False)
class Percentile(Stored, Unary):
    """`value` is the column that is ordered; `places` what is asked of it."""

    group: tuple[str, ...]
    value: str
    places: tuple[Place, ...]
    append_only = False

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        keys = tuple(self.input.column(g) for g in self.group) or (_ONE,)
        return (*keys, *(p.output for p in self.places))

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.group or (_ONE.name,)

    @property
    def of_one_row(self) -> bool:
        return not self.group

    @property
    def watermarks(self) -> Watermarks:
        return {c: w for c, w in self.input.watermarks.items() if c in self.group}

    @property
    def _order(self) -> list[Column]:
        """What a cursor consists of: the value, and NULL-free columns for the key."""
        return [
            self.input.column(self.value),
            *(
                Column(f"{part}{number}", type_)
                for number, k in enumerate(self.input.key)
                for part, type_ in (("null", "boolean"), ("key", self.input.column(k).type))
            ),
        ]

    def _ranks(self, columns: Sequence[str], at: dict[str, str]) -> list[str]:
        """NULL-free expressions that sort as the columns do; `at` says where these are."""
        found = []
        for name in columns:
            type_ = self.input.column(name).type
            found += [f"({at[name]} IS NULL)", f"COALESCE({at[name]}, {ZERO[base_type(type_)]}::{type_})"]
        return found

    def _place(self, prefix: str) -> str:
        at = {k: prefix + quote(k) for k in self.input.key}
        return ", ".join([prefix + quote(self.value), *self._ranks(self.input.key, at)])

    def _cursor(self, number: int, prefix: str) -> str:
        return ", ".join(prefix + quote(f"_at{number}_{n}") for n in range(len(self._order)))

    def lower(self, program: ProgramBuilder) -> Stream:
        below = self._searchable(program)
        cursors = [
            Column(f"_at{number}_{n}", c.type)
            for number in range(len(self.places))
            for n, c in enumerate(self._order)
        ]
        before = [Column(f"_before{number}", "bigint") for number in range(len(self.places))]
        kept = [*self.columns[: len(self.key)], Column("_n", "bigint"), *before, *cursors]
        outputs = [p.output for p in self.places]
        self._state = state = program.state_table([*kept, *outputs], self.key)
        read = program.keep(state, self.columns[: len(self.key)], moving(self.watermarks))
        moved, now, gone = (
            program.delta_table(kept),
            program.delta_table([*kept, *outputs]),
            program.delta_table([Column("at", "tid")]),
        )
        table = program.delta_table(self.columns)
        program.step(f"INSERT INTO {moved} ({names(kept)}) {self._counted(below.delta)}")
        program.step("PERFORM set_config('enable_sort', 'off', true)")
        program.step(
            f"INSERT INTO {now} ({names([*kept, *outputs])}) {self._found(moved, str(below.content))}"
        )
        program.step("PERFORM set_config('enable_sort', 'on', true)")
        for statement in self._kept(state, now, table, gone):
            program.step(statement)
        return Stream(table, f"(SELECT {names(self.columns)} FROM {state} AS s)", read)

    def _searchable(self, program: ProgramBuilder) -> Stream:
        """The input with its content indexed by group, value and key."""
        stream = program.pin(self.input, self.input.lower(program))
        wanted = [*self.group, self.value, *self.input.key]
        origins = {c: o for c in wanted if (o := self.input.origin(c)) is not None}
        plain = _is_relation(self.input) and stream.content is not None
        if not plain or len(origins) < len(set(wanted)) or len({o.table for o in origins.values()}) != 1:
            stream = program.store(self.input, stream)
            origins = {c: Origin(str(stream.content), quote(c)) for c in wanted}
        at = {c: o.expression for c, o in origins.items()}
        items = [*self._ranks(self.group, at), at[self.value], *self._ranks(self.input.key, at)]
        program.index([Origin(origins[self.value].table, i) for i in items])
        stream.reads(moving(self.watermarks))
        return stream

    def _same(self, one: str, other: str) -> str:
        """The match of two rows' groups, as the index has them."""
        sides = [
            self._ranks(self.group, {g: f"{side}.{quote(g)}" for g in self.group}) for side in (one, other)
        ]
        return " AND ".join(f"{a} = {b}" for a, b in zip(*sides, strict=True)) or "true"

    def _of_state(self, other: str) -> str:
        """The state's row of a group, by its unique index; NULL equals NULL."""
        return rows_like(self._state, other, self.group)

    def _counted(self, delta: str) -> str:
        """Each touched group with its new number of rows and, for each cursor, the number of rows before it."""
        keys = names(self.group, "d.") if self.group else "0::smallint"
        held = [f"s.{quote(f'_before{n}')}" for n in range(len(self.places))]
        cursors = [self._cursor(n, "s.") for n in range(len(self.places))]
        counts = [
            f"coalesce({h}, 0) + coalesce(sum(d.{WEIGHT}) FILTER (WHERE ROW({self._place('d.')}) < ROW({c})), 0)"
            for h, c in zip(held, cursors, strict=True)
        ]
        grouping = ", ".join([*([keys] if self.group else []), "s._n", *held, *cursors])
        return (
            f"SELECT {keys}, coalesce(s._n, 0) + sum(d.{WEIGHT}), {', '.join([*counts, *cursors])} FROM {delta} AS d "
            f"LEFT JOIN LATERAL ({self._of_state('d')}) AS s ON true "
            f"GROUP BY {grouping}"
        )

    def _found(self, moved: str, content: str) -> str:
        """The touched groups with their cursors where they belong, and the outputs."""
        laterals, before, cursors, outputs = [], [], [], []
        for number, place in enumerate(self.places):
            laterals.append(self._walk(number, place, content))
            before.append(f"w{number}.place")
            cursors.append(self._cursor(number, f"w{number}."))
            outputs.append(place.value(f"w{number}.{quote(f'_at{number}_0')}", f"w{number}.high"))
        shown = ", ".join([names(self.key, "m."), "m._n", *before, *cursors, *outputs])
        return f"SELECT {shown} FROM {moved} AS m {' '.join(laterals)}"

    def _walk(self, number: int, place: Place, content: str) -> str:
        """LATERAL: the row at the place, found from the cursor, and the value behind it."""
        at, held = f"(SELECT {place.index} FROM (SELECT m._n) AS c (_n))", f"m._before{number}"
        row, cursor = self._place("c."), self._cursor(number, "m.")
        first = f"m.{quote(f'_at{number}_0')}"
        listed = ", ".join(
            f"{e} AS {quote(f'_at{number}_{n}')}"
            for n, e in enumerate(_split(self._order, self._ranked("c.")))
        )
        same = self._same("c", "m")
        down = ", ".join(f"{e} DESC" for e in self._ranked("c."))
        rows = f"SELECT {listed} FROM {content} AS c WHERE {same} AND"
        ways = (
            f"({rows} {first} IS NULL ORDER BY {row} OFFSET p.place LIMIT 1)",
            f"({rows} ROW({row}) >= ROW({cursor}) AND p.place >= {held} ORDER BY {row} "
            f"OFFSET greatest(p.place - {held}, 0) LIMIT 1)",
            f"({rows} ROW({row}) < ROW({cursor}) AND p.place < {held} ORDER BY {down} "
            f"OFFSET greatest({held} - 1 - p.place, 0) LIMIT 1)",
        )
        high = f"NULL::{self._order[0].type}"
        if place.function == CONT:
            high = (
                f"(SELECT c.{quote(self.value)} FROM {content} AS c WHERE {same} AND ROW({row}) >= "
                f"ROW({self._cursor(number, 'f.')}) ORDER BY {row} OFFSET 1 LIMIT 1)"
            )
        return (
            f"LEFT JOIN LATERAL (SELECT p.place, f.*, {high} AS high FROM (SELECT {at}) AS p (place) "
            f"CROSS JOIN LATERAL ({' UNION ALL '.join(ways)}) AS f WHERE m._n > 0) AS w{number} ON true"
        )

    def _ranked(self, prefix: str) -> list[str]:
        at = {k: prefix + quote(k) for k in self.input.key}
        return [prefix + quote(self.value), *self._ranks(self.input.key, at)]

    def _kept(self, state: str, now: str, table: str, gone: str) -> list[str]:
        """Bring the state up to date, and put out what has changed."""
        columns = names(self.columns)
        kept = [*self.key, "_n", *(f"_before{n}" for n in range(len(self.places)))]
        kept += [f"_at{number}_{n}" for number in range(len(self.places)) for n in range(len(self._order))]
        outputs = [p.output.name for p in self.places]
        kept += outputs
        sets = ", ".join(f"{quote(c)} = EXCLUDED.{quote(c)}" for c in kept if c not in self.key)
        upsert = (
            f"INSERT INTO {state} AS s ({names(kept)}) SELECT {names(kept)} FROM {now} AS d "
            f"ON CONFLICT ({names(self.key)}) DO UPDATE SET {sets}"
        )
        old = [f"old.{quote(o)} AS o{n}" for n, o in enumerate(outputs)]
        new = [f"new.{quote(o)} AS n{n}" for n, o in enumerate(outputs)]
        returning = ", ".join(
            [names(self.key, "new."), "old._n AS _old", "new._n AS _new", "new.ctid AS _at", *old, *new]
        )
        was, is_ = (", ".join(f"c.{side}{n}" for n in range(len(outputs))) for side in "on")
        changed = f"(c._old IS NULL OR c._new = 0 OR ROW({was}) IS DISTINCT FROM ROW({is_}))"
        return [
            f"WITH changed AS ({upsert} RETURNING {returning}), emptied AS (INSERT INTO {gone} (at) "
            f"SELECT c._at FROM changed AS c WHERE c._new = 0 RETURNING 1) "
            f"INSERT INTO {table} ({columns}, {WEIGHT}) "
            f"SELECT {names(self.key, 'c.')}, {was}, -1 FROM changed AS c WHERE c._old IS NOT NULL AND {changed} "
            f"UNION ALL SELECT {names(self.key, 'c.')}, {is_}, 1 FROM changed AS c WHERE c._new > 0 AND {changed}",
            f"DELETE FROM {state} AS s USING {gone} AS g WHERE s.ctid = g.at",
        ]

    def describe(self) -> Description:
        shown = ", ".join(f"{p.function}({p.fraction}) of {self.value}" for p in self.places)
        return Description(
            "Percentile", f"by ({', '.join(self.group)}) {shown}", "a cursor that moves", Cost.DELTA_LOG
        )


def _split(order: Sequence[Column], expressions: Sequence[str]) -> list[str]:
    """The parts of a cursor, each of its type."""
    return [f"({e})::{c.type}" for c, e in zip(order, expressions, strict=True)]


def _is_relation(operator: Operator) -> bool:
    """Is the content that of a stored relation, seen through projections and filters?"""
    while isinstance(operator, Project | Filter):
        operator = operator.input
    return isinstance(operator, Scan) and operator.content is not None
