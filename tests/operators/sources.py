"""Sources without a broker: a test hands over the batches, and knows what a watermark must do with them.

`ReferenceSource` is the slow twin of a source's watermark: it keeps every row ever sent and tells which came in time.
`Streams` plays histories over two of them; what the views are, and what they must hold, is its subclasses' business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import strategies as st

from engine.connectors.source import Batch, Position
from engine.ddl import create_source
from engine.flow import source_input
from tests.support.flow import START, FlowUnderTest

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
        yield from (Batch(_taken_in(sent[at : at + 2])) for at in range(0, len(sent), 2))

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
        batches[source.id] = Batch(_taken_in(rows), {0: Position(TOPIC, 0, offset)})
    engine.flow.barrier(batches)


def _taken_in(rows: list[Row]) -> list[tuple[Any, ...]]:
    """As the reader hands them over: the partition that the statement includes is text, the flow's own a number."""
    return [(*row[:4], str(row[4]), row[4]) for row in rows]


Oracle = psycopg.Connection[tuple[Any, ...]]
"""A session where the sources are tables."""
NAMES = ("s", "s2")


@dataclass
class Streams(ABC):
    """The engine with two sources, and what views over them have seen."""

    engine: FlowUnderTest
    sources: dict[str, ReferenceSource]
    oracle: Oracle
    base: dict[str, list[Row]] = field(default_factory=dict)
    """What the views, when they were made, read again (everything, in time or not), and what came in time since."""
    created: bool = False

    @abstractmethod
    def create(self) -> None:
        """Make the views; ends with `begin`."""

    @abstractmethod
    def check(self) -> None:
        """Compare the views, once they are there, with what the oracle says."""

    def __post_init__(self) -> None:
        """Sources without a message, and nothing else."""
        self.engine.clear()
        self.sources.clear()
        self.sources.update({name: ReferenceSource(name) for name in NAMES})
        self.engine.ddl(*(source.ddl() for source in self.sources.values()))

    def play(self, history: History) -> None:
        """From the beginning: event time goes on with each step, and rows lie about it, early and late."""
        there = type(self)(self.engine, self.sources, self.oracle)
        for number, (batch, advance_s) in enumerate(history.batches()):
            if number == history.create_at:
                there.create()
            if number == history.reopen_at:
                there.engine.reopen()
            there.barrier(batch, advance_s)
            there.check()
        if not there.created:
            there.create()
        there.check()

    def barrier(self, rows_of: dict[str, list[Row]], advance_s: int) -> None:
        rows_of = {name: rows for name, rows in rows_of.items() if rows}
        send(self.engine, rows_of, advance_s)
        for name, rows in rows_of.items():
            fresh = self.sources[name].take(rows, self.engine.clock.now)
            if self.created:
                self.base[name].extend(fresh)

    def begin(self) -> None:
        """The views are there, and have read what the sources hold."""
        self.base = {name: list(source.sent) for name, source in self.sources.items()}
        self.created = True

    def show_oracle(self) -> None:
        """Let the oracle's tables hold what the views have seen."""
        for name, rows in self.base.items():
            self.oracle.execute(f"TRUNCATE {name}")
            with self.oracle.cursor() as cursor:
                cursor.executemany(f"INSERT INTO {name} VALUES (%s, %s, %s, %s, %s::int::varchar)", rows)

    def state_rows(self, view: str) -> int:
        """How many rows the operators of a view keep, its result left out."""
        item = self.engine.flow.catalog.by_name(view)
        assert item is not None
        assert item.program is not None
        tables = [t.split()[2] for t in item.program.tables if t.startswith("CREATE TABLE")]
        counted = [
            self.engine.flow.connection.execute(f"SELECT count(*) FROM {t}").fetchone()
            for t in tables
            if f" {t} " not in item.program.content
        ]
        return sum(row[0] for row in counted if row)


@contextmanager
def oracle_session(engine: FlowUnderTest) -> Iterator[Oracle]:
    """A session of its own in the engine's database, with empty tables in the place of the sources."""
    dsn = engine.server.dsn(dbname=engine.database)
    with psycopg.connect(dsn, autocommit=True, options="-c TimeZone=UTC") as connection:
        for name in NAMES:
            connection.execute(f"CREATE TEMP TABLE {name} (id int, g int, i int, ts timestamptz, p varchar)")
        yield connection


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


_arrivals = st.lists(
    st.tuples(
        st.integers(0, 99),
        st.sampled_from([None, 0, 1, 2]),
        st.sampled_from([None, -1, 2, 3]),
        st.one_of(st.none(), st.integers(-12, 4)),
        st.integers(0, 1),
    ),
    max_size=4,
)


@dataclass(frozen=True)
class History:
    """What comes, before which step the views are made (or at the end), and before which the flow is started again.

    A step: seconds by which event time goes on, the rows of each source about it, seconds by which the clock goes on.
    """

    steps: list[tuple[int, list[Any], list[Any], int]]
    create_at: int
    reopen_at: int

    def batches(self) -> Iterator[tuple[dict[str, list[Row]], int]]:
        """The rows of each step by source, some early and some late, and the seconds of the clock."""
        second = 0
        for further, first, other, advance_s in self.steps:
            second += further
            yield (
                {
                    name: [(i, g, v, None if s is None else at(second + s), p) for i, g, v, s, p in rows]
                    for name, rows in zip(NAMES, (first, other), strict=True)
                },
                advance_s,
            )


source_histories = st.builds(
    History,
    st.lists(
        st.tuples(st.integers(0, 12), _arrivals, _arrivals, st.sampled_from([0, 1, 40])),
        min_size=3,
        max_size=9,
    ),
    st.integers(0, 9),
    st.integers(0, 30),
)
