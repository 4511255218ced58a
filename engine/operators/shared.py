"""Shared: what several places of a query read, maintained once.

Meaning: its input. Delta rule: the input's delta, put into a table. State: the input's; where readers need content that
the input does not keep, it is stored once for all of them. Key: the input's. Cost: the input's, once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.compile.builder import ProgramBuilder
from engine.operators.base import Cost, Description, Linear, Origin, Stream, quote


@dataclass(eq=False)
class Shared(Linear):
    """`name` is what the query calls it."""

    name: str
    _stream: Stream | None = field(default=None, init=False)
    _kept: bool = field(default=False, init=False)
    _builder: ProgramBuilder | None = field(default=None, init=False)

    def lower(self, program: ProgramBuilder) -> Stream:
        if self._stream is None or self._builder is not program:
            self._builder, self._kept = program, False
            self._stream = program.pin(self.input, self.input.lower(program))
        return self._stream

    @property
    def of_one_row(self) -> bool:
        return self.input.of_one_row

    def keep(self, stream: Stream) -> bool:
        self._stream, self._kept = stream, True
        return True

    def origin(self, column: str) -> Origin | None:
        stream = self._stream
        if self._kept and stream is not None and stream.content is not None:
            return Origin(stream.content, quote(column))
        return self.input.origin(column)

    def describe(self) -> Description:
        return Description("Shared", self.name, "delta", Cost.DELTA)
