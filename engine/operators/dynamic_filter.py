"""Dynamic filter: a column compared with the one value of an uncorrelated subquery, `col > (SELECT max(x) FROM v)`.

Meaning: the rows for which `column op bound` is true at the barrier. A bound that is NULL, or a subquery without a row, lets
nothing pass, and neither does a NULL column. Delta rule, with s for the filter by a bound:
    d out = s_old(d in) + (s_new - s_old)(content')
that is, changes are judged by the bound of the barrier before, and the rows of the new content that lie between the two
bounds cross over: looked up by the index on the column, never the rest. Where a bound appears or goes, all that it lets
pass crosses.
State: the input's content, indexed by the column (a stored relation's own storage serves), and the last bound, one row.
Needs a bound of at most one row, whose content is kept (the planner sees to both). Key: the input's.
Cost: O(delta log n) plus the rows that cross. Reference: the query as a batch.
Source: RisingWave docs, "Dynamic filters".
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.builder import ONE, ProgramBuilder
from engine.operators.base import WEIGHT, Column, Cost, Description, Operator, Origin, Stream, names, quote

_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}


@dataclass(eq=False)
class DynamicFilter(Operator):
    """`column op value`, where `value` is the visible column of `bound`, of a type that PostgreSQL compares by one index."""

    input: Operator
    bound: Operator
    column_name: str
    op: str
    read_whole: bool = False
    """Is the content read as a whole? Else it is probed, and the range must not look better to the planner than the probe."""
    append_only = False

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return self.input.columns

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.input.key

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input, self.bound)

    def lower(self, program: ProgramBuilder) -> Stream:
        below = program.searchable(self.input, [self.column_name], unread={})
        (value,) = self.bound.visible
        bound = self.bound.lower(program)
        bound.reads({})
        content = bound.content
        kept = program.state_table([Column(ONE, "smallint"), Column("bound", value.type)], [ONE])
        old, new = program.variable(value.type), program.variable(value.type)
        table, columns, column = (
            program.delta_table(self.columns),
            names(self.columns),
            quote(self.column_name),
        )
        into = f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT {columns}"
        opposite = _OPPOSITE[self.op]

        def cross(weight: int, inside: str, outside: str | None) -> str:
            """Rows that the bound `inside` lets pass and `outside` does not."""
            beyond = f" AND i.{column} {opposite} {outside}" if outside else ""
            return f"{into}, {weight} FROM {below.content} AS i WHERE i.{column} {self.op} {inside}{beyond}"

        narrows = f"{new} {'>' if self.op in ('>', '>=') else '<'} {old}"
        program.step(f"{old} := (SELECT k.bound FROM {kept} AS k)")
        program.step(f"{new} := (SELECT b.{quote(value.name)} FROM {content} AS b)")
        program.step(
            f"IF {old} IS DISTINCT FROM {new} THEN INSERT INTO {kept} (_one, bound) VALUES (0, {new}) "
            f"ON CONFLICT (_one) DO UPDATE SET bound = EXCLUDED.bound; END IF"
        )
        program.step(
            f"IF initial THEN {into}, {WEIGHT} FROM {below.delta} AS i WHERE i.{column} {self.op} {new}; "
            f"ELSE {into}, {WEIGHT} FROM {below.delta} AS i WHERE i.{column} {self.op} {old}; "
            f"IF {new} IS NULL THEN {cross(-1, old, None)}; "
            f"ELSIF {old} IS NULL THEN {cross(1, new, None)}; "
            f"ELSIF {old} = {new} THEN NULL; "
            f"ELSIF {narrows} THEN {cross(-1, old, new)}; "
            f"ELSE {cross(1, new, old)}; END IF; END IF"
        )
        passing = f"i.{column} {self.op} (SELECT k.bound FROM {kept} AS k)"
        if (
            not self.read_whole
        ):  # IS TRUE hides it: a join probes by its own columns, never by this wide range
            passing = f"({passing}) IS TRUE"
        return Stream(table, f"(SELECT {columns} FROM {below.content} AS i WHERE {passing})", below.read)

    def origin(self, column: str) -> Origin | None:
        return self.input.origin(column)

    def describe(self) -> Description:
        return Description("DynamicFilter", f"{self.column_name} {self.op} bound", "delta", Cost.DELTA_LOG)
