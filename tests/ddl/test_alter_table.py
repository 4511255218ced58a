"""ALTER TABLE ... ADD COLUMN and DROP COLUMN: the table changes, what is built on it does not."""

from __future__ import annotations

import psycopg
import pytest

from tailrace.errors import DependentObjects, TailraceError
from tests.support.flow import FlowUnderTest


def test_a_new_column_has_its_default_and_reaches_no_older_view(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (k int PRIMARY KEY, v int)", "CREATE VIEW plain AS SELECT * FROM t")
    engine.view("copy", "SELECT k, v FROM t")
    engine.ddl("CREATE MATERIALIZED VIEW star AS SELECT * FROM t", "COMMENT ON COLUMN t.v IS 'the value'")
    engine.settle("INSERT INTO t VALUES (1, 10), (2, 20)")
    engine.run("INSERT INTO t VALUES (3, 30)")  # no barrier has taken it yet
    engine.ddl("ALTER TABLE t ADD COLUMN w int DEFAULT 7 NOT NULL")
    assert engine.rows("SELECT * FROM t ORDER BY k") == [(1, 10, 7), (2, 20, 7), (3, 30, 7)]
    engine.view("later", "SELECT k, w FROM t")
    engine.ddl("CREATE MATERIALIZED VIEW over_plain AS SELECT * FROM plain")
    engine.settle(
        "INSERT INTO t VALUES (4, 40, 8), (1, 11, 9)",
        "UPDATE t SET w = 1 WHERE k = 2",
        "DELETE FROM t WHERE k = 3",
    )
    engine.check()
    both = [(1, 11), (2, 20), (4, 40)]
    for name in ("star", "plain", "over_plain"):
        assert engine.rows(f"SELECT * FROM {name} ORDER BY k") == both
    assert engine.flow.catalog.by_name("t").definition == (  # type: ignore[union-attr]
        "CREATE TABLE t (k int PRIMARY KEY, v int, w int DEFAULT 7 NOT NULL)"
    )
    with pytest.raises(psycopg.errors.NotNullViolation, match='column "w" of relation "t"'):
        engine.run("INSERT INTO t VALUES (5, 5, NULL)")


def test_a_column_that_nothing_reads_can_be_dropped(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (k int PRIMARY KEY, unread int NOT NULL, v int NOT NULL)", "CREATE TABLE u (k int, x int)",
        "CREATE VIEW plain AS SELECT k, v FROM t", "COMMENT ON TABLE t IS 'kept'",
    )  # fmt: skip
    engine.view("copy", "SELECT k, v FROM t")
    engine.view("joined", "SELECT t.k, t.v, u.x FROM t JOIN u ON t.k = u.k")
    engine.settle("INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)", "INSERT INTO u VALUES (1, 5)")
    engine.ddl("ALTER TABLE t DROP COLUMN unread")
    engine.settle(
        "INSERT INTO t VALUES (3, 3), (1, 9)", "INSERT INTO u VALUES (3, 6)", "DELETE FROM t WHERE k = 2"
    )
    engine.check()
    assert engine.rows("SELECT * FROM t ORDER BY k") == [(1, 9), (3, 3)]
    assert engine.rows("SELECT * FROM plain ORDER BY k") == [(1, 9), (3, 3)]
    assert engine.rows("SELECT obj_description('t'::regclass)") == [("kept",)]
    with pytest.raises(psycopg.errors.NotNullViolation, match='column "v"'):
        engine.run("INSERT INTO t VALUES (5, NULL)")
    engine.ddl(
        "ALTER TABLE u ADD COLUMN y int", "ALTER TABLE u DROP COLUMN y", "ALTER TABLE u ADD COLUMN y varchar"
    )
    engine.settle("INSERT INTO u VALUES (1, 7, 'new')")
    engine.check()
    engine.reopen()
    engine.settle("INSERT INTO u VALUES (3, 8, 'newer')")
    engine.check()


def test_generated_columns_go_and_their_sources_after_them(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (a int, b int AS a + 1)", "CREATE MATERIALIZED VIEW star AS SELECT * FROM t")
    engine.ddl("DROP MATERIALIZED VIEW star", "ALTER TABLE t ADD COLUMN c int", "ALTER TABLE t DROP COLUMN b")
    engine.ddl("CREATE MATERIALIZED VIEW first AS SELECT * FROM t", "ALTER TABLE t ADD COLUMN d int")
    engine.ddl("ALTER TABLE t DROP COLUMN d", "ALTER TABLE t ADD COLUMN d varchar")
    engine.settle("INSERT INTO t VALUES (1, 2, 'x')", "UPDATE t SET c = 3")
    assert engine.rows("SELECT * FROM t") == [(1, 3, "x")]
    assert engine.rows("SELECT * FROM first") == [(1, 3)]
    engine.ddl("DROP MATERIALIZED VIEW first", "ALTER TABLE t DROP COLUMN a", "ALTER TABLE t DROP COLUMN c")
    assert engine.rows("SELECT * FROM t") == [("x",)]


@pytest.mark.parametrize(
    "reader",
    [
        "CREATE MATERIALIZED VIEW r AS SELECT * FROM t",
        "CREATE MATERIALIZED VIEW r AS SELECT k FROM t WHERE v > 0",
        "CREATE VIEW r AS SELECT v FROM t",
        "CREATE INDEX r ON t (v)",
        "CREATE TABLE s (k int, v int); CREATE SINK r INTO t AS SELECT k, v FROM s",
    ],
)
def test_a_column_that_is_read_cannot_be_dropped(engine: FlowUnderTest, reader: str) -> None:
    engine.ddl("CREATE TABLE t (k int PRIMARY KEY, v int)", *reader.split("; "))
    with pytest.raises(DependentObjects, match=r"being referenced.*: r"):
        engine.ddl("ALTER TABLE t DROP COLUMN v")
    engine.settle("INSERT INTO t VALUES (1, 1)")
    assert engine.rows("SELECT v FROM t") == [(1,)]


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ("ADD COLUMN v int", "already exists"),
        ("ADD COLUMN w int PRIMARY KEY", "alter primary key"),
        ("ADD w int NOT NULL", "must have default value"),
        ("ADD COLUMN w int AS k + 1", "generated column"),
        ("DROP COLUMN w", "does not exist"),
        ("DROP COLUMN k", "primary key"),
        ("DROP COLUMN v CASCADE", "not yet implemented"),
        ("DROP COLUMN v", 'referenced by a generated column "g"'),
    ],
)
def test_what_is_refused(engine: FlowUnderTest, clause: str, message: str) -> None:
    engine.ddl("CREATE TABLE t (k int PRIMARY KEY, v int, g int AS v + 1)")
    with pytest.raises(TailraceError, match=message):
        engine.ddl(f"ALTER TABLE t {clause}")


