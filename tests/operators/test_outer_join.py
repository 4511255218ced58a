"""Right and full joins, and conditions around outer joins; the views are in views/outer_join.sql."""

from __future__ import annotations

import pytest

from tests.support.flow import FlowUnderTest


@pytest.mark.parametrize("on", ["t.g IS NOT DISTINCT FROM u.g", "t.i < u.i", "t.g = u.g AND t.i < u.i"])
def test_full_joins_that_postgresql_lacks(engine: FlowUnderTest, on: str) -> None:
    """A full join on conditions that PostgreSQL can neither hash nor merge equals its three parts."""
    for table in ("t", "u"):
        engine.ddl(f"CREATE TABLE {table} (id int PRIMARY KEY, g int, i int)")
    engine.view("v", f"SELECT t.id AS a, u.id AS b FROM t FULL JOIN u ON {on}")
    engine.queries["v"] = (
        f"SELECT t.id AS a, u.id AS b FROM t LEFT JOIN u ON {on} UNION ALL "
        f"SELECT NULL, u.id FROM u WHERE NOT EXISTS (SELECT 1 FROM t WHERE {on})"
    )
    engine.settle("INSERT INTO t VALUES (1, 1, 1), (2, NULL, 2), (3, 3, NULL)")
    engine.check()
    engine.settle(
        "INSERT INTO u VALUES (1, 1, 2), (2, NULL, 1), (3, 4, 5)", "UPDATE t SET i = 0 WHERE id = 2"
    )
    engine.check()
    engine.settle(
        "DELETE FROM u WHERE id = 1", "UPDATE u SET g = 3 WHERE id = 3", "DELETE FROM t WHERE id = 2"
    )
    engine.check()
