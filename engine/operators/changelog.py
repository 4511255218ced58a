"""AS CHANGELOG: the changes of a relation as rows of their own, which never change again.

Meaning: each change of the input becomes a row: its visible columns, `changelog_op` (1 insert, 2 delete, 3 what an update brings,
4 what it takes away) and a hidden `_changelog_row_id` that rises. Two changes of one key in one barrier are an update.
Delta rule: the consolidated delta itself, ordered by the input's key, what goes before what comes.
State: none. What the input holds when the view is made comes as inserts. Key: `_changelog_row_id`; append-only.
Depends on where barriers cut: changes of one row within a barrier are one. Cost: O(delta).
Source: RisingWave docs, "AS CHANGELOG".
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.builder import ProgramBuilder, consolidate
from engine.operators.base import WEIGHT, Column, Cost, Description, Operator, Stream, Unary, names, quote
from tailrace.sql.changelog import OPERATION, ROW_ID

INSERT, DELETE, UPDATE_INSERT, UPDATE_DELETE = 1, 2, 3, 4


@dataclass(eq=False)
class Changelog(Unary):
    """The changes of `input`."""

    append_only = True
    key = (ROW_ID,)

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (*self.input.visible, Column(OPERATION, "smallint"), Column(ROW_ID, "bigint", hidden=True))

    def lower(self, program: ProgramBuilder) -> Stream:
        table = program.delta_table(self.columns)
        op, rows = changes(self.input, self.input.lower(program).delta)
        shown = [names(self.input.visible, "c.")] if self.input.visible else []
        selected = ", ".join([*shown, op, "nextval('engine.row_id')", "1"])
        program.step(f"INSERT INTO {table} ({names(self.columns)}, {WEIGHT}) SELECT {selected} FROM {rows}")
        return Stream(table, None)

    def describe(self) -> Description:
        return Description(
            "Changelog", f"by ({', '.join(quote(k) for k in self.input.key)})", "delta", Cost.DELTA
        )


def changes(operator: Operator, delta: str) -> tuple[str, str]:
    """The op of each change, and FROM what to select it: relation `c`, the operator's delta in the order of its key."""
    if operator.append_only:
        return str(INSERT), f"{delta} AS c"
    key = names(operator.key)
    op = (
        f"CASE WHEN c.{WEIGHT} > 0 THEN CASE WHEN c._pair THEN {UPDATE_INSERT} ELSE {INSERT} END "
        f"ELSE CASE WHEN c._pair THEN {UPDATE_DELETE} ELSE {DELETE} END END"
    )
    rows = (
        f"(SELECT d.*, count(*) OVER (PARTITION BY {key}) = 2 AS _pair "
        f"FROM ({consolidate(delta, names(operator.columns))}) AS d ORDER BY {key}, {WEIGHT}) AS c"
    )
    return op, rows
