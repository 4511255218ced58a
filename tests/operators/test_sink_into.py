"""CREATE SINK INTO: a query's changes become a table's, exactly once, and the views on the table see them."""

from __future__ import annotations

import pytest
from hypothesis import given

from engine.flow import barrier
from tailrace.errors import TailraceError
from tests.operators.histories import Step, histories, play, quick
from tests.support.flow import FlowUnderTest, assert_same

TOTALS = "SELECT g AS grp, count(*) AS n, sum(i) AS total FROM t WHERE g IS NOT NULL GROUP BY g"


def _settled(engine: FlowUnderTest) -> None:
    """Barriers until no sink has anything left to do."""
    engine.barrier()
    while engine.flow.fed:
        engine.barrier()


def _refused(engine: FlowUnderTest, statement: str) -> TailraceError:
    with pytest.raises(TailraceError) as caught:
        engine.ddl(statement)
    return caught.value


@quick
@given(history=histories())
def test_random_histories(engine: FlowUnderTest, history: tuple[Step, ...]) -> None:
    def check(engine: FlowUnderTest) -> None:
        if engine.flow.catalog.by_name("made") is None:
            return
        if engine.flow.catalog.by_name("totals") is None:
            engine.ddl(
                "CREATE TABLE totals (total bigint, grp int PRIMARY KEY, n bigint)",
                "CREATE MATERIALIZED VIEW grand AS SELECT count(*) AS groups, sum(n) AS rows FROM totals",
                f"CREATE SINK into_totals INTO totals (grp, n, total) AS {TOTALS}",
                "CREATE TABLE kept (id int, h varchar) APPEND ONLY",
                "CREATE SINK into_kept INTO kept AS SELECT id, h FROM log",
            )
        _settled(engine)
        assert_same(engine.rows("SELECT grp, n, total FROM totals"), engine.batch(TOTALS), "totals")
        assert_same(engine.rows("SELECT * FROM kept"), engine.batch("SELECT id, h FROM log"), "kept")
        assert_same(
            engine.rows("SELECT * FROM grand"), engine.batch("SELECT count(*), sum(n) FROM totals"), "grand"
        )

    play(engine, history, {"made": "SELECT id FROM u"}, check)


def test_two_sinks_feed_one_table_and_the_last_word_counts(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE a (id int PRIMARY KEY, v varchar)",
        "CREATE TABLE b (id int PRIMARY KEY, v varchar)",
        "CREATE TABLE joint (id int PRIMARY KEY, v varchar)",
        "CREATE SINK from_a INTO joint FROM a",
        "CREATE SINK from_b INTO joint FROM b",
    )
    engine.run("INSERT INTO a VALUES (1, 'a'), (2, 'a')")
    _settled(engine)
    engine.run("INSERT INTO b VALUES (2, 'b'), (3, 'b')")
    _settled(engine)
    assert engine.rows("SELECT * FROM joint ORDER BY id") == [(1, "a"), (2, "b"), (3, "b")]
    engine.run("DELETE FROM a WHERE id = 2")
    _settled(engine)
    assert engine.rows("SELECT * FROM joint ORDER BY id") == [(1, "a"), (3, "b")]
    engine.ddl("DROP SINK from_b")
    assert engine.rows("SELECT * FROM joint ORDER BY id") == [(1, "a"), (3, "b")]


def test_defaults_fill_what_is_not_listed(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE a (id int PRIMARY KEY)",
        "CREATE TABLE b (id int PRIMARY KEY, kind varchar DEFAULT 'sunk', twice int AS id * 2)",
        "CREATE SINK s INTO b (id) FROM a",
    )
    engine.run("INSERT INTO a VALUES (4)")
    _settled(engine)
    assert engine.rows("SELECT * FROM b") == [(4, "sunk", 8)]


def test_null_for_a_not_null_column_is_set_aside(engine: FlowUnderTest) -> None:
    engine.flow.connection.execute("DELETE FROM engine.poison_rows")
    engine.ddl(
        "CREATE TABLE a (id int PRIMARY KEY, v varchar)",
        "CREATE TABLE b (id int PRIMARY KEY, v varchar NOT NULL)",
        "CREATE SINK s INTO b FROM a",
    )
    engine.run("INSERT INTO a VALUES (1, NULL), (2, 'x')")
    _settled(engine)
    assert engine.rows("SELECT * FROM b") == [(2, "x")]
    poison = engine.rows("SELECT source_name, origin, sqlstate FROM rw_catalog.rw_poison_rows")
    assert [(name, sqlstate) for name, _, sqlstate in poison] == [("s", "23502")]
    assert "(" in poison[0][1] and ",1," in poison[0][1]


def test_a_client_that_holds_the_row_makes_the_sink_wait(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE a (id int PRIMARY KEY, v varchar)",
        "CREATE TABLE b (id int PRIMARY KEY, v varchar)",
        "CREATE SINK s INTO b FROM a",
    )
    engine.run("INSERT INTO b VALUES (1, 'mine')")
    engine.run("INSERT INTO a VALUES (1, 'sunk')")
    with engine.another_client() as client:
        with client.transaction():
            client.execute("UPDATE b SET v = 'later' WHERE id = 1")
            engine.barrier()
            assert not engine.flow.fed
        _settled(engine)
    assert engine.rows("SELECT * FROM b") == [(1, "sunk")]


