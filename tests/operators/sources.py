"""Sources without a broker: a test hands over the batches, and knows what a watermark must do with them.

`ReferenceSource` is the slow twin of a source's watermark: it keeps every row ever sent and tells which came in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.connectors.source import Batch, Position
from engine.ddl import create_source
from engine.flow import source_input
from tests.support.flow import FlowUnderTest

Row = tuple[int, int | None, int | None, datetime | None, int]
"""id, g, i, ts, partition."""
DELAY = timedelta(seconds=5)
TOPIC = "topic"


@dataclass
class ReferenceSource:
    """What was sent to one source, what was taken, and its watermark after the last barrier."""

    name: str
    sent: list[Row] = field(default_factory=list)
    taken: list[Row] = field(default_factory=list)
    watermark: datetime | None = None
    _newest: dict[int, tuple[datetime, datetime]] = field(default_factory=dict)

    def ddl(self) -> str:
        return (
            f"CREATE SOURCE {self.name} (id int, g int, i int, ts timestamptz, WATERMARK FOR ts AS ts - INTERVAL '5 seconds')"
            f" INCLUDE partition AS p WITH (connector = 'kafka', topic = '{self.name}',"
            " properties.bootstrap.server = 'nowhere:9') FORMAT PLAIN ENCODE JSON"
        )

    def take(self, rows: list[Row], now: datetime) -> list[Row]:
        """A barrier with these rows; returns those that came in time."""
        self._advance(now)
        low = self.watermark
        fresh = [r for r in rows if low is None or (r[3] is not None and r[3] >= low)]
        for row in rows:
            if row[3] is not None:
                known = self._newest.get(row[4])
                self._newest[row[4]] = (max(row[3], known[0]) if known else row[3], now)
        if rows:
            self._advance(now)
        self.sent.extend(rows)
        self.taken.extend(fresh)
        return fresh

    def _advance(self, now: datetime) -> None:
        active = [n for n, at in self._newest.values() if (now - at).total_seconds() < create_source.IDLE_S]
        if active and (self.watermark is None or min(active) - DELAY > self.watermark):
            self.watermark = min(active) - DELAY


@contextmanager
def no_broker(sources: dict[str, ReferenceSource]) -> Iterator[None]:
    """Sources are created without a topic, and a new view reads again what `sources` were sent, two rows at a time."""

    def read_again(spec: Any, begin: Any, end: Any, rows: int) -> Iterator[Batch]:
        sent = sources[spec.name].sent
        yield from (Batch(list(sent[at : at + 2])) for at in range(0, len(sent), 2))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(create_source, "start_positions", lambda spec: {})
        patched.setattr(source_input, "read_range", read_again)
        yield


def send(engine: FlowUnderTest, rows_of: dict[str, list[Row]], advance_s: float = 0) -> None:
    """One barrier with these rows, by source name."""
    engine.clock.advance(advance_s)
    batches = {}
    for name, rows in rows_of.items():
        source = engine.flow.catalog.by_name(name)
        assert source is not None
        offset = {p: at.offset for p, at in engine.flow.positions(source.id).items()}.get(0, 0) + len(rows)
        batches[source.id] = Batch(list(rows), {0: Position(TOPIC, 0, offset)})
    engine.flow.barrier(batches)
