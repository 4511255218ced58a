"""Schemas: the search path, names with a schema everywhere, objects of one name side by side, moves and renames."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import pytest

from tailrace.errors import (
    DependentObjects,
    DuplicateObject,
    PermissionDenied,
    UndefinedObject,
    UnsupportedFeature,
)
from tests.support.flow import FlowUnderTest


@pytest.fixture(autouse=True)
def no_schemas(engine: FlowUnderTest) -> None:
    for name in set(engine.flow.catalog.schemas) - {"public"}:
        engine.ddl(f'DROP SCHEMA "{name}" CASCADE')


OURS = "relation_type <> 'system table'"


def within(engine: FlowUnderTest, path: Sequence[str], *statements: str) -> None:
    """Run DDL under a search path."""
    for statement in statements:
        engine.statements.execute(statement, search_path=path)


def test_objects_of_one_name_live_side_by_side(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE SCHEMA a",
        'CREATE SCHEMA "B"',
        "CREATE TABLE t (k int PRIMARY KEY, v int)",
        "CREATE TABLE a.t (k int PRIMARY KEY, v int)",
        'CREATE TABLE "B".t (k int PRIMARY KEY, v int)',
        "CREATE INDEX i ON t (v)",
        "CREATE INDEX i ON a.t (v)",
        "CREATE VIEW a.both AS SELECT k FROM t UNION ALL SELECT k FROM a.t",
        'CREATE MATERIALIZED VIEW a.m AS SELECT x.k, x.v + y.v + z.v AS s FROM t x JOIN a.t y USING (k) JOIN "B".t z USING (k)',
        "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM a.both",
    )
    engine.settle(
        "INSERT INTO t VALUES (1, 1), (2, 2)",
        "INSERT INTO a.t VALUES (1, 10)",
        'INSERT INTO "B".t VALUES (1, 100)',
    )
    assert engine.rows("SELECT * FROM a.m") == [(1, 111)]
    assert engine.rows("SELECT * FROM m") == [(3,)]
    engine.ddl("DROP TABLE a.t CASCADE")
    assert engine.rows(f"SELECT schema_name, name FROM rw_catalog.rw_relations WHERE {OURS} ORDER BY 1, 2") == [
        ("B", "t"), ("public", "i"), ("public", "t"),
    ]  # fmt: skip


def test_the_search_path_decides_where_names_are_looked_up_and_made(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE SCHEMA a", "CREATE SCHEMA b", "CREATE TABLE b.t (k int)")
    within(
        engine,
        ("a", "nowhere", "b"),
        "CREATE MATERIALIZED VIEW m AS SELECT k FROM t",
        "CREATE INDEX i ON t (k)",
    )
    engine.ddl("CREATE TABLE a.t (k int)")  # comes first in that path from now on, and m goes on reading b's
    engine.settle("INSERT INTO b.t VALUES (1)", "INSERT INTO a.t VALUES (2)")
    assert engine.rows("SELECT * FROM a.m") == [(1,)]
    assert engine.rows("SELECT schema_name FROM rw_catalog.rw_indexes") == [("b",)]
    within(engine, ("a", "b"), "ALTER TABLE b.t RENAME TO u", "DROP TABLE t")
    assert engine.rows("SELECT definition FROM rw_catalog.rw_materialized_views") == [
        ("CREATE MATERIALIZED VIEW m AS SELECT k FROM u AS t",)
    ]
    with pytest.raises(UndefinedObject):
        engine.ddl("CREATE VIEW v AS SELECT * FROM u")
    with pytest.raises(UndefinedObject, match="no schema has been selected"):
        within(engine, ("nowhere",), "CREATE TABLE x (k int)")


def test_a_table_moves_with_its_indexes_and_keeps_its_readers(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE SCHEMA a",
        "CREATE TABLE t (k int PRIMARY KEY, v int)",
        "CREATE INDEX i ON t (v)",
        "CREATE VIEW plain AS SELECT t.v FROM t",
        "CREATE MATERIALIZED VIEW m AS SELECT sum(v) AS s FROM plain",
        "ALTER TABLE t SET SCHEMA a",
    )
    engine.settle("INSERT INTO a.t VALUES (1, 5)")
    assert engine.rows("SELECT * FROM m") == [(5,)]
    with pytest.raises(psycopg.errors.UndefinedTable):
        engine.run("SELECT * FROM t")
    assert engine.rows(f"SELECT schema_name, name FROM rw_catalog.rw_relations WHERE {OURS} ORDER BY id") == [
        ("a", "t"), ("a", "i"), ("public", "plain"), ("public", "m"),
    ]  # fmt: skip
    assert engine.rows("SELECT definition FROM rw_catalog.rw_views") == [
        ('CREATE VIEW plain AS SELECT t.v FROM "a".t',)
    ]
    engine.ddl("CREATE MATERIALIZED VIEW later AS SELECT max(v) AS s FROM plain")
    assert engine.rows("SELECT * FROM later") == [(5,)]
    engine.reopen()
    engine.settle("UPDATE a.t SET v = 7")
    assert engine.rows("SELECT s FROM m UNION ALL SELECT s FROM later") == [(7,), (7,)]


def test_a_schema_is_renamed_under_everything_in_it(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE SCHEMA a", "CREATE SCHEMA b", "CREATE TABLE a.t (k int)", "CREATE TABLE b.t (k int)")
    within(
        engine,
        ("a", "public"),
        "CREATE VIEW plain AS SELECT k FROM t",
        "CREATE VIEW public.v AS SELECT k FROM a.t",
    )
    engine.ddl("ALTER SCHEMA a RENAME TO c")
    engine.settle("INSERT INTO c.t VALUES (1)", "INSERT INTO b.t VALUES (2)")
    engine.ddl("CREATE MATERIALIZED VIEW m AS SELECT p.k FROM c.plain AS p JOIN v ON p.k = v.k")
    assert engine.rows("SELECT * FROM m") == [(1,)]
    engine.ddl("ALTER SCHEMA c SWAP WITH b")
    assert engine.rows("SELECT * FROM c.t") == [(2,)]
    assert engine.rows("SELECT * FROM b.plain") == [(1,)]
    engine.ddl("ALTER TABLE b.t RENAME TO u")
    assert engine.rows("SELECT name, definition FROM rw_catalog.rw_views ORDER BY 1") == [
        ("plain", 'CREATE VIEW "b".plain AS SELECT k FROM u AS t'),
        ("v", 'CREATE VIEW public.v AS SELECT k FROM "b".u AS t'),
    ]


def test_what_is_refused(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE SCHEMA a", "CREATE TABLE a.t (k int)", "CREATE TABLE t (k int)")
    for statement, error in {
        "CREATE SCHEMA a": DuplicateObject,
        "CREATE SCHEMA pg_mine": PermissionDenied,
        "CREATE SCHEMA engine": PermissionDenied,
        "CREATE TABLE rw_catalog.t (k int)": PermissionDenied,
        "CREATE TABLE nowhere.t (k int)": UndefinedObject,
        "DROP SCHEMA a": DependentObjects,
        "DROP SCHEMA nowhere": UndefinedObject,
        "ALTER TABLE t SET SCHEMA a": DuplicateObject,
        "ALTER TABLE t SET SCHEMA nowhere": UndefinedObject,
        "ALTER SCHEMA a OWNER TO nobody": UndefinedObject,
        "ALTER SCHEMA rw_catalog RENAME TO mine": PermissionDenied,
        "CREATE VIEW v AS SELECT * FROM elsewhere.public.t": UnsupportedFeature,
    }.items():
        with pytest.raises(error):
            engine.ddl(statement)
    reply = engine.ddl("CREATE SCHEMA IF NOT EXISTS a", "DROP SCHEMA IF EXISTS nowhere")
    assert reply.notices == ['schema "nowhere" does not exist, skipping']
    engine.ddl("DROP SCHEMA a CASCADE")
    with pytest.raises(psycopg.errors.UndefinedTable):
        engine.run("SELECT * FROM a.t")
