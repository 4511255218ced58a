"""ALTER ... RENAME TO and SWAP WITH: only names move; rows, readers, privileges and comments stay with the objects."""

from __future__ import annotations

import psycopg
import pytest

from engine.connectors.source import Batch, Position
from tailrace.errors import (
    DuplicateObject,
    InvalidStatement,
    TailraceError,
    UndefinedObject,
    UnsupportedFeature,
)
from tests.support.flow import FlowUnderTest, Row

RELATIONS = {
    "table": "rw_tables",
    "view": "rw_views",
    "materialized view": "rw_materialized_views",
    "index": "rw_indexes",
}


def definition(engine: FlowUnderTest, kind: str, name: str) -> str:
    query = f"SELECT definition FROM rw_catalog.{RELATIONS[kind]} WHERE name = %s"
    row = engine.client.execute(query, (name,)).fetchone()
    assert row is not None, f"no {kind} {name}"
    return str(row[0])


def ids(engine: FlowUnderTest) -> dict[str, int]:
    return dict(engine.rows("SELECT name, id FROM rw_catalog.rw_relations"))


def test_a_renamed_table_keeps_its_rows_and_whoever_reads_it(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, g int)",
        "CREATE VIEW plain AS SELECT t.id, g FROM t WHERE g > 0",
        "CREATE INDEX t_by_g ON t (g)",
    )
    engine.view("groups", "SELECT t.g, count(*) AS n FROM t GROUP BY t.g")
    engine.settle("INSERT INTO t VALUES (1, 1), (2, 1), (3, -1)")
    before = ids(engine)
    reply = engine.ddl("ALTER TABLE t RENAME TO things")
    assert (reply.tag, reply.notices) == ("ALTER_TABLE", [])
    assert ids(engine) == {**{k: v for k, v in before.items() if k != "t"}, "things": before["t"]}
    with pytest.raises(psycopg.errors.UndefinedTable):
        engine.run("SELECT * FROM t")
    engine.settle(
        "INSERT INTO things VALUES (4, 2), (1, 3)",
        "UPDATE things SET g = 9 WHERE id = 2",
        "DELETE FROM things WHERE id = 3",
    )
    assert engine.rows("SELECT * FROM things ORDER BY id") == [(1, 3), (2, 9), (4, 2)]
    assert engine.rows("SELECT * FROM groups ORDER BY g") == [(2, 1), (3, 1), (9, 1)]
    assert engine.rows("SELECT id FROM plain ORDER BY id") == [(1,), (2,), (4,)]
    assert definition(engine, "table", "things") == "CREATE TABLE things (id int PRIMARY KEY, g int)"
    assert (
        definition(engine, "view", "plain")
        == "CREATE VIEW plain AS SELECT t.id, g FROM things AS t WHERE g > 0"
    )
    assert definition(engine, "index", "t_by_g") == "CREATE INDEX t_by_g ON things (g)"
    assert definition(engine, "materialized view", "groups") == (
        "CREATE MATERIALIZED VIEW groups AS SELECT t.g, count(*) AS n FROM things AS t GROUP BY t.g"
    )
    assert engine.rows("SELECT relation_name FROM rw_catalog.rw_indexes") == [("things",)]


def test_later_views_read_by_the_new_name_through_plain_views_too(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, g int)",
        "CREATE VIEW plain AS SELECT t.id, g FROM t",
        "ALTER TABLE t RENAME TO u",
        "CREATE TABLE t (id int PRIMARY KEY, g int)",
        'ALTER VIEW plain RENAME TO "Plain one"',
    )
    engine.view("through", 'SELECT p.g, count(*) AS n FROM "Plain one" AS p GROUP BY p.g')
    engine.settle("INSERT INTO u VALUES (1, 1)", "INSERT INTO t VALUES (2, 2)")
    engine.check()
    assert engine.rows("SELECT * FROM through") == [(1, 1)]


def test_the_state_is_found_again_by_a_flow_that_starts_anew(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, g int)", "CREATE TABLE u (id int PRIMARY KEY, g int)")
    engine.view("a", "SELECT g, count(*) AS n FROM t GROUP BY g")
    engine.view("b", "SELECT g, max(id) AS n FROM u GROUP BY g")
    engine.settle("INSERT INTO t VALUES (1, 1)", "INSERT INTO u VALUES (7, 1)")
    engine.ddl(
        "ALTER TABLE t SWAP WITH u", "ALTER MATERIALIZED VIEW a SWAP WITH b", "ALTER TABLE u RENAME TO w"
    )
    engine.run("INSERT INTO t VALUES (8, 1)")
    engine.reopen()
    engine.settle("INSERT INTO w VALUES (2, 1)")
    assert engine.rows("SELECT * FROM a") == [(1, 8)]
    assert engine.rows("SELECT * FROM b") == [(1, 2)]