def test_what_was_logged_before_a_new_session_is_applied_once(
    engine: FlowUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.ddl(
        "CREATE TABLE a (id int)", "CREATE TABLE b (id int)",
        "CREATE SINK s INTO b FROM a WITH (type = 'append-only', force_append_only = 'true')",
    )  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr(barrier, "apply_waiting", lambda *_: False)
        engine.settle("INSERT INTO a VALUES (1), (1)")
    assert engine.rows("SELECT * FROM b") == []
    engine.reopen()
    _settled(engine)
    _settled(engine)
    assert engine.rows("SELECT * FROM b") == [(1,), (1,)]


def test_circles_are_refused(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE a (id int PRIMARY KEY)",
        "CREATE TABLE b (id int PRIMARY KEY)",
        "CREATE TABLE c (id int PRIMARY KEY)",
        "CREATE MATERIALIZED VIEW va AS SELECT id + 1 AS id FROM a",
        "CREATE SINK s1 INTO b AS SELECT id FROM va",
    )
    error = _refused(engine, "CREATE SINK s2 INTO a FROM b")
    assert error.message == "Creating such a sink will result in circular dependency"
    assert error.detail == "a -> va -> s1 -> b -> s2 -> a"
    assert _refused(engine, "CREATE SINK s2 INTO a FROM a").detail == "a -> s2 -> a"
    engine.ddl("CREATE SINK s2 INTO c FROM b", "CREATE SINK s3 INTO c FROM a")


@pytest.mark.parametrize(
    ("statement", "sqlstate", "said"),
    [
        ("CREATE SINK s INTO nowhere FROM a", "42P01", 'relation "nowhere" does not exist'),
        ("CREATE SINK s INTO v FROM a", "42809", 'cannot sink into "v", a materialized view'),
        ("CREATE SINK s INTO bag FROM a", "42601", "Only append-only sinks can sink to a table without primary keys"),
        ("CREATE SINK s INTO b AS SELECT id, v, 1 AS w FROM a", "42601", 'the sink has 3 columns for 2 of table "b"'),
        ("CREATE SINK s INTO b (v) AS SELECT v FROM a", "0A000", "leaves its primary key column id to the default"),
        ("CREATE SINK s INTO b AS SELECT v, id FROM a", "42804", "column v has type character varying"),
        ("CREATE SINK s INTO b AS SELECT id::bigint AS id FROM a", "42804", "column id has type bigint"),
        ("CREATE SINK s INTO b (id, x) FROM a", "42703", 'column "x" of table "b" cannot be written'),
        ("CREATE SINK s INTO b FROM a WITH (connector = 'kafka')", "42601", "takes no connector"),
        ("CREATE SINK s INTO b FROM a WITH (type = 'append-only')", "0A000", "The sink cannot be append-only"),
        ("CREATE SINK b INTO b FROM a", "42P07", 'table with name "b" exists'),
    ],
)  # fmt: skip
def test_refusals(engine: FlowUnderTest, statement: str, sqlstate: str, said: str) -> None:
    engine.ddl(
        "CREATE TABLE a (id int PRIMARY KEY, v varchar)",
        "CREATE TABLE b (id int PRIMARY KEY, v varchar)",
        "CREATE TABLE bag (id int, v varchar)",
        "CREATE MATERIALIZED VIEW v AS SELECT id FROM a",
    )
    error = _refused(engine, statement)
    assert (error.sqlstate, said in error.message) == (sqlstate, True), error.message
    assert engine.flow.catalog.by_name("s") is None


def test_drop_and_what_the_catalog_says(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id bigint PRIMARY KEY)")
    text = "CREATE SINK s INTO b AS SELECT   id FROM a -- as written"
    engine.ddl(text)
    assert engine.ddl("CREATE SINK IF NOT EXISTS s INTO b FROM a").notices == [
        'relation "s" already exists, skipping'
    ]
    assert engine.rows("SELECT name, connector, sink_type, definition FROM rw_catalog.rw_sinks") == [
        ("s", "table", "UPSERT", text)
    ]
    engine.run("INSERT INTO a VALUES (1)")
    _settled(engine)
    assert engine.rows(
        "SELECT sink_name, rows_waiting, delivered_rows, failures FROM rw_catalog.rw_sink_backlog"
    ) == [("s", 0, 1, 0)]
    assert "depend on it: s" in _refused(engine, "DROP TABLE a").message
    assert "depend on it: s" in _refused(engine, "DROP TABLE b").message
    assert _refused(engine, "CREATE MATERIALIZED VIEW v AS SELECT * FROM s").sqlstate == "42P01"
    engine.ddl("DROP SINK s", "DROP SINK IF EXISTS s", "DROP TABLE b")
    left = engine.flow.connection.execute(
        "SELECT relname FROM pg_class WHERE relname LIKE 'sink\\_log%' UNION ALL SELECT proname FROM pg_proc"
        " JOIN pg_namespace AS n ON n.oid = pronamespace WHERE nspname = 'engine' AND proname LIKE 'step%'"
    ).fetchall()
    assert left == []
    assert _refused(engine, "ALTER SINK s SET sink_rate_limit = 5").sqlstate == "42P01"


def test_explain_shows_the_operators(engine: FlowUnderTest) -> None:
    engine.ddl("CREATE TABLE a (id int PRIMARY KEY)")
    rows = engine.ddl("EXPLAIN CREATE SINK s INTO a AS SELECT count(*) AS n FROM a").rows
    assert any("Aggregate" in (row[0] or "") for row in rows)


def test_a_renamed_sink_and_renamed_inputs_go_on(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY)", "CREATE SINK s INTO b FROM a",
        "ALTER SINK s RENAME TO feeder", "ALTER TABLE a RENAME TO first",
    )  # fmt: skip
    ((name, text),) = engine.rows("SELECT name, definition FROM rw_catalog.rw_sinks")
    assert (name, "SINK feeder INTO b" in text, "first" in text) == ("feeder", True, True), text
    engine.run("INSERT INTO first VALUES (1)")
    _settled(engine)
    assert engine.rows("SELECT * FROM b") == [(1,)]
