"""Random histories for what depends on event time or on the order of arrival: views beside references that replay it.

`log` has a watermark and takes rows that are late, `live` and `dim` change in all ways, `gaps` has its time for a key. The
references know what came in time (`World.take`), what each row met when it came, and what changed from barrier to barrier; the
rest they ask PostgreSQL over the tables, whose rows are compared first.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operators.histories import quick, thorough
from tests.support.flow import START, FlowUnderTest, Row, assert_same

DELAY = timedelta(seconds=5)
TABLES = (
    "CREATE TABLE log (id int, g int, v int, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '5 seconds') APPEND ONLY",
    "CREATE TABLE live (id int PRIMARY KEY, g int, v int)",
    "CREATE TABLE dim (k int PRIMARY KEY, g int, b int)",
    "CREATE TABLE gaps (ts timestamp PRIMARY KEY, a double precision, b int)",
    "CREATE MATERIALIZED VIEW sums AS SELECT g, sum(v)::int AS s FROM live GROUP BY g",
)
_PARTED = "(PARTITION BY g ORDER BY ts)"
_SESSION = "(PARTITION BY g ORDER BY ts SESSION WITH GAP INTERVAL '6 seconds')"
_HOP = "HOP(log, ts, INTERVAL '4 seconds', INTERVAL '12 seconds', INTERVAL '1 second')"
VIEWS = {
    "taken": "SELECT id, g, v, ts FROM log",
    "counted": "SELECT g, count(*) AS n, max(v) AS m FROM log GROUP BY g",
    "hops": f"SELECT id, window_start, window_end FROM {_HOP}",
    "sessions": f"SELECT id, first_value(ts) OVER {_SESSION} AS a, count(*) OVER {_SESSION} AS n FROM log WHERE ts IS NOT NULL",
    "filled": "SELECT ts, a, b FROM GAP_FILL(gaps, ts, INTERVAL '10 seconds', INTERPOLATE(a), LOCF(b))",
    "met": "SELECT live.id, live.v, k, b FROM live LEFT JOIN dim FOR SYSTEM_TIME AS OF PROCTIME() ON live.g = dim.g",
    "met_first": "SELECT log.id, b FROM log JOIN dim FOR SYSTEM_TIME AS OF PROCTIME() ON log.g = dim.k",
    "changes": "WITH c AS CHANGELOG FROM live SELECT id, g, v, changelog_op FROM c",
    "changes_of_sums": "WITH c AS CHANGELOG FROM sums SELECT g, s, changelog_op FROM c",
}
ON_CLOSE = {
    "plain": "SELECT id, ts FROM log WHERE v > 0",
    "grouped": f"SELECT g, window_start, count(*) AS n, sum(v) AS s FROM {_HOP} GROUP BY g, window_start",
    "ranked": f"SELECT id, ts, row_number() OVER {_PARTED} AS n, lag(v) OVER {_PARTED} AS l, "
    "sum(v) OVER (PARTITION BY g ORDER BY ts ROWS 2 PRECEDING) AS s FROM log",
    "ahead": f"SELECT id, ts, lead(v, 2) OVER {_PARTED} AS l FROM log",
    "first_two": "SELECT window_start, id, n FROM (SELECT *, row_number() OVER (PARTITION BY window_start ORDER BY v DESC, id) "
    "AS n FROM TUMBLE(log, ts, INTERVAL '10 seconds')) WHERE n <= 2",
    "sessions_closed": f"SELECT id, ts, first_value(ts) OVER {_SESSION} AS a, last_value(ts) OVER {_SESSION} AS z FROM log",
    "filled_closed": "SELECT ts, v FROM GAP_FILL(log, ts, INTERVAL '10 seconds', LOCF(v))",
}


@dataclass
class World:
    """The engine and what the references have to remember."""

    engine: FlowUnderTest
    taken: list[Row] = field(default_factory=list)
    sent: list[Row] = field(default_factory=list)
    watermark: datetime | None = None
    created: bool = False
    content: dict[str, set[Row]] = field(default_factory=dict)
    """Of live, dim and sums, at the last barrier."""
    met: dict[Row, list[Row]] = field(default_factory=dict)
    met_first: list[Row] = field(default_factory=list)
    changes: dict[str, list[Row]] = field(default_factory=lambda: {"live": [], "sums": []})
    shown: dict[str, Counter[Row]] = field(default_factory=dict)

    def send(self, rows: list[Row]) -> None:
        """A client's INSERT into the log."""
        self.sent += rows
        places = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
        self.engine.run(f"INSERT INTO log VALUES {places}", *(v for row in rows for v in row))

    def barrier(self, advance_s: float = 0) -> None:
        """A barrier, and the same for the references."""
        self.engine.barrier(advance_s)
        low = self.watermark
        fresh = [r for r in self.sent if low is None or (r[3] is not None and r[3] >= low)]
        self.taken += fresh
        times = [r[3] - DELAY for r in fresh if r[3] is not None]
        self.watermark = max([*times, *([] if low is None else [low])], default=None)
        self.sent = []
        if self.created:
            self._react(fresh)

    def create(self) -> None:
        """Make the views: what is there is taken as if it came now."""
        self.barrier()
        for name, query in VIEWS.items():
            self.engine.ddl(f"CREATE MATERIALIZED VIEW {name} AS {query}")
        for name, query in ON_CLOSE.items():
            self.engine.ddl(f"CREATE MATERIALIZED VIEW {name} AS {query} EMIT ON WINDOW CLOSE")
        self.created = True
        self._react(self.taken)

    def _react(self, fresh: list[Row]) -> None:
        """What joins and changelogs make of the difference to the last barrier."""
        now = {name: set(self.engine.rows(f"SELECT * FROM {name}")) for name in ("live", "dim", "sums")}
        self.met_first += [(row[0], b) for row in fresh for k, _, b in now["dim"] if row[1] == k]
        before = self.content.get("live", set())
        for row in before - now["live"]:
            del self.met[row]
        for row in now["live"] - before:
            found = [(k, b) for k, g, b in now["dim"] if g is not None and g == row[1]]
            self.met[row] = [(row[0], row[2], k, b) for k, b in found or [(None, None)]]
        for name, changes in self.changes.items():
            gone, come = self.content.get(name, set()) - now[name], now[name] - self.content.get(name, set())
            kept = {r[0] for r in gone} & {r[0] for r in come}
            changes += [(*r, 4 if r[0] in kept else 2) for r in gone]
            changes += [(*r, 3 if r[0] in kept else 1) for r in come]
        self.content = now

    def check(self) -> None:
        """All views, and the tables they are about."""
        assert_same(self.engine.rows("SELECT id, g, v, ts FROM log"), self.taken, "the table")
        if not self.created:
            return
        expected = {
            **{name: self.engine.rows(query) for name, query in _AS_BATCHES.items()},
            "filled": filled(sorted(self.engine.rows("SELECT ts, a, b FROM gaps"))),
            "met": [row for rows in self.met.values() for row in rows],
            "met_first": self.met_first,
            "changes": self.changes["live"],
            "changes_of_sums": self.changes["sums"],
        }
        for name in VIEWS:
            assert_same(self.engine.rows(f"SELECT * FROM {name}"), expected[name], name)
        for name in ON_CLOSE:
            found = self.engine.rows(f"SELECT * FROM {name}")
            gone = self.shown.get(name, Counter()) - Counter(found)
            assert not gone, f"{name} has lost {gone}"
            self.shown[name] = Counter(found)
            assert_same(found, self._closed(name), name)

    def _closed(self, name: str) -> list[Row]:
        if self.watermark is None:
            return []
        if name == "filled_closed":
            closed = sorted((r[3], float(r[0]), r[2]) for r in self.taken if r[3] and r[3] < self.watermark)
            return [(ts, v) for ts, _, v in filled(closed)]
        return self.engine.client.execute(_CLOSED[name], {"low": self.watermark}).fetchall()


