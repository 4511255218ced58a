"""What the compiler refuses, and how it says so: by the feature's name, with SQLSTATE 0A000 and a way out."""

from __future__ import annotations

import pytest

from tailrace.errors import TailraceError
from tests.support.flow import FlowUnderTest

REFUSED = {
    "several rows": (
        "SELECT id FROM t WHERE i > (SELECT i FROM u)",
        "a scalar subquery that might produce more than one row is not supported",
    ),
    "a row for each group": (
        "SELECT id FROM t WHERE i > (SELECT max(i) FROM u GROUP BY g)",
        "a scalar subquery that might produce more than one row is not supported",
    ),
    "closing groups without a watermark": (
        "SELECT g, count(*) AS n FROM t GROUP BY g EMIT ON WINDOW CLOSE",
        "Emit-On-Window-Close mode requires a watermark column in GROUP BY",
    ),
    "closing rows without a watermark": (
        "SELECT id, ts FROM t EMIT ON WINDOW CLOSE",
        "Emit-On-Window-Close mode without a watermark column in the result",
    ),
    "closing with now": (
        "SELECT window_start, count(*) AS n FROM HOP(t, ts, INTERVAL '1 minute', INTERVAL '2 minutes')"
        " WHERE ts > now() - INTERVAL '1 hour' GROUP BY window_start EMIT ON WINDOW CLOSE",
        r"now\(\) in Emit-On-Window-Close mode",
    ),
    "closing a full join": (
        "SELECT t.ts, u.id FROM t FULL JOIN u ON t.ts = u.ts EMIT ON WINDOW CLOSE",
        "Emit-On-Window-Close mode without a watermark column in the result",
    ),
    "closing a top-N": (
        "SELECT ts, id FROM t ORDER BY ts LIMIT 3 EMIT ON WINDOW CLOSE",
        "without a watermark column in PARTITION BY",
    ),
}
REFUSED["volatile"] = (
    "SELECT id, random() AS r FROM t",
    r"using an impure expression \(RANDOM\) in an expression of a view",
)
REFUSED["impure filter"] = (
    "SELECT id FROM t WHERE random() > 0.5",
    r"impure expression \(RANDOM\) in WHERE or HAVING",
)
REFUSED["impure aggregate"] = (
    "SELECT sum(id) FILTER (WHERE random() > 0.5) FROM t",
    r"\(RANDOM\) in AGGREGATE FILTER",
)
INVALID = {
    "two columns": ("SELECT id FROM t WHERE i > (SELECT max(i), min(i) FROM u)", "only one column"),
    "other types": ("SELECT id FROM t WHERE ts > (SELECT max(i) FROM u)", "cannot be matched"),
    "no multiple of the hop": (
        "SELECT * FROM HOP(t, ts, INTERVAL '3 seconds', INTERVAL '10 seconds')",
        "window_size INTERVAL '10 SECONDS' cannot be divided by window_slide INTERVAL '3 SECONDS'",
    ),
    "hop by months": ("SELECT * FROM HOP(t, ts, INTERVAL '1 month', INTERVAL '2 months')", "fixed length"),
    "hop backwards": ("SELECT * FROM HOP(t, ts, INTERVAL '-1 s', INTERVAL '2 s')", "must be positive"),
    "hop without size": ("SELECT * FROM HOP(t, ts, INTERVAL '1 minute')", "HOP takes"),
    "hop by a column": ("SELECT * FROM HOP(t, ts, i, INTERVAL '1 minute')", "interval literals"),
}
TABLES = ("t", "u")


@pytest.fixture
def tables(engine: FlowUnderTest) -> FlowUnderTest:
    for name in TABLES:
        engine.ddl(f"CREATE TABLE {name} (id int PRIMARY KEY, g int, i int, ts timestamptz)")
    return engine


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(tables: FlowUnderTest, case: str) -> None:
    query, message = REFUSED[case]
    with pytest.raises(TailraceError, match=message) as refusal:
        tables.view("v", query)
    assert refusal.value.sqlstate == "0A000"
    assert refusal.value.hint


def test_a_plain_view_emits_nothing(tables: FlowUnderTest) -> None:
    with pytest.raises(TailraceError, match="EMIT ON WINDOW CLOSE in CREATE VIEW is not supported"):
        tables.ddl("CREATE VIEW v AS SELECT ts FROM t EMIT ON WINDOW CLOSE")


@pytest.mark.parametrize("case", INVALID)
def test_invalid(tables: FlowUnderTest, case: str) -> None:
    query, message = INVALID[case]
    with pytest.raises(TailraceError, match=message) as refusal:
        tables.view("v", query)
    assert str(refusal.value.sqlstate).startswith("42")
