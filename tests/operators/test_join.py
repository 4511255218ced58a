"""Joins of joins, drawn: a full join keeps what matches nothing on either side, also where a side is a full join itself."""

from __future__ import annotations

from tests.support.flow import FlowUnderTest


def test_a_full_join_of_a_full_join(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE a (x int)",
        "CREATE TABLE b (x int, y int)",
        "CREATE TABLE c (y int)",
        "CREATE MATERIALIZED VIEW v AS SELECT a.x AS p, b.y AS q, c.y AS r "
        "FROM a FULL JOIN b ON a.x = b.x FULL JOIN c ON b.y = c.y",
    )
    engine.settle("INSERT INTO a VALUES (1), (2)", "INSERT INTO c VALUES (10), (30)")
    assert sorted(engine.rows("SELECT * FROM v"), key=repr) == [
        (1, None, None),
        (2, None, None),
        (None, None, 10),
        (None, None, 30),
    ]
    engine.settle("INSERT INTO b VALUES (1, 10), (7, 30)")
    assert sorted(engine.rows("SELECT * FROM v"), key=repr) == [(1, 10, 10), (2, None, None), (None, 30, 30)]
    engine.settle("DELETE FROM b WHERE x = 1", "DELETE FROM c WHERE y = 30")
    assert sorted(engine.rows("SELECT * FROM v"), key=repr) == [
        (1, None, None),
        (2, None, None),
        (None, 30, None),
        (None, None, 10),
    ]


def test_join_binds_tighter_than_a_comma(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE a (x int)", "CREATE TABLE b (x int)", "CREATE TABLE c (x int)")
    engine.view("v", "SELECT a.x AS p, b.x AS q, c.x AS r FROM a, b FULL JOIN c ON b.x = c.x")
    engine.view(
        "w",
        "SELECT a.x AS p, b.x AS q, c.x AS r FROM a, b RIGHT JOIN c ON b.x = c.x, c AS d LEFT JOIN b AS e ON d.x = e.x",
    )
    engine.settle("INSERT INTO b VALUES (1), (2)", "INSERT INTO c VALUES (2), (3)")
    assert engine.rows("SELECT * FROM v") == []
    engine.settle("INSERT INTO a VALUES (7)")
    assert sorted(engine.rows("SELECT * FROM v"), key=repr) == [(7, 1, None), (7, 2, 2), (7, None, 3)]
    engine.check()