_HOPPED = (
    "SELECT id, g, v, w AS window_start, w + INTERVAL '12 seconds' AS window_end FROM log, LATERAL generate_series("
    "date_bin('4 seconds', ts, timestamp '2000-01-01 00:00:01') - INTERVAL '8 seconds', ts, INTERVAL '4 seconds') AS w"
)
_BROKEN = "ts - lag(ts) OVER w > INTERVAL '6 seconds'"
_SESSIONS = (
    "SELECT *, count(*) FILTER (WHERE b) OVER w AS s FROM (SELECT *, " + _BROKEN + " AS b FROM {0} "
    "WINDOW w AS (PARTITION BY g ORDER BY ts)) AS x WINDOW w AS (PARTITION BY g ORDER BY ts)"
)
_AS_BATCHES = {
    "taken": "SELECT id, g, v, ts FROM log",
    "counted": VIEWS["counted"],
    "hops": f"SELECT id, window_start, window_end FROM ({_HOPPED}) AS h",
    "sessions": "SELECT id, min(ts) OVER w, count(*) OVER w FROM ("
    + _SESSIONS.format("log WHERE ts IS NOT NULL")
    + ") AS y "
    "WINDOW w AS (PARTITION BY g, s)",
}
_BELOW = "(SELECT * FROM log WHERE ts < %(low)s) AS log"
_CLOSED = {
    "plain": f"SELECT id, ts FROM {_BELOW} WHERE v > 0",
    "grouped": f"SELECT g, window_start, count(*), sum(v) FROM ({_HOPPED}) AS h WHERE window_start < "
    "date_bin('4 seconds', %(low)s, timestamp '2000-01-01 00:00:01') - INTERVAL '8 seconds' GROUP BY g, window_start",
    "ranked": ON_CLOSE["ranked"].replace("FROM log", f"FROM {_BELOW}"),
    "ahead": f"SELECT id, ts, l FROM (SELECT *, lead(v, 2) OVER {_PARTED} AS l, row_number() OVER (PARTITION BY g "
    f"ORDER BY ts DESC) AS behind FROM {_BELOW}) AS q WHERE behind > 2",
    "first_two": "SELECT w, id, n FROM (SELECT *, row_number() OVER (PARTITION BY w ORDER BY v DESC, id) AS n FROM (SELECT *, "
    "date_bin('10 seconds', ts, timestamp '2000-01-01') AS w FROM log) AS x) AS y WHERE n <= 2 AND "
    "w < date_bin('10 seconds', %(low)s, timestamp '2000-01-01')",
    "sessions_closed": "SELECT id, ts, a, z FROM (SELECT *, min(ts) OVER p AS a, max(ts) OVER p AS z, max(s) OVER "
    "(PARTITION BY g) AS last FROM ("
    + _SESSIONS.format(_BELOW)
    + ") AS y WINDOW p AS (PARTITION BY g, s)) AS z WHERE s < last",
}


