"""A poison row among messages: the watermark before the batch judges all its rows, whatever pieces the search looks at."""

from __future__ import annotations

from datetime import timedelta

from tests.operators.sources import ReferenceSource, Row, no_broker, send
from tests.support.flow import START, FlowUnderTest


def test_rows_behind_a_poison_row_are_not_late_for_those_before_it(engine: FlowUnderTest) -> None:
    engine.flow.connection.execute("DELETE FROM engine.poison_rows")
    source = ReferenceSource("s")
    with no_broker({"s": source}):
        engine.ddl(source.ddl(), "CREATE MATERIALIZED VIEW squares AS SELECT id, i * i AS square FROM s")
        engine.ddl("CREATE MATERIALIZED VIEW total AS SELECT g, count(*) AS n FROM s GROUP BY g")
        rows: list[Row] = [(n, n % 2, n, START + timedelta(seconds=100 - 10 * n), 0) for n in range(10)]
        rows[3] = (3, 1, 2_000_000_000, START + timedelta(hours=1), 0)
        send(engine, {"s": rows})
    wanted = [(n, n * n) for n in range(10) if n != 3]
    assert engine.rows("SELECT id, square FROM squares ORDER BY id") == wanted
    assert sorted(engine.rows("SELECT g, n FROM total")) == [(0, 5), (1, 4)]
    assert engine.rows("SELECT source_name, sqlstate FROM rw_catalog.rw_poison_rows") == [("s", "22003")]
