"""Dynamic filters written as joins with one row: how they are maintained; their content is checked by `test_histories`."""

from __future__ import annotations

import pytest

from tests.operators.histories import make_tables, views
from tests.support.flow import FlowUnderTest

BOUNDED = ("of_a_row", "of_a_row_that_comes_first", "of_a_row_that_is_shown")


@pytest.mark.parametrize("view", BOUNDED)
def test_a_row_that_is_compared_with_bounds_the_other_side(engine: FlowUnderTest, view: str) -> None:
    make_tables(engine)
    shown = engine.explain(views("dynamic_filter")[view])
    assert any(line.strip().startswith("DynamicFilter ") for line in shown)
    assert not [line for line in shown if "O(state)" in line]


def test_classes_of_joins_on_nothing(engine: FlowUnderTest) -> None:
    """Every row of the one side with every row of the other reads through them, unless one of them is a single row."""
    make_tables(engine)
    for query, cost in (
        ("SELECT t.id, u.id AS other FROM t, u", "O(state)"),
        ("SELECT t.id, u.id AS other FROM t JOIN u ON t.i < u.i", "O(delta log n)"),
        ("SELECT t.id, u.id AS other FROM t JOIN u ON t.i <> u.i", "O(state)"),
        ("SELECT t.id, c.n FROM t, (SELECT count(*) AS n FROM u) AS c", "O(delta log n)"),
        ("SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u)", "O(delta log n)"),
        (
            "SELECT t.id FROM t, (SELECT DISTINCT n > 3 AS many FROM (SELECT count(*) AS n FROM u) AS q) AS c",
            "O(delta log n)",
        ),
        ("SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.i < t.i)", "O(delta log n)"),
        ("SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.i <> t.i)", "O(state)"),
    ):
        (join,) = [line for line in engine.explain(query) if "Join " in line]
        assert join.endswith(f"cost: {cost}"), query


def test_exists_over_nothing_flips_with_the_first_and_the_last_row(engine: FlowUnderTest) -> None:
    make_tables(engine)
    engine.view("some", "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM bag)")
    engine.view("none", "SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM bag)")
    engine.view("beside", "SELECT t.id, bag.g FROM t LEFT JOIN bag ON true")
    engine.run("INSERT INTO t (id) VALUES (1), (2)")
    for step in (
        "INSERT INTO bag (g) VALUES (1)",
        "INSERT INTO bag (g) VALUES (1), (2)",
        "DELETE FROM bag WHERE g = 1",
        "UPDATE bag SET g = 3",
        "DELETE FROM bag WHERE g = 3",
        "INSERT INTO bag (g) VALUES (4)",
    ):
        engine.settle(step)
        engine.check()
    engine.settle(
        "DELETE FROM bag WHERE true", "INSERT INTO bag (g) VALUES (5)", "DELETE FROM t WHERE id = 1"
    )
    engine.check()


def test_a_full_join_of_two_rows_may_have_two(engine: FlowUnderTest) -> None:
    make_tables(engine)
    one = "(SELECT max(i) AS m FROM t) AS a"
    other = "(SELECT max(i) AS m FROM u) AS b"
    shown = engine.explain(f"SELECT bag.g, a.m FROM bag, {one} FULL JOIN {other} ON a.m = b.m")
    (on_nothing,) = [line for line in shown if line.strip().startswith("Join [TRUE]")]
    assert on_nothing.endswith("cost: O(state)")