def test_swapped_views_change_names_and_dependents_stay_where_they_were(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, g int)")
    engine.settle("INSERT INTO t VALUES (1, 1), (2, 1)")
    engine.ddl(
        "CREATE MATERIALIZED VIEW a AS SELECT g, count(*) AS n FROM t GROUP BY g",
        "CREATE MATERIALIZED VIEW above AS SELECT a.n FROM a",
        "CREATE VIEW beside AS SELECT n FROM a",
        "CREATE INDEX a_by_n ON a (n)",
        "CREATE MATERIALIZED VIEW b AS SELECT a.g, a.n * 10 AS n, 'new' AS kind FROM a",
    )
    before = ids(engine)
    reply = engine.ddl("ALTER MATERIALIZED VIEW a SWAP WITH b")
    assert reply.tag == "ALTER_MATERIALIZED_VIEW"
    assert reply.notices == [
        'still attached to what was "a" and is now "b": materialized view above, view beside, index a_by_n, '
        'materialized view b; rebuild them if they should follow the name "a"'
    ]
    assert ids(engine) == {**before, "a": before["b"], "b": before["a"]}
    engine.settle("INSERT INTO t VALUES (3, 1)")
    assert engine.rows("SELECT * FROM a") == [(1, 30, "new")]
    assert engine.rows("SELECT * FROM b") == [(1, 3)]
    assert engine.rows("SELECT * FROM above") == engine.rows("SELECT * FROM beside") == [(3,)]
    shown = {n: definition(engine, "materialized view", n) for n in ("a", "b", "above")}
    assert shown == {
        "a": "CREATE MATERIALIZED VIEW a AS SELECT a.g, a.n * 10 AS n, 'new' AS kind FROM b AS a",
        "b": "CREATE MATERIALIZED VIEW b AS SELECT g, count(*) AS n FROM t GROUP BY g",
        "above": "CREATE MATERIALIZED VIEW above AS SELECT a.n FROM b AS a",
    }
    assert engine.rows("SELECT relation_name FROM rw_catalog.rw_indexes") == [("b",)]
    engine.ddl("CREATE MATERIALIZED VIEW later AS SELECT kind FROM a")
    assert engine.rows("SELECT * FROM later") == [("new",)]
    with pytest.raises(TailraceError, match="materialized view b because other objects depend on it"):
        engine.ddl("DROP MATERIALIZED VIEW b")


def test_tables_and_views_are_swapped_too(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t1 (v int PRIMARY KEY)",
        "CREATE TABLE t2 (v int PRIMARY KEY)",
        "CREATE VIEW v1 AS SELECT t1.v FROM t1",
        "CREATE VIEW v2 AS SELECT t2.v, 2 AS two FROM t2",
    )
    engine.settle("INSERT INTO t1 VALUES (1)", "INSERT INTO t2 VALUES (2)")
    engine.ddl("ALTER TABLE t1 SWAP WITH public.t2", "ALTER VIEW v1 SWAP WITH v2")
    assert engine.rows("SELECT * FROM t1") == [(2,)]
    assert engine.rows("SELECT * FROM v1") == [(2, 2)]
    # as RisingWave's own tests have it
    assert definition(engine, "view", "v1") == "CREATE VIEW v1 AS SELECT t2.v, 2 AS two FROM t1 AS t2"
    assert definition(engine, "view", "v2") == "CREATE VIEW v2 AS SELECT t1.v FROM t2 AS t1"
    engine.settle("INSERT INTO t1 VALUES (20)", "INSERT INTO t2 VALUES (10)")
    assert engine.rows("SELECT * FROM v2 ORDER BY v") == [(1,), (10,)]


def test_an_index_is_renamed(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, g int)",
        "CREATE INDEX i ON t (g)",
        "ALTER INDEX i RENAME TO by_g",
    )
    assert definition(engine, "index", "by_g") == "CREATE INDEX by_g ON t (g)"
    engine.ddl("DROP INDEX by_g")
    assert engine.flow.connection.execute("SELECT to_regclass('engine.by_g')").fetchone() == (None,)


def test_a_temporal_join_in_a_view_goes_on_under_new_names(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE facts (id int) APPEND ONLY",
        "CREATE TABLE d (id int PRIMARY KEY, name varchar)",
        "CREATE VIEW temporal AS SELECT f.id, d.name FROM facts AS f"
        " JOIN d FOR SYSTEM_TIME AS OF PROCTIME() ON f.id = d.id",
        "ALTER VIEW temporal RENAME TO looked_up",
        "ALTER TABLE d RENAME TO names",
    )
    assert engine.rows("SELECT * FROM looked_up") == []
    assert "JOIN names FOR SYSTEM_TIME AS OF PROCTIME() AS d ON" in definition(engine, "view", "looked_up")
    engine.ddl("CREATE MATERIALIZED VIEW named AS SELECT * FROM looked_up")
    engine.settle("INSERT INTO names VALUES (1, 'one')")
    engine.settle("INSERT INTO facts VALUES (1)")
    assert engine.rows("SELECT * FROM named") == [(1, "one")]


