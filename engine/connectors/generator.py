"""Sources that generate their rows: what a generator is, the thread that runs it in time, and reading a range again.

A row is a pure function of the source's settings, its split (a partition), its offset there and the time at which the
source began to be read, and that time is part of every position (as the topic's id is for Kafka). So a position that
committed with the state made from it says all: a restart goes on behind it, and a view that comes later reads the same
rows again, exactly.

The pace counts from the start of the reading thread, with one second's rows due at once, as RisingWave's does; time that
the engine was down is not made up for. A generator that falls behind by more than a second forgets the rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from engine.connectors.ahead import ReadsAhead
from engine.connectors.datagen import DatagenRows
from engine.connectors.decode import Decoded
from engine.connectors.nexmark import NexmarkRows
from engine.connectors.source import (
    INCLUDE_TYPES,
    Batch,
    Composites,
    Position,
    SourceColumn,
    SourceSpec,
    short_type,
)
from tailrace.errors import InvalidStatement, UnsupportedFeature

_TICK_S: Final = 0.1
_MOST_ROWS: Final = 5_000
"""Generated at a time, so that the flow gets its turn."""
_ROW_BYTES: Final = 64


class Rows(Protocol):
    """A generator: pure. Splits are numbered from 0."""

    @property
    def splits(self) -> int: ...

    def end(self, split: int) -> int | None:
        """How many rows the split has in all; None when it has no end."""

    def due(self, split: int, start: int, elapsed_s: float) -> int:
        """How many rows of the split are due, counted from offset `start`, when it has run for so long."""

    def rows(self, split: int, start: int, end: int, began_ms: int) -> list[tuple[Any, ...]]:
        """Rows from offset `start` (inclusive) to `end` (exclusive), of a source that began at that Unix time."""


GENERATORS: Final = frozenset({"datagen", "nexmark"})


def generated_spec(
    name: str,
    columns: Sequence[SourceColumn],
    options: Mapping[str, str],
    format_: str,
    encode: str,
    *,
    composites: Composites | None = None,
) -> SourceSpec:
    """Check CREATE SOURCE of a generator and gather it. Raises what its options raise, naming them."""
    given = {key.strip().lower(): value for key, value in options.items()}
    connector = given.pop("connector").lower()
    if (format_.upper(), encode.upper()) not in {("NATIVE", "NATIVE"), ("PLAIN", "JSON")}:
        feature = f"FORMAT {format_.upper()} ENCODE {encode.upper()} of connector {connector}"
        raise UnsupportedFeature(feature, hint="leave it out, or write FORMAT PLAIN ENCODE JSON")
    checked = tuple(SourceColumn(c.name, short_type(c.type), c.origin) for c in columns)
    for column in checked:
        if column.origin == "header":
            raise InvalidStatement(
                f"additional column type header is not supported for connector {connector}"
            )
        if column.origin != "field" and column.type not in INCLUDE_TYPES.get(column.origin, ()):
            raise UnsupportedFeature(
                f"type {column.type} for INCLUDE {column.origin}", hint="leave AS type out"
            )
    spec = SourceSpec(name, "", "", "earliest", encode.lower(), checked, given, connector, composites or {})
    rows_of(spec)
    return spec


def rows_of(spec: SourceSpec) -> Rows:
    """The generator of a source whose settings have been checked."""
    return DatagenRows.of(spec) if spec.connector == "datagen" else NexmarkRows.of(spec)


def first_positions(spec: SourceSpec, now_ms: int | None = None) -> dict[int, Position]:
    """Every split's beginning. The time in it is not final: a source begins when it is first read."""
    began = _identity(spec, _now_ms() if now_ms is None else now_ms)
    return {split: Position(began, split, 0) for split in range(rows_of(spec).splits)}


def read_generated(
    spec: SourceSpec, start: Mapping[int, Position], end: Mapping[int, Position], chunk_rows: int
) -> Iterator[Batch]:
    """The rows between two positions, in batches; the last one's positions are `end`."""
    generator = rows_of(spec)
    for split, until in end.items():
        offset = start[split].offset if split in start else 0
        while offset < until.offset:
            upto = min(offset + chunk_rows, until.offset)
            rows = generator.rows(split, offset, upto, _began_ms(until))
            offset = upto
            yield Batch(rows, {split: Position(until.topic_id, split, offset)})
    yield Batch(positions=dict(end))


class GeneratorReader(ReadsAhead):
    """Generates from `positions` on, for ever or to the end. `wake` is set when rows wait."""

    def __init__(
        self,
        spec: SourceSpec,
        positions: Mapping[int, Position],
        *,
        wake: threading.Event,
        max_pending_rows: int = 20_000,
    ) -> None:
        self._generator = rows_of(spec)
        super().__init__(spec, _begun(spec, positions, self._generator.splits), wake)
        self._max_rows = max_pending_rows

    def ends(self, timeout_s: float = 1.0) -> dict[int, tuple[str, int]]:
        """By split, the offset up to which rows have been generated: there is no other end to lag behind."""
        del timeout_s
        with self._lock:
            return {split: (each.topic_id, each.offset) for split, each in self._positions.items()}

    def _read(self) -> None:
        paces = {split: (each.offset, time.monotonic()) for split, each in self._positions.items()}
        while not self._stopping.is_set():
            made = False
            for split, (start, began_at) in paces.items():
                now, at, end = time.monotonic(), self._positions[split].offset, self._generator.end(split)
                due = start + self._generator.due(split, start, now - began_at)
                if end is not None:
                    due = min(due, end)
                until = min(due, at + _MOST_ROWS, at + self._room())
                if until > at:
                    self._add(split, until)
                    made = True
                if due > until + self._generator.due(split, until, 0):
                    paces[split] = (until, now)  # more than a second behind
            if not made:
                self._stopping.wait(_TICK_S)

    def _room(self) -> int:
        with self._lock:
            return max(0, self._max_rows - self._pending.rows)

    def _add(self, split: int, until: int) -> None:
        at = self._positions[split]
        rows = self._generator.rows(split, at.offset, until, _began_ms(at))
        count = len(rows)
        decoded = Decoded(
            rows, [split] * count, list(range(at.offset, until)), {split: until}, _ROW_BYTES * count
        )
        with self._lock:
            self._pending.append(at.topic_id, decoded)
            self._positions[split] = Position(at.topic_id, split, until)
        self._wake.set()


def _begun(spec: SourceSpec, positions: Mapping[int, Position], splits: int) -> dict[int, Position]:
    """The positions to go on from; a source of which nothing was read yet begins now."""
    read = [each for each in positions.values() if each.offset > 0]
    began = read[0].topic_id if read else _identity(spec, _now_ms())
    offsets = {split: positions[split].offset if split in positions else 0 for split in range(splits)}
    return {split: Position(began, split, offset) for split, offset in offsets.items()}


def _identity(spec: SourceSpec, began_ms: int) -> str:
    return f"{spec.connector}:{began_ms}"


def _began_ms(position: Position) -> int:
    return int(position.topic_id.rpartition(":")[2])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
