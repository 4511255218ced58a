"""Dedup: SELECT DISTINCT ON (columns) over an append-only input keeps the first row seen of each.

Meaning: one row per distinct value of `on`, the one that arrived first; later ones are dropped (RisingWave's append-only
dedup). Delta rule: rows of the delta whose columns are not in the state; of several in one barrier the lowest input key.
State: the values seen, one row each, as long as they do not lie below a watermark. Output is append-only.
Exact given the recorded order of arrival.
Cost: O(delta log n).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.builder import ProgramBuilder
from engine.operators.base import WEIGHT, Column, Cost, Description, Stream, Unary, exists_match, names
from engine.operators.watermark import Watermarks, moving


@dataclass(eq=False)
class Dedup(Unary):
    """`input` is append-only."""

    on: tuple[str, ...]
    append_only = True

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return self.input.columns

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.on

    @property
    def watermarks(self) -> Watermarks:
        return self.input.watermarks

    @property
    def _on_watermarks(self) -> Watermarks:
        return {c: w for c, w in self.watermarks.items() if c in self.on}

    def lower(self, program: ProgramBuilder) -> Stream:
        below = self.input.lower(program)
        state = program.state_table([self.column(c) for c in self.on], self.on)
        program.keep(state, [self.column(c) for c in self.on], moving(self._on_watermarks))
        table = program.delta_table(self.columns)
        columns, on = names(self.columns), names(self.on)
        program.step(
            f"INSERT INTO {table} ({columns}, {WEIGHT}) SELECT DISTINCT ON ({on}) {columns}, {WEIGHT} "
            f"FROM {below.delta} AS d WHERE NOT ({exists_match(state, 'd', self.on)}) "
            f"ORDER BY {on}, {names(self.input.key) or on}"
        )
        program.step(f"INSERT INTO {state} ({on}) SELECT {on} FROM {table}")
        return Stream(table, None)

    def describe(self) -> Description:
        return Description("Dedup", f"on {', '.join(self.on)}, append-only", "per key", Cost.DELTA_LOG)