def test_only_tables_have_columns_to_alter(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (k int)", "CREATE MATERIALIZED VIEW mv AS SELECT k FROM t")
    with pytest.raises(TailraceError, match="is not a table or cannot be altered"):
        engine.ddl("ALTER TABLE mv ADD COLUMN v int")
    reply = engine.ddl("ALTER TABLE t DROP COLUMN IF EXISTS nothing")
    assert reply.notices == ['column "nothing" does not exist, skipping']
    assert engine.ddl("ALTER TABLE t SET PARALLELISM = 4").notices


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DROP TABLE nothing", "table not found: nothing"),
        ("DROP INDEX no_schema.nothing", "schema not found"),
        ("DROP VIEW a.b.c", "cross-database references are not implemented"),
        ("DROP SOURCE t", "Use `DROP TABLE`"),
        ("DROP TABLE mv", "Use `DROP MATERIALIZED VIEW`"),
        ("DROP VIEW t", "view not found"),
    ],
)
def test_what_is_not_dropped(engine: FlowUnderTest, statement: str, message: str) -> None:
    engine.ddl("CREATE TABLE t (k int)", "CREATE MATERIALIZED VIEW mv AS SELECT k FROM t")
    with pytest.raises(TailraceError, match=message):
        engine.ddl(statement)
