"""The rows of the groups that a delta touches, found by index: shared by operators that look at whole groups."""

from __future__ import annotations

from collections.abc import Sequence

from engine.compile.builder import ProgramBuilder
from engine.operators.base import WEIGHT, Column, names, rows_like


def touched_groups(program: ProgramBuilder, delta: str, partition: Sequence[Column]) -> str:
    """A delta table that holds each group of `delta` once; without partition columns one empty row if anything changed."""
    groups = program.delta_table(partition)
    if partition:
        program.step(
            f"INSERT INTO {groups} ({names(partition)}) SELECT DISTINCT {names(partition)} FROM {delta} AS d"
        )
    else:
        program.step(f"INSERT INTO {groups} ({WEIGHT}) SELECT 1 FROM {delta} AS d LIMIT 1")
    return groups


def rows_of_groups(
    content: str, groups: str, partition: Sequence[str], columns: Sequence[Column], first: str = ""
) -> str:
    """SELECT of `columns` of the rows of `content` in `groups`, each group probed by index; NULL equals NULL.

    `first` is put behind each probe (alias c): ORDER BY and LIMIT.
    """
    listed = names(columns, "t.")
    if not partition:
        return f"SELECT {listed} FROM {groups} AS g CROSS JOIN LATERAL (SELECT * FROM {content} AS c{first or ' OFFSET 0'}) AS t"
    rows = rows_like(content, "g", partition, "*", alias="c", behind=first)
    return f"SELECT {listed} FROM {groups} AS g CROSS JOIN LATERAL ({rows}) AS t"
