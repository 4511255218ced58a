"""How a program is written: operators declare tables, indexes and variables here while they are lowered, and add statements.

Used by `engine.operators`; what comes of it is a `Program`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.compile.cleaning import Bound, Kept
from engine.compile.program import SCHEMA, WRITTEN, temporary_table
from engine.operators.base import (
    WEIGHT,
    Column,
    Operator,
    Origin,
    Reading,
    Stream,
    names,
    place_of,
    quote,
)
from engine.operators.watermark import Watermarks

ONE = "_one"
"""The key of a state table of one row: where an operator stands (a total, a bound), which does not age."""


@dataclass(frozen=True, slots=True)
class _Index:
    """An index by the expressions it is on, in order; `ddl` is None for one that must stay as it is."""

    table: str
    columns: tuple[str, ...]
    ddl: str | None


@dataclass(slots=True)
class ProgramBuilder:
    """Collects what operators write while they are lowered."""

    relation_id: int
    expires: bool = False  # state rows carry the time at which they were first written
    tables: list[str] = field(default_factory=list)
    temporaries: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    uses_now: bool = False
    follows_watermarks: bool = False
    root: Operator | None = None  # the operator whose delta only later views read
    stored: set[str] = field(default_factory=set)  # state tables that `store` made for one reader alone
    variables: list[str] = field(default_factory=list)  # "name type" of the function's variables
    cleaned: list[Bound] = field(default_factory=list)  # what `clean` has found
    _kept: list[Kept] = field(default_factory=list)
    _numbers: int = 0
    _indexes: list[_Index] = field(default_factory=list)

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def step(self, sql: str) -> None:
        """Add one PL/pgSQL statement (without the semicolon)."""
        self.steps.append(sql)

    def variable(self, type_: str) -> str:
        """Declare a variable of the function, NULL at its start; returns its name."""
        name = f"v_{self._next()}"
        self.variables.append(f"{name} {type_}")
        return name

    def watermark(self, sql: str, type_: str) -> str:
        """A variable that holds where a watermark stands at this point of the step; NULL while the view is being filled."""
        self.follows_watermarks = True
        stands = self.variable(type_)
        self.step(f"IF {self._filled} THEN {stands} := {sql}; END IF")
        return stands

    @property
    def _filled(self) -> str:
        """A condition: is the relation filled, so that watermarks count?"""
        return f"EXISTS (SELECT 1 FROM {SCHEMA}.window_views WHERE relation_id = {self.relation_id})"

    def keep(self, table: str, columns: Sequence[Column], unread: Watermarks) -> Reading:
        """Tell of a state table that its operator looks at, but for what is `unread`; returns whom other readers tell."""
        kept = Kept(table, tuple(columns), [unread])
        self._kept.append(kept)
        return kept.read

    def clean(self) -> None:
        """Add the step that deletes the state nobody looks at any more; called once, when all is lowered."""
        for kept in self._kept:
            found = kept.bounds()
            led = [b for b in found if self._is_led(b.table, b.column.name)]
            self.cleaned += (led or found)[:1]
        when_filled = []
        for bound in self.cleaned:
            self.index([Origin(bound.table, quote(bound.column.name))])
            statements = bound.delete(self.variable(bound.column.type))
            if bound.watermark.timed:
                self.step(statements)
            else:
                when_filled.append(statements)
        if when_filled:
            self.step(f"IF {self._filled} THEN {'; '.join(when_filled)}; END IF")

    @property
    def waits(self) -> bool:
        """Does it delete what lies below watermarks, so that it has to be told when the relation is filled?"""
        return any(not b.watermark.timed for b in self.cleaned)

    def _is_led(self, table: str, column: str) -> bool:
        """Is there an index of the table that begins with the column?"""
        return any(i.table == table and i.columns[:1] == (quote(column),) for i in self._indexes)

    def leaf_step(self, operator: Operator, with_delta: str, without: str) -> None:
        """Add a statement that writes its delta only when somebody reads it: another operator, or with `emit` a view."""
        if operator is self.root:
            self.step(f"IF emit THEN {with_delta}; ELSE {without}; END IF")
        else:
            self.step(with_delta)

    def state_table(self, columns: Sequence[Column], unique: Sequence[str] | None) -> str:
        """Declare a state table; returns its qualified name. NULL equals NULL in its unique key."""
        name = f"{SCHEMA}.state_{self.relation_id}_{self._next()}"
        body = ", ".join(f"{quote(c.name)} {c.type}" for c in columns)
        expires = self.expires and list(unique or ()) != [ONE]
        if expires:
            body += f", {WRITTEN} timestamptz NOT NULL DEFAULT now()"
        self.tables.append(f"CREATE TABLE {name} ({body}) WITH (fillfactor = 70)")
        if expires:
            self.tables.append(f"CREATE INDEX ON {name} ({WRITTEN})")
        if unique:
            self.tables.append(f"CREATE UNIQUE INDEX ON {name} ({names(unique)}) NULLS NOT DISTINCT")
            self._indexes.append(_Index(name, tuple(quote(c) for c in unique), None))
        return name

    def delta_table(self, columns: Sequence[Column]) -> str:
        """Declare a temporary delta table; returns its name."""
        name = f"pg_temp.delta_{self.relation_id}_{self._next()}"
        self.temporaries.append(temporary_table(name, columns))
        return name

    def pin(self, operator: Operator, stream: Stream) -> Stream:
        """Put the delta into a table if it is still a query, so that it can be read more than once."""
        if stream.delta.startswith("pg_temp."):
            return stream
        table = self.delta_table(operator.columns)
        columns = names(operator.columns)
        self.step(
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {columns}, {WEIGHT} FROM {stream.delta} AS d"
        )
        return Stream(table, stream.content, stream.read)

    def index(self, origins: Sequence[Origin]) -> bool:
        """Ask for an index on stored columns; False if they do not lie in one table. Kept indexes are not made twice."""
        if not origins or len({o.table for o in origins}) != 1:
            return False
        table, wanted = origins[0].table, [o.expression for o in origins]
        for index in self._indexes:
            if index.table == table and set(index.columns[: len(wanted)]) == set(wanted):
                return True
        for index in self._indexes:
            # one index that begins with an older one's columns serves both, and leaves the planner no choice to get wrong
            if index.ddl is not None and index.table == table and set(index.columns) < set(wanted):
                wanted = [*index.columns, *(w for w in wanted if w not in index.columns)]
                self.tables.remove(index.ddl)
                self._indexes.remove(index)
                break
        items = ", ".join(indexed(e) for e in wanted)
        ddl = f"CREATE INDEX ON {table} ({items})"
        self.tables.append(ddl)
        self._indexes.append(_Index(table, tuple(wanted), ddl))
        return True

    def known_index(self, table: str, columns: Sequence[str]) -> None:
        """Tell of an index that exists already (a scanned relation's key)."""
        self._indexes.append(_Index(table, tuple(columns), None))

    def ordered_index(self, origins: Sequence[Origin], order: Sequence[str]) -> bool:
        """Ask for an index whose last columns are sorted as `order` says ('DESC NULLS FIRST', ...); as `index` otherwise."""
        if len(set(order)) <= 1 and set(order) <= {"ASC NULLS LAST", "DESC NULLS FIRST"}:
            return self.index(origins)  # read forwards or backwards
        if len({o.table for o in origins}) != 1:
            return False
        sorts = [""] * (len(origins) - len(order)) + [f" {o}" for o in order]
        items = ", ".join(indexed(o.expression) + sort for o, sort in zip(origins, sorts, strict=True))
        self.tables.append(f"CREATE INDEX ON {origins[0].table} ({items})")
        self._indexes.append(_Index(origins[0].table, tuple(o.expression for o in origins), None))
        return True

    def searchable(
        self, operator: Operator, columns: Sequence[str], order: Sequence[str] = (), *, unread: Watermarks
    ) -> Stream:
        """Lower `operator` so that its content exists and can be probed by `columns`; stores it if it must.

        `order` holds the sort directions of the last columns, where they are read in order. `unread`: the caller will not look
        at rows below one of these watermarks (see `Stream.reads`).
        """
        stream = self.probed(operator, columns, order)
        stream.reads(unread)
        return stream

    def probed(self, operator: Operator, columns: Sequence[str], order: Sequence[str] = ()) -> Stream:
        """`searchable`, where the caller tells afterwards what he reads."""
        stream = self.pin(operator, operator.lower(self))
        if stream.content is not None:
            origins = [operator.origin(c) for c in columns]
            known = [o for o in origins if o is not None]
            if len(known) == len(origins) and (not columns or self.ordered_index(known, order)):
                return stream
        return self.store(operator, stream, columns, order)

    def searchable_by(
        self,
        operator: Operator,
        probes: Sequence[tuple[Sequence[str], Sequence[str]]],
        *,
        unread: Watermarks,
    ) -> Stream:
        """`searchable` by several lists of columns, each with the sort directions of its last columns."""
        stream = self._probed_by(operator, probes)
        stream.reads(unread)
        return stream

    def _probed_by(self, operator: Operator, probes: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Stream:
        stream = self.pin(operator, operator.lower(self))
        if stream.content is not None:
            found = [[operator.origin(c) for c in columns] for columns, _ in probes]
            known = [[o for o in each if o is not None] for each in found]
            tables = {o.table for each in known for o in each}
            if len(tables) <= 1 and all(len(k) == len(f) for k, f in zip(known, found, strict=True)):
                for origins, (_, order) in zip(known, probes, strict=True):
                    if origins:
                        self.ordered_index(origins, order)
                return stream
        stream = self.store(operator, stream)
        for columns, order in probes:
            if columns:
                self.ordered_index([Origin(str(stream.content), quote(c)) for c in columns], order)
        return stream

    def store(
        self, operator: Operator, stream: Stream, index: Sequence[str] = (), order: Sequence[str] = ()
    ) -> Stream:
        """Keep the operator's content in a state table of its own; the caller tells what he reads of it."""
        stream = self.pin(operator, stream)
        table = self.state_table(operator.columns, None if operator.append_only else operator.key)
        kept = Kept(table, operator.columns)
        self._kept.append(kept)
        stored = Stream(stream.delta, table, kept.read)
        if not operator.keep(stored):
            self.stored.add(table)
        for statement in apply_delta(table, stream.delta, operator):
            self.step(statement)
        if index:
            self.ordered_index([Origin(table, quote(c)) for c in index], order)
        return stored


def indexed(expression: str) -> str:
    """As an index lists it: a column by its quoted name, everything else in parentheses."""
    return expression if re.fullmatch(r'"([^"]|"")*"', expression) else f"({expression})"


def consolidate(delta: str, columns: str) -> str:
    """The delta with the weights of equal rows added up and rows of weight zero left out."""
    return f"SELECT {columns}, sum({WEIGHT}) AS {WEIGHT} FROM {delta} AS d GROUP BY {columns} HAVING sum({WEIGHT}) <> 0"


def apply_delta(table: str, delta: str, operator: Operator, *, consolidated: bool = False) -> list[str]:
    """Statements that bring `table` from the content before the barrier to the one after it.

    Rows that stay are overwritten in place by key (HOT where no index covers a changed column); rows that go are found by
    key and compared whole, so that the delta need not be ordered.
    """
    columns = names(operator.columns)
    if operator.append_only:
        return [f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {delta} AS d"]
    key, rest = operator.key, [c.name for c in operator.columns if c.name not in operator.key]
    updates = ", ".join(f"{quote(c)} = EXCLUDED.{quote(c)}" for c in rest)
    conflict = f"({names(key)}) DO UPDATE SET {updates}" if updates else "DO NOTHING"
    rows = delta if consolidated else f"({consolidate(delta, columns)})"
    same = " AND ".join(f"t.{quote(c)} IS NOT DISTINCT FROM g.{quote(c)}" for c in rest) or "true"
    return [
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {rows} AS d WHERE {WEIGHT} > 0 "
        f"ON CONFLICT {conflict}",
        f"DELETE FROM {table} AS t USING (SELECT d.*, {place_of(table, 'd', key)} AS _at "
        f"FROM {rows} AS d WHERE d.{WEIGHT} < 0 OFFSET 0) AS g WHERE t.ctid = g._at AND {same}",
    ]
