"""HOP, and the offsets of both window functions; the views are in views/hop.sql."""

from __future__ import annotations

import pytest

from tailrace.sql import to_postgres
from tests.support.flow import FlowUnderTest

WINDOWS = {
    "HOP(log, ts, INTERVAL '5 seconds', INTERVAL '10 seconds')": [("05", "15"), ("10", "20")],
    "HOP(log, ts, INTERVAL '5 seconds', INTERVAL '10 seconds', INTERVAL '1 second')": [
        ("06", "16"),
        ("11", "21"),
    ],
    "HOP(log, ts, INTERVAL '30 seconds', INTERVAL '30 seconds')": [("00", "30")],
    "TUMBLE(log, ts, INTERVAL '10 seconds')": [("10", "20")],
    "TUMBLE(log, ts, INTERVAL '10 seconds', INTERVAL '5 seconds')": [("05", "15")],
}


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp"])
@pytest.mark.parametrize("function", WINDOWS)
def test_a_row_is_in_these_windows(engine: FlowUnderTest, function: str, kind: str) -> None:
    """In a view and in an ad-hoc query; windows have the time column's type, and a NULL time is in none of HOP's."""
    engine.ddl(f"CREATE TABLE log (ts {kind}) APPEND ONLY")
    query = f"SELECT window_start, window_end FROM {function} WHERE ts IS NOT NULL"
    engine.ddl(f"CREATE MATERIALIZED VIEW v AS {query}")
    engine.settle("INSERT INTO log VALUES ('2026-01-01 00:00:12'), (NULL)")
    shown = "to_char(window_start, 'SS'), to_char(window_end, 'SS'), pg_typeof(window_start)::text"
    long_name = {"timestamptz": "timestamp with time zone", "timestamp": "timestamp without time zone"}[kind]
    expected = [(start, end, long_name) for start, end in WINDOWS[function]]
    assert sorted(engine.rows(f"SELECT {shown} FROM v")) == expected
    ad_hoc = to_postgres(f"SELECT {shown} FROM {function} WHERE ts IS NOT NULL")
    assert sorted(engine.rows(ad_hoc)) == expected
    assert engine.rows(to_postgres(f"SELECT count(*) FROM {function} WHERE ts IS NULL")) == [
        (0 if function.startswith("HOP") else 1,)
    ]
