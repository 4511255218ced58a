"""Values that an expression fails on, in the places that no operator evaluates by itself: NULL at that node, no poison row."""

from __future__ import annotations

import re

import pytest

from tests.support.flow import FlowUnderTest

VIEWS = {
    "counted": "SELECT id, (SELECT count(*) FROM t AS o WHERE o.h::int < t.h::int AND o.a / o.b > 0) AS n FROM t",
    "narrow": "SELECT id, (SELECT count(*) FROM t AS o WHERE o.h::numeric(3, 1) < t.h::numeric(3, 1)) AS n FROM t",
    "ranked": "SELECT id, rank() OVER (ORDER BY h::int, a / b) AS r FROM t WHERE a / b > 0 OR b = 0",
    "series": "SELECT id, n FROM t, generate_series(1, h::int) AS n",
    "called": "SELECT id, generate_series(a / b, h::int) AS n FROM t",
    "split": "SELECT id, n FROM t, unnest(ARRAY[h::int, a / b]) AS n",
    "listed": "SELECT t.id, v.n FROM t CROSS JOIN LATERAL (SELECT * FROM (VALUES (t.h::int), (t.a / t.b)) AS w(n)) AS v",
}
STEPS = (
    "INSERT INTO t VALUES (1, '2', 1, 1), (2, 'x', 4, 0), (3, NULL, 4, 2), (4, '1', 3, 0), (5, '99999999999', 1, 1)",
    "UPDATE t SET h = 'y' WHERE id = 1",
    "DELETE FROM t WHERE id = 2",
    "UPDATE t SET h = '3' WHERE id = 5",
    "INSERT INTO t VALUES (6, '', NULL, 0), (7, '4', 9, 3)",
    "DELETE FROM t WHERE id IN (1, 3, 7)",
)
STRUCTS = (
    "SELECT id, (s).x AS x, (s).y AS y FROM (SELECT id, ROW(h, b)::struct<x int, y int> AS s FROM t) AS q"
)
VALID = "pg_input_is_valid(h, 'integer')"


def soft(query: str) -> str:
    """The query as a batch that does not fail."""
    query = re.sub(
        r"([a-z]\.)?h::(int|numeric\(3, 1\))",
        r"CASE WHEN pg_input_is_valid(\1h, '\2') THEN \1h::\2 END",
        query,
    )
    return re.sub(r"/ (([a-z]\.)?b)", r"/ nullif(\1, 0)", query)


@pytest.mark.parametrize("at", [0, 3])
def test_null_where_it_fails(engine: FlowUnderTest, at: int) -> None:
    engine.flow.connection.execute("DELETE FROM engine.poison_rows")
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, h varchar, a int, b int)")
    for position, step in enumerate((*STEPS, "DELETE FROM t WHERE true")):
        if position == at:
            for name, query in VIEWS.items():
                engine.view(name, query)
                engine.queries[name] = soft(query)
            engine.view("structs", STRUCTS)
            whole = f"CASE WHEN h IS NULL OR {VALID} THEN b END"
            engine.queries["structs"] = (
                f"SELECT id, CASE WHEN {VALID} THEN h::int END AS x, {whole} AS y FROM t"
            )
        engine.settle(step)
        engine.check()
    assert engine.rows("SELECT * FROM rw_catalog.rw_poison_rows") == []
