"""The live page as text: everything on it, on 100 x 30."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from tailrace.up.component import Health
from tailrace.up.figures import Notice
from tailrace.up.rates import Rate
from tailrace.up.screen import clock_text, psql_line, render, sparkline
from tailrace.up.snapshot import Account, ComponentState, Freshness, Snapshot
from tailrace.up.ui import plain_line

SNAPSHOT = Snapshot(
    phase="running",
    elapsed_s=17.4,
    duration_s=30.0,
    seed=4711,
    produced_rate=3000.4,
    ingested_rate=2987.6,
    account=Account(produced=52_300, ingested=51_000, rejected=104, duplicates=260, late=150),
    freshness=Freshness(48.0, 131.0, (40.0, 45.0, 60.0, 48.0)),
    stages={"messages": 51_364, "readings": 51_000, "anomalies": 37},
    newest=tuple(
        Notice(
            "zscore",
            f"dev-{number:06d}",
            "temperature",
            datetime(2026, 11, 23, 23, 16, number, tzinfo=UTC),
            88.125,
            "x",
        )
        for number in range(8)
    ),
    components=(
        ComponentState("broker", Health.UP, 0, ":9092"),
        ComponentState("engine", Health.UP, 2, ":4566"),
        ComponentState("dashboard", Health.DOWN),
    ),
    events=("23:16:01 the engine's flow was restarted",),
    dashboard_url="http://127.0.0.1:8501",
    sql_url="postgresql://root:secret@127.0.0.1:4566/dev",
    kafka="127.0.0.1:9092",
)


def text_of(snapshot: Snapshot, width: int = 100) -> str:
    console = Console(width=width, height=30, file=io.StringIO(), force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(render(snapshot))
    return capture.get()


@pytest.mark.parametrize(
    "wanted",
    [
        "00:17 / 00:30",
        "seed 4711",
        "3,000",
        "2,988",
        "48 ms",
        "131 ms",
        "51,364",
        "produced 52,300 = ingested 51,000 + rejected 104 + duplicates 260, in flight 936",
        "23:16:07",
        "dev-000007",
        "restarted 2x",
        "down",
        "the engine's flow was restarted",
        "http://127.0.0.1:8501",
        "psql -h 127.0.0.1 -p 4566 -d dev -U root",
    ],
)
def test_page_holds(wanted: str) -> None:
    assert wanted in text_of(SNAPSHOT)


def test_page_fits_and_never_changes_its_height() -> None:
    empty = replace(
        SNAPSHOT, newest=(), events=(), stages={}, freshness=Freshness(), components=(), dashboard_url=None
    )
    for snapshot in (SNAPSHOT, empty):
        lines = text_of(snapshot).rstrip("\n").split("\n")
        assert len(lines) == 30
        assert max(map(len, lines)) <= 100


def test_no_password_is_shown() -> None:
    assert "secret" not in text_of(SNAPSHOT)
    assert psql_line(SNAPSHOT.sql_url) == "psql -h 127.0.0.1 -p 4566 -d dev -U root"


def test_plain_line() -> None:
    line = plain_line(SNAPSHOT)
    assert "\n" not in line
    assert "3,000 produced/s, 2,988 ingested/s, freshness p50/p99 48/131 ms, anomalies 37" in line


def test_sparkline() -> None:
    assert sparkline([], 5) == ""
    assert sparkline([0, 0], 5) == "▁▁"
    assert sparkline([1, 2, 4, 8], 3) == "▃▅█"


def test_clock() -> None:
    assert [clock_text(seconds) for seconds in (0, 61.9, 3725)] == ["00:00", "01:01", "1:02:05"]


def test_rate_over_the_last_seconds() -> None:
    rate = Rate(span_s=3.0)
    assert rate.per_second == 0.0
    for second in range(10):
        rate.add(float(second), second * 100 if second < 5 else 400 + (second - 4) * 10)
    assert rate.per_second == 10.0
    rate.add(9.0, 10_000)
    assert rate.per_second == 10.0


def test_in_flight_is_never_negative() -> None:
    assert Account(produced=5, ingested=6).in_flight == 0
