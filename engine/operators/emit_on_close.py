"""EMIT ON WINDOW CLOSE: rows are held until the watermark has passed them, and then put out once, for good.

Meaning: the input's rows whose `time` is below the watermark. Delta rule: the input's changes go into what is held; then what
is held below the watermark goes out, and out of the state. No change can come for it any more (see `watermark`), so the
output is append-only. Over an aggregate the groups are what is held: its state serves, and the groups' own changes are not
put out at all; likewise the first rows of a top-N.
State: what has not closed, indexed by `time`. A view that is still being filled from history closes nothing: the watermark
counts from the moment its id stands in engine.window_views.
Asks for an input with a watermark on `time`. Rows with NULL there are never put out. Key: the input's.
Cost: O(delta log n) plus what closes. Reference: the query as a batch over what came in time, below the watermark.
Source: RisingWave docs, "Emit on window close".
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.compile.builder import ProgramBuilder
from engine.operators.aggregate import Aggregate
from engine.operators.base import WEIGHT, Along, Cost, Description, Origin, Stream, names, quote
from engine.operators.top_n import TopN
from engine.operators.watermark import Watermarks


@dataclass(eq=False)
class EmitOnClose(Along):
    """`time` is a column of the input that has a watermark."""

    time: str
    append_only = True

    @property
    def watermarks(self) -> Watermarks:
        return {self.time: self.input.watermarks[self.time]}

    def lower(self, program: ProgramBuilder) -> Stream:
        column, columns = quote(self.time), names(self.columns)
        if isinstance(self.input, Aggregate):
            self.input.unread = True
            stream = self.input.lower(program)
            held = self.input.state
            program.index([Origin(held, column)])
        elif isinstance(self.input, TopN):
            stream = self.input.lower(program)
            held = str(stream.content)
            program.index([Origin(held, column)])
        else:
            stream = program.store(self.input, self.input.lower(program), [self.time])
            held = str(stream.content)
        stream.reads({})  # what has closed is deleted here
        content = stream.content
        closed = program.watermark(self.input.watermarks[self.time].sql, self.input.column(self.time).type)
        table = program.delta_table(self.columns)
        program.step(
            f"IF {closed} IS NOT NULL THEN INSERT INTO {table} ({columns}, {WEIGHT}) "
            f"SELECT {columns}, 1 FROM {content} AS h WHERE h.{column} < {closed}; "
            f"DELETE FROM {held} AS h WHERE h.{column} < {closed}; END IF"
        )
        return Stream(table, None)

    def describe(self) -> Description:
        return Description("EmitOnClose", f"below the watermark of {self.time}", "per window", Cost.DELTA_LOG)
