"""UNION ALL: the rows of all branches.

Meaning: bag union. Delta rule: union of the deltas (linear). State: none. Key: the branch's number and its key, padded with
empty text, so that it holds no NULL of its own. Needs branches with the same column names and types (the compiler casts).
Cost: O(delta).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.builder import ProgramBuilder
from engine.operators.base import WEIGHT, Column, Cost, Description, Operator, Origin, Stream, names, quote
from engine.operators.watermark import Watermarks, least

BRANCH = "_branch"


@dataclass(eq=False)
class UnionAll(Operator):
    """`branches` have equal visible columns; their hidden columns are only key columns."""

    branches: tuple[Operator, ...]

    @property
    def _keys(self) -> tuple[Column, ...]:
        """The shared key columns: by position, text where the branches' types differ or a branch has fewer."""
        width = max(len(b.key) for b in self.branches)
        types = []
        for position in range(width):
            found = {
                b.column(b.key[position]).type if position < len(b.key) else "text" for b in self.branches
            }
            types.append(found.pop() if len(found) == 1 else "text")
        return tuple(Column(f"_key{position}", type_, hidden=True) for position, type_ in enumerate(types))

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (*self.branches[0].visible, Column(BRANCH, "smallint", hidden=True), *self._keys)

    @property
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        return (BRANCH, *(k.name for k in self._keys))

    @property
    def append_only(self) -> bool:  # type: ignore[override]
        return all(b.append_only for b in self.branches)

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return self.branches

    @property
    def watermarks(self) -> Watermarks:
        of_branches = [b.watermarks for b in self.branches]
        shared = [c.name for c in self.branches[0].visible if all(c.name in w for w in of_branches)]
        return {name: least([w[name] for w in of_branches]) for name in shared}

    def lower(self, program: ProgramBuilder) -> Stream:
        streams = [branch.lower(program) for branch in self.branches]
        visible = names(self.branches[0].visible)
        selects = []
        for number, branch in enumerate(self.branches):
            keys = [
                f"{quote(branch.key[i])}::{k.type}" if i < len(branch.key) else "''"
                for i, k in enumerate(self._keys)
            ]
            shown = "".join(f", {e} AS {quote(k.name)}" for e, k in zip(keys, self._keys, strict=True))
            selects.append(f"SELECT {visible}, {number}::smallint AS {quote(BRANCH)}{shown}")
        deltas = [f"{s}, {WEIGHT} FROM {b.delta} AS i" for s, b in zip(selects, streams, strict=True)]
        delta = f"({' UNION ALL '.join(deltas)})"
        if any(b.content is None for b in streams):
            return Stream(delta, None)
        contents = [f"{s} FROM {b.content} AS i" for s, b in zip(selects, streams, strict=True)]

        def read(unread: Watermarks) -> None:
            shared = {c.name: unread[c.name] for c in self.branches[0].visible if c.name in unread}
            for stream in streams:
                stream.reads(shared)

        return Stream(delta, f"({' UNION ALL '.join(contents)})", read)

    def origin(self, column: str) -> Origin | None:
        return None

    def describe(self) -> Description:
        return Description("UnionAll", f"{len(self.branches)} branches", "delta", Cost.DELTA)
