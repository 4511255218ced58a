"""State below watermarks is deleted, and nobody misses it; the views are in views/cleaned.yaml.

The oracle: after every barrier a view holds what its query gives as a batch over what came in time. As event time goes on, what
the operators keep does not grow.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given

from tests.operators.histories import thorough
from tests.operators.sources import History, Oracle, ReferenceSource, Streams, at, source_histories
from tests.support.flow import START, FlowUnderTest, as_batch, assert_same

VIEWS = yaml.safe_load((Path(__file__).parent / "views" / "cleaned.yaml").read_text())
LATEST = "SELECT ts, max(i) AS i FROM s GROUP BY ts"


@pytest.fixture(scope="module")
def with_views(oracle: Oracle) -> Oracle:
    """The oracle, with the plain view that is read."""
    oracle.execute(f"CREATE TEMP VIEW latest_of_times AS {as_batch(LATEST, START)}")
    return oracle


class World(Streams):
    """The views of the file over the two sources."""

    def create(self) -> None:
        self.engine.ddl(f"CREATE VIEW latest_of_times AS {LATEST}")
        for view in VIEWS:
            self.engine.ddl(f"CREATE MATERIALIZED VIEW {view['name']} AS {view['query']}")
        self.begin()

    def check(self) -> None:
        self.show_oracle()
        now = self.engine.flow.barrier_time
        assert now is not None
        for view in VIEWS if self.created else ():
            batch = view.get("batch") or as_batch(view["query"], now)
            found = self.engine.rows(f"SELECT * FROM {view['name']}")
            assert_same(found, self.oracle.execute(batch).fetchall(), view["name"])


@pytest.fixture
def there(engine: FlowUnderTest, sources: dict[str, ReferenceSource], with_views: Oracle) -> World:
    return World(engine, sources, with_views)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@thorough
@given(history=source_histories)
def test_many_random_histories(there: World, history: History) -> None:
    there.play(history)


def test_state_does_not_grow(there: World) -> None:
    """A minute is kept for longer than any window and interval; then each minute is like the one before."""
    there.create()
    for view in VIEWS:
        item = there.engine.flow.catalog.by_name(view["name"])
        assert item is not None
        assert item.program is not None
        said = [line for line in item.program.explain if " is cleaned: " in line]
        assert len(said) == view["cleaned"], said
    kept: list[dict[str, int]] = []
    for second in range(0, 180, 10):
        rows = [(second + n, n % 3, n, at(second + n * 2), 0) for n in range(4)]
        late = (second, 1, 3, at(second - 20), 0)
        there.barrier({"s": [*rows, late], "s2": rows[:3]}, 10)
        if second % 60 == 50:
            there.check()
            kept.append({v["name"]: there.state_rows(v["name"]) for v in VIEWS if not v.get("grows")})
    assert kept[1] == kept[2]
    assert max(kept[1].values()) < 60


JOINED = (
    "SELECT a.window_start, a.id AS x, b.id AS y FROM TUMBLE(kept, ts, INTERVAL '10 seconds') AS a "
    "JOIN TUMBLE(kept2, ts, INTERVAL '10 seconds') AS b ON a.window_start = b.window_start"
)


def test_nothing_is_cleaned_before_a_job_has_filled_the_view(there: World) -> None:
    """Rows of a window that has closed for the sources, before and while a job fills the view, meet all the same."""
    for number in ("", "2"):
        there.engine.ddl(f"CREATE MATERIALIZED VIEW kept{number} AS SELECT id, ts FROM s{number}")

    def take(*seconds: int) -> None:
        rows = [(second, 0, 0, at(second), 0) for second in seconds]
        there.barrier({"s": rows, "s2": rows}, 1)

    take(1, 2, 12, 22)
    with there.engine.filling(f"CREATE MATERIALIZED VIEW joined AS {JOINED}") as worker:
        take(18)
        worker.advance()
        take(24, 35)
        worker.advance()
    assert there.state_rows("joined") == 14
    found = "SELECT extract(epoch FROM window_start - %s)::int, count(*) FROM joined GROUP BY 1 ORDER BY 1"
    client = there.engine.client
    assert client.execute(found, (START,)).fetchall() == [(0, 4), (10, 4), (20, 4), (30, 1)]
    take(36)  # the watermark is at 31, that of the windows at 30
    assert there.state_rows("joined") == 4
    assert client.execute(found, (START,)).fetchall()[-1] == (30, 4)


def test_state_of_sinks_is_cleaned(there: World) -> None:
    joined = "SELECT s.id, s2.id AS y FROM s JOIN s2 ON s.ts = s2.ts"
    there.engine.ddl(f"CREATE SINK k AS {joined} WITH (connector = 'blackhole', type = 'append-only')")
    item = there.engine.flow.catalog.by_name("k")
    assert item is not None
    log = f"engine.sink_log_{item.id}"
    for second in range(0, 60, 5):
        there.barrier({name: [(second, 0, 0, at(second), 0)] for name in there.sources}, 1)
    ((logged,),) = there.engine.flow.connection.execute(f"SELECT count(*) FROM {log}").fetchall()
    assert logged == 12
    assert there.state_rows("k") == logged + 4  # of each side the rows of the last five seconds