def filled(rows: list[Row]) -> list[Row]:
    """Every ten seconds between rows by time: (ts, interpolated, carried forward)."""
    found: list[Row] = []
    step = timedelta(seconds=10)
    for number, (ts, value, carried) in enumerate(rows):
        found.append((ts, value, carried))
        if number + 1 == len(rows):
            break
        end, later, _ = rows[number + 1]
        count = -((ts - end) // step)
        for i in range(1, count):
            known = value is not None and later is not None
            found.append((ts + i * step, value + i * (later - value) / count if known else None, carried))
    return found


def at(second: float) -> datetime:
    return START.replace(tzinfo=None) + timedelta(seconds=second)


_small = st.sampled_from([None, 0, 1, 2])
_values = st.sampled_from([None, -1, 2, 3])
_arrivals = st.lists(
    st.tuples(_small, _values, st.sampled_from([None, *range(-12, 5), *range(-12, 5)])),
    min_size=1,
    max_size=4,
)
_step = st.one_of(
    st.tuples(st.just("log"), _arrivals),
    st.tuples(st.just("log"), _arrivals),
    st.tuples(st.just("live"), st.tuples(st.integers(0, 4), _small, _values)),
    st.tuples(st.just("dim"), st.tuples(st.integers(0, 2), _small, _values)),
    st.tuples(st.just("gone"), st.tuples(st.sampled_from(["live", "dim"]), _small)),
    st.tuples(st.just("moved"), st.tuples(_small, _small)),
    st.tuples(st.just("gap"), st.tuples(st.integers(0, 9), _values, st.booleans())),
    st.tuples(st.just("barrier"), st.integers(0, 12)),
    st.tuples(st.just("barrier"), st.integers(0, 12)),
)
_histories = st.lists(_step, min_size=6, max_size=30)


def play(engine: FlowUnderTest, steps: list[Any], create_at: int) -> None:
    """Event time goes on with the barriers, and rows lie about it; no two rows of the log have the same time."""
    engine.clear()
    engine.ddl(*TABLES)
    world, second, number = World(engine), 0, 0
    for position, (kind, value) in enumerate([*steps, ("barrier", 3), ("barrier", 30), ("barrier", 0)]):
        if position == create_at % (len(steps) + 1):
            world.create()
            world.check()
        if kind == "log":
            rows = [
                (number + i, g, v, None if back is None else at(second + back + (number + i) / 1000))
                for i, (g, v, back) in enumerate(value)
            ]
            number += len(rows)
            world.send(rows)
        elif kind == "barrier":
            second += value
            world.barrier(1)
            world.check()
        elif kind == "gone":
            engine.run(f"DELETE FROM {value[0]} WHERE g IS NOT DISTINCT FROM %s", value[1])
        elif kind == "moved":
            engine.run("UPDATE live SET g = %s WHERE g IS NOT DISTINCT FROM %s", *value)
        elif kind == "gap":
            ts = at(value[0] * 7)
            if value[2]:
                engine.run("INSERT INTO gaps VALUES (%s, %s, %s)", ts, value[1], value[0])
            else:
                engine.run("DELETE FROM gaps WHERE ts = %s", ts)
        else:
            engine.run(f"INSERT INTO {kind} VALUES (%s, %s, %s)", *value)


@quick
@given(steps=_histories, create_at=st.integers(0, 31))
def test_random_histories(engine: FlowUnderTest, steps: list[Any], create_at: int) -> None:
    play(engine, steps, create_at)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@thorough
@given(steps=_histories, create_at=st.integers(0, 31))
def test_many_random_histories(engine: FlowUnderTest, steps: list[Any], create_at: int) -> None:
    play(engine, steps, create_at)
