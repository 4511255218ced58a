"""DML_RATE_LIMIT: changes of a throttled table wait, and are let in in their order, as many as the rate allows."""

from __future__ import annotations

import pytest

from engine.flow.throttle import Throttle, rate_of, release
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature
from tests.support.flow import FlowUnderTest


def let_in(engine: FlowUnderTest, rows: int) -> int:
    table = engine.flow.catalog.by_name("t")
    assert table is not None
    done = release(engine.flow.connection, table, rows)
    engine.barrier()
    return done


@pytest.mark.parametrize("key", ["PRIMARY KEY (k)", ""])
def test_changes_wait_and_come_in_their_order(engine: FlowUnderTest, key: str) -> None:
    engine.ddl(f"CREATE TABLE t (k int, v int NOT NULL, twice int AS v * 2{', ' + key if key else ''})")
    engine.view("copy", "SELECT k, v, twice FROM t")
    engine.settle("INSERT INTO t VALUES (1, 1), (2, 2)")
    engine.ddl("ALTER TABLE t SET DML_RATE_LIMIT TO 0")
    engine.settle(
        "INSERT INTO t VALUES (3, 3)", "UPDATE t SET v = 9 WHERE k = 1", "DELETE FROM t WHERE k = 2"
    )
    with pytest.raises(Exception, match="null value"):
        engine.run("INSERT INTO t VALUES (4, NULL)")
    assert sorted(engine.rows("SELECT k, v FROM t")) == [(1, 1), (2, 2)]
    assert let_in(engine, 2) == 2
    engine.check()
    assert sorted(engine.rows("SELECT * FROM copy")) == [(1, 9, 18), (2, 2, 4), (3, 3, 6)]
    engine.ddl("ALTER TABLE t SET DML_RATE_LIMIT = DEFAULT")
    engine.settle("INSERT INTO t VALUES (5, 5)")
    engine.check()
    assert sorted(engine.rows("SELECT k FROM t")) == [(1,), (3,), (5,)]
    engine.ddl(
        "ALTER TABLE t ADD COLUMN w int", "ALTER TABLE t SET DML_RATE_LIMIT TO 5", "DROP TABLE t CASCADE"
    )


def test_what_is_set_is_shown_and_what_cannot_be_is_refused(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (k int)",
        "CREATE MATERIALIZED VIEW m AS SELECT k FROM t",
        "ALTER TABLE t SET DML_RATE_LIMIT TO 7",
    )
    assert engine.rows("SELECT fragment_type, rate_limit FROM rw_catalog.rw_rate_limit") == [(["DML"], 7)]
    engine.reopen()
    table = engine.flow.catalog.by_name("t")
    assert table is not None
    assert rate_of(table, "DML") == 7
    with pytest.raises(TailraceError, match="is throttled"):
        engine.ddl("ALTER TABLE t ADD COLUMN v int")
    with pytest.raises(InvalidStatement, match="number of rows"):
        engine.ddl("ALTER TABLE t SET DML_RATE_LIMIT TO fast")
    with pytest.raises(UnsupportedFeature, match="BACKFILL_RATE_LIMIT"):
        engine.ddl("ALTER MATERIALIZED VIEW m SET BACKFILL_RATE_LIMIT TO 7")


def test_a_bucket_holds_one_second() -> None:
    now = [100.0]
    throttle = Throttle(lambda: now[0])
    assert throttle.allowed(1, None, 50) == 50
    assert throttle.allowed(1, 10, 50) == 10
    throttle.spent(1, 10)
    assert throttle.allowed(1, 10, 50) == 0
    now[0] += 0.5
    assert throttle.allowed(1, 10, 50) == 5
    now[0] += 60
    assert throttle.allowed(1, 10, 50) == 10
    assert throttle.allowed(1, 0, 50) == 0
