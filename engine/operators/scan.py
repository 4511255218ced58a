"""Scan: the changes and the content of a stored relation or a source.

Meaning: the relation itself. Delta rule: the relation's delta table as it is. State: none (the relation's own storage).
A source keeps nothing, so it has a delta only. Cost: O(delta).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.compile.builder import ProgramBuilder
from engine.operators.base import Column, Cost, Description, Operator, Origin, Stream, elsewhere, quote
from engine.operators.watermark import Watermarks


@dataclass(eq=False)
class Scan(Operator):
    """`content` is a relation name or None for a source; `storage` maps columns to (table, expression)."""

    relation: str
    delta: str
    content: str | None
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    append_only: bool
    storage: dict[str, tuple[str, str]] = field(default_factory=dict)
    declared: Watermarks = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return ()

    @property
    def watermarks(self) -> Watermarks:
        return self.declared

    def lower(self, program: ProgramBuilder) -> Stream:
        if self.content is not None and self.key and not self.append_only:
            origins = [self.origin(c) for c in self.key]
            tables = {o.table for o in origins if o}
            if len(tables) == 1 and all(origins):
                program.known_index(tables.pop(), [o.expression for o in origins if o])
        return Stream(self.delta, self.content, elsewhere if self.content is not None else None)

    def origin(self, column: str) -> Origin | None:
        at = self.storage.get(column)
        return Origin(*at) if at else None

    def describe(self) -> Description:
        columns = ", ".join(c.name for c in self.columns if not c.hidden)
        kind = "append-only" if self.append_only else "retractable"
        return Description("Scan", f"{quote(self.relation)} ({columns}) {kind}", "delta", Cost.DELTA)
