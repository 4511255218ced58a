"""The log of a sink against batches: at each barrier it grows by just what its query's result has changed by.

The queries are in views/sink.sql. Kafka is left out: nothing is delivered here, and the DDL does not look for the topic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given

from engine.ddl import create_sink
from tests.operators.histories import Step, histories, play, quick, thorough, views
from tests.support.flow import FlowUnderTest, Row, assert_same

QUERIES = views("sink")
KAFKA = "WITH (connector = 'kafka', topic = 't', properties.bootstrap.server = 'x:1', primary_key = '{}')"
MADE = "made"
SIGN = {1: 1, 2: -1, 3: 1, 4: -1}


@pytest.fixture(autouse=True, scope="module")
def _no_topic() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(create_sink, "check_topic", lambda *_: None)
        yield


class Logs:
    """What each sink's log has said so far, as multisets of rows."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self.said: dict[str, Counter[Row]] = {}

    def check(self, engine: FlowUnderTest) -> None:
        for name, query in QUERIES.items():
            if engine.flow.catalog.by_name(f"s_{name}") is None:
                self.create(engine, name, query)
        for name, query in QUERIES.items():
            sink = engine.flow.catalog.by_name(f"s_{name}")
            assert sink is not None
            values = ", ".join(f"v{number}" for number in range(1, len(sink.columns) + 1))
            rows = engine.flow.connection.execute(
                f"SELECT _seq, _epoch, _op, {values} FROM engine.sink_log_{sink.id} WHERE _seq > %s ORDER BY _seq",
                (self.seen.get(name, 0),),
            ).fetchall()
            self.take(name, rows)
            self.seen[name] = rows[-1][0] if rows else self.seen.get(name, 0)
            assert_same(self.said[name].elements(), engine.batch(query), name)

    def create(self, engine: FlowUnderTest, name: str, query: str) -> None:
        first = (
            query.removeprefix("SELECT ")
            .removeprefix("DISTINCT ")
            .split(",")[0]
            .rsplit(" ", 1)[-1]
            .rsplit(".", 1)[-1]
        )
        engine.ddl(f"CREATE SINK s_{name} AS {query} {KAFKA.format(first)} FORMAT UPSERT ENCODE JSON")

    def take(self, name: str, rows: list[Row]) -> None:
        said = self.said.setdefault(name, Counter())
        change: Counter[Row] = Counter()
        epochs: dict[int, Counter[Row]] = {}
        for position, (_, epoch, op, *values) in enumerate(rows):
            row, sign = tuple(values), SIGN[op]
            change[row] += sign
            both = epochs.setdefault(epoch, Counter())
            assert both[row] * sign >= 0, f"{name}: {row} comes and goes in one barrier"
            both[row] += sign
            if op == 4:
                following = rows[position + 1]
                assert (following[1], following[2], following[3]) == (epoch, 3, row[0]), (
                    f"{name}: an update is torn"
                )
        said.update(change)
        assert all(count >= 0 for count in said.values()), f"{name}: a row goes that had not come"
        self.said[name] = +said


@quick
@given(history=histories())
def test_random_histories(engine: FlowUnderTest, history: tuple[Step, ...]) -> None:
    _play(engine, history)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@thorough
@given(history=histories())
def test_many_random_histories(engine: FlowUnderTest, history: tuple[Step, ...]) -> None:
    _play(engine, history)


def _play(engine: FlowUnderTest, history: tuple[Step, ...]) -> None:
    logs = Logs()

    def check(engine: FlowUnderTest) -> None:
        if engine.flow.catalog.by_name(MADE) is not None:  # the history has come to where the sinks are made
            logs.check(engine)

    play(engine, history, {MADE: "SELECT id FROM u"}, check)
