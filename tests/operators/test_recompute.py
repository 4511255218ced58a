"""Whole-view recomputation: what no operator maintains equals its batch all the same; the views are in views/recompute.sql."""

from __future__ import annotations

from tests.support.flow import FlowUnderTest


def test_explain_announces_it(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, i int)")
    lines = engine.explain("SELECT id, (SELECT count(*) FROM t AS o WHERE o.i < t.i) AS n FROM t")
    assert any("Recompute" in line and "whole" in line and "O(state)" in line for line in lines)


def test_only_the_block_that_needs_it(engine: FlowUnderTest) -> None:
    """What lies around the block and below it is maintained by its own operators."""
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, g int, i int)")
    query = (
        "SELECT r.g, count(*) AS n FROM (SELECT s.g, (SELECT count(*) FROM t AS o WHERE o.i < s.n) AS p "
        "FROM (SELECT g, count(*) AS n FROM t GROUP BY g) AS s) AS r GROUP BY r.g"
    )
    shown = [line.strip().split(" ")[0] for line in engine.explain(query) if not line.startswith("state: ")]
    assert shown == ["Project", "Aggregate", "Recompute", "Project", "Aggregate", "Scan", "Scan"]


def test_rows_that_stay_are_not_emitted(engine: FlowUnderTest) -> None:
    """A view over it sees the difference only."""
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, i int)")
    engine.view("v", "SELECT id, rank() OVER (ORDER BY i) AS r, 1 AS one FROM t WHERE i > 0")
    engine.view("w", "SELECT one, count(*) AS n FROM v GROUP BY one")
    engine.settle("INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)")
    engine.check()
    engine.settle("INSERT INTO t VALUES (4, 40), (5, -1)")
    engine.check()
    engine.settle("UPDATE t SET i = 25 WHERE id = 2", "DELETE FROM t WHERE id = 1")
    engine.check()