def test_a_renamed_source_is_read_on_and_its_messages_tell_the_new_name(
    engine: FlowUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = {0: Position("topic-1", 0, 0)}
    monkeypatch.setattr("engine.ddl.create_source.start_positions", lambda _spec: start)
    options = "(connector = 'kafka', topic = 't', properties.bootstrap.server = 'nowhere:1') FORMAT PLAIN ENCODE JSON"
    engine.ddl(
        f"CREATE SOURCE s (a int) WITH {options}",
        "CREATE MATERIALIZED VIEW m AS SELECT s.a FROM s",
        "ALTER SOURCE s RENAME TO told",
    )
    source = ids(engine)["told"]
    assert engine.flow.spec(source).name == "told"
    engine.flow.barrier({source: Batch([(1,), (2,)], {0: Position("topic-1", 0, 2)})})
    assert engine.rows("SELECT a FROM m ORDER BY a") == [(1,), (2,)]
    assert (
        definition(engine, "materialized view", "m")
        == "CREATE MATERIALIZED VIEW m AS SELECT s.a FROM told AS s"
    )
    with pytest.raises(psycopg.errors.FeatureNotSupported, match='over source "told"'):
        engine.run("SELECT * FROM told")
    assert engine.rows("SELECT source_name, next_offset FROM rw_catalog.rw_kafka_source_progress") == [
        ("told", 2)
    ]


def test_privileges_comments_and_refusals_stay_with_the_object(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE log (a int) APPEND ONLY", "CREATE TABLE keyed (a int PRIMARY KEY, b int)")
    engine.flow.connection.execute("COMMENT ON VIEW public.log IS 'the log'")
    engine.ddl("ALTER TABLE log RENAME TO keyed_log")
    engine.run("INSERT INTO keyed_log VALUES (1)")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="append-only"):
        engine.run("DELETE FROM keyed_log")
    engine.ddl("ALTER TABLE keyed RENAME TO k")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="PK column"):
        engine.run("UPDATE k SET a = 2 WHERE false; INSERT INTO k VALUES (1, 1); UPDATE k SET a = 2")
    engine.run("INSERT INTO k VALUES (1, 2), (1, 3)")
    assert engine.rows("SELECT * FROM k") == [(1, 3)]
    with psycopg.connect(engine.server.dsn("dashboard", engine.database), autocommit=True) as reader:
        assert reader.execute("SELECT * FROM keyed_log").fetchall() == [(1,)]
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
            reader.execute("INSERT INTO keyed_log VALUES (2)")
    comment = "SELECT obj_description('public.keyed_log'::regclass, 'pg_class')"
    assert engine.flow.connection.execute(comment).fetchone() == ("the log",)


def test_a_prepared_statement_follows_the_name_or_says_why_not(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE a (id int PRIMARY KEY)",
        "CREATE TABLE b (id int PRIMARY KEY)",
        "CREATE TABLE c (id varchar PRIMARY KEY)",
    )
    engine.settle("INSERT INTO a VALUES (1)", "INSERT INTO b VALUES (2)", "INSERT INTO c VALUES ('x')")

    with engine.another_client() as client:

        def read() -> list[Row]:
            return client.execute("SELECT id FROM a", prepare=True).fetchall()

        for _ in range(7):  # beyond the custom plans
            assert read() == [(1,)]
        engine.ddl("ALTER TABLE a SWAP WITH b")
        assert read() == [(2,)]
        engine.ddl("ALTER TABLE a SWAP WITH c")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan must not change result"):
            read()
        engine.ddl("ALTER TABLE a RENAME TO d")
        with pytest.raises(psycopg.errors.UndefinedTable):
            read()
        engine.ddl("ALTER TABLE b RENAME TO a")
        assert read() == [(1,)]


def test_a_reader_in_a_transaction_keeps_its_snapshot_and_the_statement_waits(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY)")
    with engine.another_client() as reader:
        with reader.transaction():
            reader.execute("SELECT * FROM a")
            with pytest.raises(TailraceError) as caught:
                engine.ddl("ALTER TABLE a SWAP WITH b")
            assert caught.value.sqlstate == "55P03"  # the loop tries again
        assert ids(engine)["a"] < ids(engine)["b"]
        engine.ddl("ALTER TABLE a SWAP WITH b")
        assert ids(engine)["a"] > ids(engine)["b"]


