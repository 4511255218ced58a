"""Which views are filled piece by piece (`Program.stepwise`): those whose steps cost what comes, in whatever order it comes."""

from __future__ import annotations

import pytest

from tests.operators.histories import TABLES
from tests.support.flow import FlowUnderTest

STEPWISE = {
    "projected": "SELECT id, i + 1 AS j FROM t WHERE g > 0",
    "counted": "SELECT g, count(*) AS n, sum(i) AS s FROM t GROUP BY g",
    "least_of_log": "SELECT g, min(i) AS m FROM log GROUP BY g",
    "first_of_log": "SELECT DISTINCT ON (g) g, i FROM log",
    "latest_of_log": (
        "SELECT g, i FROM (SELECT g, i, row_number() OVER (PARTITION BY g ORDER BY ts DESC) AS rn FROM log) AS q"
        " WHERE rn <= 1"
    ),
    "united": "SELECT id FROM t UNION ALL SELECT id FROM u",
    "looked_up": "SELECT log.id, t.x FROM log JOIN t FOR SYSTEM_TIME AS OF PROCTIME() ON log.id = t.id",
    "joined": "SELECT t.id AS a, u.id AS b FROM t JOIN u ON t.g = u.g",
    "left_joined": "SELECT t.id AS a, u.id AS b FROM t LEFT JOIN u ON t.g = u.g",
    "least": "SELECT g, min(i) AS m FROM t GROUP BY g",
    "top": "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY i, id) AS rn FROM t) AS q WHERE rn <= 3",
    "recent": "SELECT id FROM t WHERE ts > now() - INTERVAL '1 minute'",
    "twice": "SELECT id FROM t WHERE g = 0 UNION ALL SELECT id FROM t WHERE g = 1",
}
WHOLE = {
    "collected": "SELECT array_agg(i ORDER BY id) AS all_of_them FROM t",
    "looked_up_in_kept": "SELECT log.id, c.n FROM log JOIN per_g FOR SYSTEM_TIME AS OF PROCTIME() AS c ON log.g = c.g",
}


@pytest.mark.parametrize("name", [*STEPWISE, *WHOLE])
def test_a_view_is_filled_stepwise_when_its_steps_are_cheap(engine: FlowUnderTest, name: str) -> None:
    for table, columns in TABLES.items():
        engine.ddl(f"CREATE TABLE {table} ({columns}){' APPEND ONLY' if table == 'log' else ''}")
    engine.ddl("CREATE VIEW per_g AS SELECT g, count(*) AS n FROM t GROUP BY g")
    engine.view("v", (STEPWISE | WHOLE)[name])
    item = engine.flow.catalog.by_name("v")
    assert item is not None
    assert item.program is not None
    assert item.program.stepwise == (name in STEPWISE)
