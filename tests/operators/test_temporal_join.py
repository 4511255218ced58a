"""Temporal joins: what a left row has met stays, until the row itself goes."""

from __future__ import annotations

import pytest

from tests.support.flow import FlowUnderTest

LOOK_UP = "JOIN version FOR SYSTEM_TIME AS OF PROCTIME() ON"


@pytest.fixture
def tables(engine: FlowUnderTest) -> FlowUnderTest:
    engine.ddl(
        "CREATE TABLE log (id int, a int) APPEND ONLY",
        "CREATE TABLE live (id int PRIMARY KEY, a int)",
        "CREATE TABLE version (k int PRIMARY KEY, a int, b int)",
    )
    return engine


def test_changes_of_the_right_side_emit_nothing(tables: FlowUnderTest) -> None:
    tables.ddl(f"CREATE MATERIALIZED VIEW v AS SELECT id, b FROM log LEFT {LOOK_UP} log.a = version.k")
    tables.settle("INSERT INTO log VALUES (1, 7)")
    tables.settle("INSERT INTO version VALUES (7, 1, 10)")
    tables.settle("INSERT INTO log VALUES (2, 7)")
    tables.settle("DELETE FROM version")
    assert sorted(tables.rows("SELECT * FROM v"), key=repr) == [(1, None), (2, 10)]


def test_a_row_may_meet_several(tables: FlowUnderTest) -> None:
    tables.ddl(f"CREATE MATERIALIZED VIEW v AS SELECT id, b FROM log {LOOK_UP} log.a = version.a AND id > b")
    tables.settle("INSERT INTO version VALUES (1, 7, 1), (2, 7, 2), (3, 7, 9)")
    tables.settle("INSERT INTO log VALUES (5, 7), (1, 7)")
    assert sorted(tables.rows("SELECT * FROM v")) == [(5, 1), (5, 2)]


@pytest.mark.parametrize(
    "join", [f"{LOOK_UP} true", LOOK_UP.replace("JOIN", "CROSS JOIN").removesuffix(" ON")]
)
def test_without_an_equality_every_row_is_met(tables: FlowUnderTest, join: str) -> None:
    tables.ddl(f"CREATE MATERIALIZED VIEW v AS SELECT id, k FROM log {join}")
    tables.settle("INSERT INTO log VALUES (1, 1)", "INSERT INTO version VALUES (7, 1, 10)")
    tables.settle("INSERT INTO log VALUES (2, 7)", "INSERT INTO version VALUES (8, 1, 10)")
    assert sorted(tables.rows("SELECT * FROM v")) == [(1, 7), (2, 7), (2, 8)]


def test_what_is_compared_is_met(tables: FlowUnderTest) -> None:
    query = f"SELECT id, k FROM log LEFT {LOOK_UP} log.a > version.b AND id <> k"
    (join,) = [line for line in tables.explain(query) if "TemporalJoin" in line]
    assert join.endswith("cost: O(delta log n)")
    tables.ddl(f"CREATE MATERIALIZED VIEW v AS {query}")
    tables.settle(
        "INSERT INTO version VALUES (1, 0, 1), (2, 0, 2), (3, 0, 9)", "INSERT INTO log VALUES (1, 5), (7, 1)"
    )
    tables.settle("INSERT INTO version VALUES (4, 0, 0)", "INSERT INTO log VALUES (9, NULL)")
    assert sorted(tables.rows("SELECT * FROM v"), key=repr) == [(1, 2), (7, None), (9, None)]


def test_what_a_row_has_met_goes_with_it(tables: FlowUnderTest) -> None:
    tables.ddl(f"CREATE MATERIALIZED VIEW v AS SELECT id, k, b FROM live LEFT {LOOK_UP} live.a = version.a")
    tables.settle("INSERT INTO version VALUES (1, 7, 1), (2, 7, 2)")
    tables.settle("INSERT INTO live VALUES (1, 7), (2, 9)")
    assert sorted(tables.rows("SELECT * FROM v"), key=repr) == [(1, 1, 1), (1, 2, 2), (2, None, None)]
    tables.settle("DELETE FROM version WHERE k = 1", "UPDATE version SET b = 20")
    assert sorted(tables.rows("SELECT * FROM v"), key=repr) == [(1, 1, 1), (1, 2, 2), (2, None, None)]
    tables.settle("UPDATE live SET a = 7 WHERE id = 2", "DELETE FROM live WHERE id = 1")
    assert tables.rows("SELECT * FROM v") == [(2, 2, 20)]
    tables.settle("INSERT INTO live VALUES (2, 5)")
    assert tables.rows("SELECT * FROM v") == [(2, None, None)]


def test_the_remembered_join_feeds_other_operators(tables: FlowUnderTest) -> None:
    tables.ddl(
        "CREATE MATERIALIZED VIEW v AS SELECT b, count(*) AS n FROM "
        f"(SELECT live.id, b FROM live {LOOK_UP} live.a = version.a) AS j GROUP BY b"
    )
    tables.settle("INSERT INTO version VALUES (1, 7, 1), (2, 7, 2)", "INSERT INTO live VALUES (1, 7), (2, 7)")
    tables.settle("DELETE FROM version", "DELETE FROM live WHERE id = 1")
    assert sorted(tables.rows("SELECT * FROM v")) == [(1, 1), (2, 1)]
