"""Project and Filter: the linear operators that look at one row at a time.

Meaning: SELECT expressions / WHERE condition. Delta rule: the same on the delta, weights untouched (DBSP: linear operators
are their own incremental version). State: none. Needs deterministic expressions. Cost: O(delta).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from engine.compile.builder import ProgramBuilder
from engine.operators.base import (
    WEIGHT,
    Column,
    Cost,
    Description,
    Linear,
    Operator,
    Origin,
    Stream,
    Unary,
    names,
    quote,
)
from engine.operators.watermark import Watermarks, carried


def sql(expression: exp.Expr) -> str:
    """An expression over an operator's columns as PostgreSQL text."""
    return expression.sql(dialect="postgres")


@dataclass(eq=False)
class Project(Unary):
    """`items[i]` computes `columns[i]`; its columns are unqualified names of the input's columns."""

    items: tuple[exp.Expr, ...]
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def append_only(self) -> bool:  # type: ignore[override]
        return self.input.append_only

    @property
    def owns_content(self) -> bool:
        return self.input.owns_content

    @property
    def of_one_row(self) -> bool:
        return self.input.of_one_row

    @property
    def watermarks(self) -> Watermarks:
        below = self.input.watermarks
        found = {c.name: carried(i, below) for c, i in zip(self.columns, self.items, strict=True)}
        return {name: w for name, w in found.items() if w is not None}

    def _select(self) -> str:
        return ", ".join(
            f"{sql(item)} AS {quote(column.name)}"
            for item, column in zip(self.items, self.columns, strict=True)
        )

    def lower(self, program: ProgramBuilder) -> Stream:
        below = self.input.lower(program)
        select = self._select()
        # OFFSET 0 keeps the planner from pulling the query up, which would compute an expression once per reference
        fence = "" if all(isinstance(i, exp.Column) for i in self.items) else " OFFSET 0"
        delta = f"(SELECT {select}, {WEIGHT} FROM {below.delta} AS i{fence})"
        if below.content is None:
            return Stream(delta, None)

        def read(unread: Watermarks) -> None:
            below.reads({kept[c]: w for c, w in unread.items() if c in kept})

        kept = {
            c.name: i.name for c, i in zip(self.columns, self.items, strict=True) if isinstance(i, exp.Column)
        }
        return Stream(delta, f"(SELECT {select} FROM {below.content} AS i)", read)

    def origin(self, column: str) -> Origin | None:
        for item, output in zip(self.items, self.columns, strict=True):
            if output.name == column:
                return self.input.origin(item.name) if isinstance(item, exp.Column) else None
        return None

    def describe(self) -> Description:
        shown = ", ".join(
            f"{sql(i)} AS {c.name}" for i, c in zip(self.items, self.columns, strict=True) if not c.hidden
        )
        return Description("Project", shown, "delta", Cost.DELTA)


@dataclass(eq=False)
class Filter(Linear):
    """Rows for which `condition` is true."""

    condition: exp.Expr

    @property
    def owns_content(self) -> bool:
        return self.input.owns_content

    @property
    def of_one_row(self) -> bool:
        return self.input.of_one_row

    def lower(self, program: ProgramBuilder) -> Stream:
        below = self.input.lower(program)
        where = sql(self.condition)
        columns = names(self.columns)
        delta = f"(SELECT {columns}, {WEIGHT} FROM {below.delta} AS i WHERE {where})"
        content = (
            None if below.content is None else f"(SELECT {columns} FROM {below.content} AS i WHERE {where})"
        )
        return Stream(delta, content, below.read)

    def describe(self) -> Description:
        return Description("Filter", sql(self.condition), "delta", Cost.DELTA)


def rename(operator: Operator, mapping: dict[str, str], hidden: Sequence[str] = ()) -> Operator:
    """A Project that only renames columns (and hides some); the operator itself when nothing changes."""
    if all(k == v for k, v in mapping.items()) and not hidden:
        return operator
    columns = tuple(
        Column(mapping.get(c.name, c.name), c.type, c.hidden or c.name in hidden) for c in operator.columns
    )
    items = tuple(exp.column(exp.to_identifier(c.name, quoted=True)) for c in operator.columns)
    return Project(operator, items, columns, tuple(mapping.get(k, k) for k in operator.key))