@pytest.mark.parametrize(
    ("statement", "error", "message"),
    [
        ("ALTER TABLE nothing RENAME TO x", UndefinedObject, 'table "nothing" does not exist'),
        ("ALTER TABLE t RENAME TO m", DuplicateObject, 'materialized view with name "m" exists'),
        ("ALTER TABLE m RENAME TO x", InvalidStatement, '"m" is not a table.*ALTER MATERIALIZED VIEW m'),
        ("ALTER VIEW t RENAME TO x", InvalidStatement, '"t" is not a view'),
        ("ALTER TABLE t RENAME TO public.x", InvalidStatement, "syntax error at or near"),
        ("ALTER TABLE t RENAME TO 'x'", InvalidStatement, "syntax error at or near"),
        ("ALTER TABLE t RENAME TO", InvalidStatement, "syntax error at end of input"),
        ("ALTER TABLE t", InvalidStatement, "syntax error at end of input"),
        (f"ALTER TABLE t RENAME TO {'x' * 64}", InvalidStatement, "longer than 63 bytes"),
        ("ALTER TABLE t SWAP WITH m", InvalidStatement, "one is a table, the other a materialized view"),
        ("ALTER TABLE m SWAP WITH t", InvalidStatement, '"m" is not a table'),
        ("ALTER TABLE t SWAP WITH t", InvalidStatement, "with itself"),
        ("ALTER TABLE t SWAP WITH nothing", UndefinedObject, 'table "nothing" does not exist'),
        ("ALTER TABLE other.t RENAME TO x", UndefinedObject, 'table "other.t" does not exist'),
        ("ALTER TABLE t RENAME COLUMN a TO b", UnsupportedFeature, "ALTER TABLE ... RENAME COLUMN"),
        (
            "ALTER MATERIALIZED VIEW m AS SELECT 1",
            UnsupportedFeature,
            "ALTER MATERIALIZED VIEW ... AS.*SWAP WITH",
        ),
        ("ALTER INDEX i SWAP WITH i", UnsupportedFeature, "ALTER INDEX ... SWAP WITH"),
        ("ALTER SYSTEM SET x = 1", UnsupportedFeature, "ALTER SYSTEM"),
        ("ALTER TABLE IF EXISTS t RENAME TO x", UnsupportedFeature, "IF EXISTS"),
        ("ALTER SINK s RENAME TO x", UndefinedObject, 'sink "s" does not exist'),
    ],
)
def test_what_cannot_be_altered_is_refused_by_name(
    engine: FlowUnderTest, statement: str, error: type[TailraceError], message: str
) -> None:
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE MATERIALIZED VIEW m AS SELECT id FROM t",
        "CREATE INDEX i ON t (id)",
    )
    before = ids(engine)
    with pytest.raises(error, match=message):
        engine.ddl(statement)
    assert ids(engine) == before
    engine.settle("INSERT INTO t VALUES (1)")
    assert engine.rows("SELECT * FROM m") == [(1,)]


def test_the_read_only_role_may_not_alter(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY)")
    with pytest.raises(TailraceError, match="may only read"):
        engine.statements.execute("/* harmless? */ -- no\n ALTER TABLE t RENAME TO u", "dashboard")


def test_sinks_follow_names_and_have_names_of_their_own(engine: FlowUnderTest) -> None:
    def settle(*statements: str) -> None:
        engine.settle(*statements)
        while engine.flow.fed:
            engine.barrier()

    engine.ddl(
        "CREATE TABLE a (id int PRIMARY KEY, v int)",
        "CREATE TABLE target (id int PRIMARY KEY, v int)",
        "CREATE TABLE other (id int PRIMARY KEY, v int)",
        "CREATE SINK s INTO target FROM a",
        "CREATE SINK q INTO target (v, id) AS SELECT a.v * 10, a.id + 100 FROM a",
    )
    settle("INSERT INTO a VALUES (1, 1)")
    reply = engine.ddl("ALTER TABLE target SWAP WITH other")
    assert "sink s, sink q" in reply.notices[0]
    engine.ddl("ALTER TABLE a RENAME TO b", "ALTER SINK s RENAME TO plain", "ALTER SINK plain SWAP WITH q")
    settle("INSERT INTO b VALUES (2, 2)")
    assert engine.rows("SELECT * FROM other ORDER BY id") == [(1, 1), (2, 2), (101, 10), (102, 20)]
    assert engine.rows("SELECT * FROM target") == []
    assert engine.rows("SELECT name, definition FROM rw_catalog.rw_sinks ORDER BY name") == [
        ("plain", "CREATE SINK plain INTO other (v, id) AS SELECT a.v * 10, a.id + 100 FROM b AS a"),
        ("q", "CREATE SINK q INTO other FROM b"),
    ]
    engine.reopen()
    settle("DELETE FROM b WHERE id = 1")
    assert engine.rows("SELECT * FROM other ORDER BY id") == [(2, 2), (102, 20)]
    engine.ddl("DROP SINK plain", "DROP SINK q", "DROP TABLE other")
