"""EMIT ON WINDOW CLOSE over sources with watermarks; the views are in views/emit_on_close.yaml.

The oracle: after every barrier a view holds exactly the rows of its query, run as a batch over what came in time, whose
closing column lies below the watermark; and it has only ever gained rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from tests.operators.histories import quick, thorough
from tests.operators.sources import History, Oracle, ReferenceSource, Streams, at, source_histories
from tests.support.flow import START, FlowUnderTest, as_batch, assert_same

VIEWS = yaml.safe_load((Path(__file__).parent / "views" / "emit_on_close.yaml").read_text())
KEPT = "SELECT id, g, ts FROM s WHERE g > 0"
CLOSED = (
    "SELECT g, window_start, count(*) AS n FROM TUMBLE(s, ts, INTERVAL '10 seconds') GROUP BY g, window_start"
)


@dataclass
class World(Streams):
    """The engine, its two sources and what the views must have done."""

    shown: dict[str, Counter[Any]] = field(default_factory=dict)

    def create(self) -> None:
        self.engine.ddl(f"CREATE MATERIALIZED VIEW kept AS {KEPT}")
        self.engine.ddl(f"CREATE MATERIALIZED VIEW rolling AS {CLOSED}")
        self.engine.ddl(f"CREATE MATERIALIZED VIEW closed AS {CLOSED} EMIT ON WINDOW CLOSE")
        for view in VIEWS:
            self.engine.ddl(
                f"CREATE MATERIALIZED VIEW {view['name']} AS {view['query']} EMIT ON WINDOW CLOSE"
            )
        self.begin()

    def check(self) -> None:
        self.show_oracle()
        assert self.engine.flow.barrier_time is not None
        marks = dict(
            self.engine.rows(
                "SELECT relation, watermark FROM rw_catalog.rw_watermarks WHERE \"column\" = 'ts'"
            )
        )
        assert {n: marks[n] for n in self.sources} == {n: s.watermark for n, s in self.sources.items()}
        assert not self.created or marks["kept"] == marks["s"]
        for view in VIEWS if self.created else ():
            found = self.engine.rows(f"SELECT * FROM {view['name']}")
            gone = self.shown.get(view["name"], Counter()) - Counter(found)
            assert not gone, f"{view['name']} has lost {gone}"
            self.shown[view["name"]] = Counter(found)
            cursor = self.oracle.execute(as_batch(view["query"], self.engine.flow.barrier_time))
            at = [c.name for c in cursor.description or ()].index(view["closes"]["column"])
            low = self.low(view["closes"])
            expected = [
                r for r in cursor.fetchall() if low is not None and r[at] is not None and _utc(r[at]) < low
            ]
            assert_same(found, expected, view["name"])

    def low(self, closes: dict[str, Any]) -> datetime | None:
        """The watermark of the closing column."""
        marks = [self.sources[name].watermark for name in closes.get("of", ["s"])]
        if any(m is None for m in marks):
            return None
        low = min(m for m in marks if m is not None) + timedelta(seconds=closes.get("before", 0))
        if size := closes.get("bin"):
            low -= timedelta(seconds=low.timestamp() % size)
        return low + timedelta(seconds=closes.get("after", 0))


def _utc(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def with_views(oracle: Oracle) -> Oracle:
    """The oracle, with what views over views read."""
    oracle.execute(f"CREATE TEMP VIEW kept AS {KEPT}")
    oracle.execute(f"CREATE TEMP VIEW closed AS {as_batch(CLOSED, START)}")
    oracle.execute("CREATE TEMP VIEW rolling AS SELECT * FROM closed")
    return oracle


@pytest.fixture
def there(engine: FlowUnderTest, sources: dict[str, ReferenceSource], with_views: Oracle) -> World:
    return World(engine, sources, with_views)


@quick
@given(history=source_histories)
def test_random_histories(there: World, history: History) -> None:
    there.play(history)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@thorough
@given(history=source_histories)
def test_many_random_histories(there: World, history: History) -> None:
    there.play(history)


def test_closed_windows_leave_the_state(there: World) -> None:
    there.create()
    for second in range(0, 200, 5):
        row = (second, 1, 1, at(second), 0)
        there.barrier({"s": [row], "s2": [row]}, 1)
        there.check()
        for view in ("tumble", "hop", "by_ts", "plain", "united", "nested", "joined"):
            assert there.state_rows(view) <= 8, view
        for view in ("interval_joined", "left_joined"):  # three matches a row, of 10 seconds
            assert there.state_rows(view) <= 24, view
    assert len(there.engine.rows("SELECT * FROM plain")) > 30


def test_a_view_filled_by_a_job_closes_nothing_before_it_is_filled(there: World) -> None:
    """Rows of one window, before, while and after a job fills the view, meet in one row."""
    there.engine.ddl(f"CREATE MATERIALIZED VIEW kept AS {KEPT}")

    def take(*seconds: int) -> None:
        there.barrier({"s": [(n, 1, 1, at(second), 0) for n, second in enumerate(seconds)]}, 1)

    take(1, 2, 12, 22)  # the watermark is at 17: the first window is closed, the second takes rows from 17 on
    counted = "SELECT window_start, count(*) AS n FROM TUMBLE(kept, ts, INTERVAL '10 seconds') GROUP BY window_start"
    with there.engine.filling(
        f"CREATE MATERIALIZED VIEW counted AS {counted} EMIT ON WINDOW CLOSE"
    ) as worker:
        take(18)
        worker.advance()
        take(19, 24)
        worker.advance()
        take(1)  # late: dropped by the source
    shown = "SELECT extract(epoch FROM window_start - %s)::int, n FROM counted ORDER BY 1"
    client = there.engine.client
    assert client.execute(shown, (START,)).fetchall() == [(0, 2)]
    take(26)
    assert client.execute(shown, (START,)).fetchall() == [(0, 2), (10, 3)]
