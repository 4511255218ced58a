"""GAP_FILL: what lies between two rows follows both of them; the oracle fills all gaps anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tailrace.errors import InvalidStatement
from tests.support.flow import FlowUnderTest

T0 = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
MINUTE = timedelta(minutes=1)


def reference(rows: list[tuple[datetime, float | None, str | None]]) -> list[tuple[Any, ...]]:
    """Every minute between the rows, by time: (ts, interpolated, carried forward, left NULL)."""
    filled: list[tuple[Any, ...]] = []
    for number, (ts, value, text) in enumerate(sorted(rows)):
        filled.append((ts, value, text, value))
        if number + 1 == len(rows):
            break
        end, later, _ = sorted(rows)[number + 1]
        count, at, reached = -((ts - end) // MINUTE), ts + MINUTE, value
        while at < end:
            reached = (
                None
                if reached is None or later is None or value is None
                else reached + (later - value) / count
            )
            filled.append((at, reached, text, None))
            at += MINUTE
    return filled


def test_gaps_follow_the_rows_around_them(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (ts timestamp PRIMARY KEY, a double precision, b varchar, c double precision)")
    engine.ddl(
        "CREATE MATERIALIZED VIEW v AS SELECT ts, a, b, c "
        "FROM GAP_FILL(t, ts, INTERVAL '1 minute', INTERPOLATE(a), LOCF(b), KEEPNULL(c)) AS f"
    )
    held: dict[int, tuple[datetime, float | None, str | None]] = {}
    history: list[tuple[str, list[tuple[int, float | None]]]] = [
        ("+", [(0, 10.0), (150, 12.0), (300, 15.0)]),
        ("+", [(60, 11.0)]),  # in a gap
        ("+", [(-180, 7.0), (480, 21.0)]),  # before the first, behind the last
        ("-", [(150, None)]),
        ("+", [(150, None), (240, 3.0)]),  # NULL at an end: nothing to go to
        ("-", [(-180, None), (60, None), (480, None)]),
        ("+", [(0, 99.0)]),  # overwrites
        ("-", [(0, None), (150, None), (240, None)]),
    ]
    for op, changes in history:
        for second, value in changes:
            ts = T0 + timedelta(seconds=second)
            if op == "-":
                del held[second]
                engine.run("DELETE FROM t WHERE ts = %s", ts)
            else:
                held[second] = (ts, value, f"at {second}")
                engine.run("INSERT INTO t VALUES (%s, %s, %s, %s)", ts, value, f"at {second}", value)
        engine.barrier()
        assert engine.rows("SELECT * FROM v ORDER BY ts") == reference(list(held.values()))


def test_on_window_close_a_gap_is_filled_when_it_has_ended(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (ts timestamp, n int, WATERMARK FOR ts AS ts - INTERVAL '5 seconds') APPEND ONLY",
        "CREATE MATERIALIZED VIEW v AS SELECT ts, n FROM GAP_FILL(t, ts, INTERVAL '1 minute', LOCF(n)) EMIT ON WINDOW CLOSE",
    )
    engine.settle(
        "INSERT INTO t VALUES ('2026-01-01 00:02', 2), ('2026-01-01 00:00', 1), ('2026-01-01 00:05', 3)"
    )
    minutes = "SELECT extract(minute FROM ts)::int, n FROM v ORDER BY ts"
    assert engine.rows(minutes) == [(0, 1), (1, 1), (2, 2)]
    engine.settle("INSERT INTO t VALUES ('2026-01-01 00:06', 4)")
    assert engine.rows(minutes) == [(0, 1), (1, 1), (2, 2), (3, 2), (4, 2), (5, 3)]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("GAP_FILL(t, ts)", "at least 3 arguments"),
        ("GAP_FILL(t, a, INTERVAL '1 minute')", "type timestamp"),
        ("GAP_FILL(t, ts, INTERVAL '0 minute')", "must be positive"),
        ("GAP_FILL(t, ts, INTERVAL '1 minute', LOCF(z))", '"z" of GAP_FILL does not exist'),
        ("GAP_FILL(t, ts, INTERVAL '1 minute', INTERPOLATE(ts))", "needs a number"),
    ],
)
def test_refusals(engine: FlowUnderTest, call: str, said: str) -> None:
    engine.ddl("CREATE TABLE t (ts timestamp, a int)")
    with pytest.raises(InvalidStatement, match=said):
        engine.ddl(f"CREATE MATERIALIZED VIEW v AS SELECT * FROM {call}")
