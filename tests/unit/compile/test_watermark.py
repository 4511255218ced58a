"""How watermarks pass through expressions, and how long interval literals are."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from engine.operators.watermark import Watermark, carried, least
from tailrace.sql.dialect import TailraceSQL
from tailrace.sql.windows import interval_us

KNOWN = {"ts": Watermark("W"), "other": Watermark("V"), "n": Watermark("0", moves=False)}
CARRIED = {
    "ts": "W",
    "ts - INTERVAL '5 seconds'": "W - INTERVAL '5 SECONDS'",
    "ts + (INTERVAL '1 minute' - INTERVAL '5 seconds')": "W + (INTERVAL '1 MINUTE' - INTERVAL '5 SECONDS')",
    "ts::timestamp": "CAST(W AS TIMESTAMP)",
    "(ts::date)": "(CAST(W AS DATE))",
    "date_trunc('hour', ts)": "DATE_TRUNC('HOUR', W)",
    "date_bin(INTERVAL '10 seconds', ts, '1970-01-01')": "DATE_BIN(INTERVAL '10 SECONDS', W, '1970-01-01')",
    "ts + n * INTERVAL '5 seconds'": "W + 0 * INTERVAL '5 SECONDS'",
}
ENDS = (
    "g",
    "ts + g",
    "-n",
    "ts + n * INTERVAL '-5 seconds'",
    "INTERVAL '1 hour' - ts",
    "ts - other",
    "ts - now()",
    "ts::varchar",
    "coalesce(ts, other)",
    "date_bin(INTERVAL '10 seconds', ts, other)",
    "date_trunc('day', ts, 'Europe/Berlin')",
    "extract(hour FROM ts)",
)


def parsed(text: str) -> exp.Expr:
    return sqlglot.parse_one(text, dialect=TailraceSQL)


@pytest.mark.parametrize("text", CARRIED)
def test_what_never_falls_carries_it(text: str) -> None:
    found = carried(parsed(text), KNOWN)
    assert found is not None
    assert found.sql == CARRIED[text]
    assert found.moves


@pytest.mark.parametrize("text", ENDS)
def test_it_ends_at_what_may_fall(text: str) -> None:
    assert carried(parsed(text), KNOWN) is None


def test_a_constant_bound_does_not_move() -> None:
    found = carried(parsed("n"), KNOWN)
    assert found is not None
    assert not found.moves


def test_the_least_knows_nothing_as_long_as_one_knows_nothing() -> None:
    assert least([KNOWN["ts"], KNOWN["other"]]) == Watermark(
        "CASE WHEN W IS NOT NULL AND V IS NOT NULL THEN least(W, V) END"
    )


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("INTERVAL '10 seconds'", 10_000_000),
        ("INTERVAL '10' SECOND", 10_000_000),
        ("INTERVAL '1 hour 30 minutes'", 5_400_000_000),
        ("INTERVAL '00:01:30.5'", 90_500_000),
        ("'2 days'::interval", 172_800_000_000),
        ("INTERVAL '-4 s'", -4_000_000),
        ("INTERVAL '1.5 minutes'", 90_000_000),
        ("INTERVAL '100 milliseconds'", 100_000),
        ("INTERVAL '1 month'", None),
        ("INTERVAL '1 year 2 days'", None),
        ("INTERVAL 'soon'", None),
        ("10", None),
        ("i", None),
    ],
)
def test_lengths_of_interval_literals(text: str, length: int | None) -> None:
    assert interval_us(parsed(text)) == length
