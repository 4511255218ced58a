"""EMIT ON WINDOW CLOSE of window functions and top-N: a row goes out once, when all that it depends on has closed."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.errors import UnsupportedFeature
from tests.support.flow import FlowUnderTest

T = "CREATE TABLE t (ts int, v int, g int, WATERMARK FOR ts AS ts - 5) APPEND ONLY"
BARRIERS: tuple[tuple[tuple[int, int, int], ...], ...] = (
    ((51, 1, 100), (56, 8, 100), (90, 3, 200), (95, 5, 100), (119, 4, 100), (121, 6, 200)),
    ((130, 7, 100), (131, 9, 200)),
    ((150, 2, 100), (151, 2, 200), (200, 1, 100)),
    ((260, 0, 300),),
)


def emitted(engine: FlowUnderTest, items: str, wanted: str) -> list[list[tuple[Any, ...]]]:
    """What the view holds after each barrier, by the time of its rows."""
    engine.ddl(T, f"CREATE MATERIALIZED VIEW v AS SELECT ts, g, {items} FROM t EMIT ON WINDOW CLOSE")
    found = []
    for rows in BARRIERS:
        engine.settle("INSERT INTO t VALUES " + ", ".join(str(r) for r in rows))
        found.append(engine.rows(f"SELECT ts, g, {wanted} FROM v ORDER BY ts"))
    return found


def reference(engine: FlowUnderTest, items: str, wanted: str, following: int) -> list[list[tuple[Any, ...]]]:
    """The same from the whole table: of what lies below the watermark, the rows with enough rows behind them."""
    found = []
    for number in range(len(BARRIERS)):
        rows = [r for barrier in BARRIERS[: number + 1] for r in barrier]
        low = max(ts for ts, _, _ in rows) - 5
        values = ", ".join(str(r) for r in rows)
        behind = "row_number() OVER (PARTITION BY g ORDER BY ts DESC) - 1 AS behind"
        found.append(
            engine.rows(
                f"SELECT ts, g, {wanted} FROM (SELECT ts, g, {items}, {behind} FROM (VALUES {values}) AS t (ts, v, g) "
                f"WHERE ts < {low}) AS q WHERE behind >= {following} ORDER BY ts"
            )
        )
    return found


@pytest.mark.parametrize(
    ("items", "following"),
    [
        ("row_number() OVER w AS a, rank() OVER w AS b, dense_rank() OVER w AS c", 0),
        ("lag(v, 2) OVER w AS a, sum(v) OVER (PARTITION BY g ORDER BY ts ROWS 2 PRECEDING) AS b, 1 AS c", 0),
        (
            "max(v) OVER (PARTITION BY g ORDER BY ts ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS a, lag(v) OVER w AS b, 1 AS c",
            1,
        ),
        ("lead(v) OVER w AS a, lead(v, 3) OVER w AS b, sum(v) OVER w AS c", 3),
    ],
)
def test_rows_go_out_when_their_frames_have_closed(engine: FlowUnderTest, items: str, following: int) -> None:
    spelled = items.replace("OVER w", "OVER (PARTITION BY g ORDER BY ts)")
    found = emitted(engine, spelled, "a, b, c")
    assert found == reference(engine, spelled, "a, b, c", following)


def test_what_no_frame_reaches_any_more_is_forgotten(engine: FlowUnderTest) -> None:
    emitted(engine, "lag(v) OVER (PARTITION BY g ORDER BY ts) AS a", "a")
    kept = engine.flow.connection.execute(
        "SELECT relname FROM pg_class WHERE relname LIKE 'state%' AND EXISTS (SELECT FROM pg_attribute "
        "WHERE attrelid = pg_class.oid AND attname = '_out')"
    ).fetchone()
    assert kept is not None
    held = engine.flow.connection.execute(
        f"SELECT g, count(*) FROM engine.{kept[0]} GROUP BY g ORDER BY g"
    ).fetchall()
    assert held == [(100, 1), (200, 1)]


def test_sessions_go_out_when_the_next_one_has_begun(engine: FlowUnderTest) -> None:
    over = "OVER (PARTITION BY g ORDER BY ts SESSION WITH GAP 10)"
    found = emitted(engine, f"first_value(ts) {over} AS a, last_value(ts) {over} AS b", "a, b")
    first = [(51, 100, 51, 56), (56, 100, 51, 56)]
    second = [*first, (90, 200, 90, 90), (95, 100, 95, 95)]
    third = [*second, (119, 100, 119, 119), (121, 200, 121, 131), (130, 100, 130, 130), (131, 200, 121, 131)]
    assert found[:2] == [first, second]
    assert [r for r in found[2] if r in third] == found[2]
    assert found[3] == sorted([*first, (90, 200, 90, 90), (95, 100, 95, 95), (119, 100, 119, 119), (121, 200, 121, 131),
                               (130, 100, 130, 130), (131, 200, 121, 131), (150, 100, 150, 150)])  # fmt: skip


def test_sessions_in_a_view_that_revises(engine: FlowUnderTest) -> None:
    over = "OVER (PARTITION BY g ORDER BY ts SESSION WITH GAP 10)"
    engine.ddl(
        "CREATE TABLE u (ts int, g int)",
        f"CREATE MATERIALIZED VIEW v AS SELECT ts, first_value(ts) {over} AS a, count(*) {over} AS n FROM u",
    )
    engine.settle("INSERT INTO u VALUES (1, 1), (11, 1), (22, 1), (5, 2)")
    assert sorted(engine.rows("SELECT * FROM v")) == [(1, 1, 2), (5, 5, 1), (11, 1, 2), (22, 22, 1)]
    engine.settle("INSERT INTO u VALUES (15, 1)")
    assert sorted(engine.rows("SELECT * FROM v")) == [
        (1, 1, 4),
        (5, 5, 1),
        (11, 1, 4),
        (15, 1, 4),
        (22, 1, 4),
    ]


def test_top_n_of_each_window(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (ts timestamp, v int, WATERMARK FOR ts AS ts - INTERVAL '5 minutes') APPEND ONLY",
        "CREATE MATERIALIZED VIEW one AS SELECT window_start, v FROM (SELECT *, row_number() OVER (PARTITION BY window_start "
        "ORDER BY v) AS n FROM TUMBLE(t, ts, INTERVAL '1 hour')) WHERE n <= 1 EMIT ON WINDOW CLOSE",
        "CREATE MATERIALIZED VIEW two AS SELECT window_start, v, n FROM (SELECT *, row_number() OVER (PARTITION BY window_start "
        "ORDER BY v DESC) AS n FROM TUMBLE(t, ts, INTERVAL '1 hour')) WHERE n <= 2 EMIT ON WINDOW CLOSE",
    )
    engine.settle(
        "INSERT INTO t VALUES ('2026-01-01 16:51', 3), ('2026-01-01 16:56', 8), ('2026-01-01 17:30', 4)"
    )
    engine.settle(
        "INSERT INTO t VALUES ('2026-01-01 16:57', 1), ('2026-01-01 17:59', 5), ('2026-01-01 18:01', 6)"
    )
    assert engine.rows("SELECT v FROM one") == [(3,)]  # 16:57 came late
    assert sorted(engine.rows("SELECT v, n FROM two")) == [(3, 2), (8, 1)]
    engine.settle("INSERT INTO t VALUES ('2026-01-01 18:10', 7)")
    assert sorted(engine.rows("SELECT v FROM one")) == [(3,), (4,)]


@pytest.mark.parametrize(
    "item",
    [
        "sum(v) OVER (PARTITION BY g ORDER BY ts ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)",
        "ntile(2) OVER (PARTITION BY g ORDER BY ts)",
        "row_number() OVER (PARTITION BY g ORDER BY v)",
        "row_number() OVER (PARTITION BY g)",
    ],
)
def test_refusals(engine: FlowUnderTest, item: str) -> None:
    engine.ddl(T)
    with pytest.raises(UnsupportedFeature):
        engine.ddl(f"CREATE MATERIALIZED VIEW v AS SELECT ts, {item} AS a FROM t EMIT ON WINDOW CLOSE")
