"""CREATE TABLE: defaults, generated columns, NOT NULL and AS; conflicts have a file of their own."""

from __future__ import annotations

import psycopg
import pytest

from tailrace.errors import InvalidStatement, TailraceError
from tests.support.flow import FlowUnderTest


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("(a int, b int AS a + 1, c int AS b + 1)", "referenced another generated column"),
        ("(a int, t timestamptz AS proctime(), PRIMARY KEY (a, t))", "impure expressions"),
        ("(a int, t timestamptz AS now())", "Failed to bind expression: now()"),
        ("(a int, b int DEFAULT a + 1)", "column references are not allowed"),
        ("(a int, a int)", "specified more than once"),
    ],
)
def test_what_is_refused(engine: FlowUnderTest, statement: str, message: str) -> None:
    with pytest.raises(InvalidStatement, match=message.replace("(", r"\(").replace(")", r"\)")):
        engine.ddl(f"CREATE TABLE t {statement}")
    assert not engine.flow.catalog.objects


def test_defaults_and_generated_columns(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (a int, twice int AS a * 2, b int DEFAULT 7, ratio int AS 100 / a, at timestamptz AS proctime())"
    )
    engine.view("copy", "SELECT a, twice, b, ratio FROM t")
    engine.settle("INSERT INTO t (a) VALUES (1)", "INSERT INTO t (b, a) VALUES (3, 0)")
    engine.check()
    assert sorted(engine.rows("SELECT * FROM copy")) == [(0, 0, 3, None), (1, 2, 7, 100)]
    assert engine.rows("SELECT count(at) FROM t") == [(2,)]
    engine.settle("UPDATE t SET a = 5 WHERE a = 1")
    engine.check()
    assert (5, 10, 7, 20) in engine.rows("SELECT * FROM copy")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="modifying the generated column"):
        engine.run("UPDATE t SET twice = 1")


def test_a_generated_key_decides_conflicts(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (a int, b int, k int AS a % 10, PRIMARY KEY (k)) ON CONFLICT DO UPDATE IF NOT NULL"
    )
    engine.view("copy", "SELECT a, b, k FROM t")
    engine.settle("INSERT INTO t (a, b) VALUES (1, 1), (11, NULL), (2, 2)")
    engine.check()
    assert sorted(engine.rows("SELECT * FROM copy")) == [(2, 2, 2), (11, 1, 1)]


def test_a_null_is_refused_by_the_tables_own_name(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE readings (k int PRIMARY KEY, v int NOT NULL)")
    engine.run("INSERT INTO readings VALUES (1, 1)")
    engine.ddl("ALTER TABLE readings RENAME TO renamed")
    for statement in ("INSERT INTO renamed (k) VALUES (2)", "UPDATE renamed SET v = NULL"):
        with pytest.raises(psycopg.errors.NotNullViolation, match='column "v" of relation "renamed"'):
            engine.run(statement)


def test_a_key_is_not_updated(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (k int PRIMARY KEY, v int)")
    engine.run("INSERT INTO t VALUES (1, 1)")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="modifying the PK column"):
        engine.run("UPDATE t SET k = 2")


def test_create_table_as(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (a int, b varchar)")
    engine.settle("INSERT INTO t VALUES (1, 'x'), (1, 'x'), (2, 'y')")
    engine.ddl(
        "CREATE TABLE copied (first) AS SELECT a, b FROM t", "CREATE TABLE counted AS SELECT count(*) FROM t"
    )
    engine.view("over", "SELECT first, b FROM copied")
    assert sorted(engine.rows("SELECT * FROM over")) == [(1, "x"), (1, "x"), (2, "y")]
    assert engine.rows("SELECT count FROM counted") == [(3,)]
    engine.settle("INSERT INTO copied VALUES (3, 'z')", "DELETE FROM copied WHERE first = 1")
    engine.check()
    with pytest.raises(TailraceError, match="specified more than once"):
        engine.ddl("CREATE TABLE twice AS SELECT 1, 2")
