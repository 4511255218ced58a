"""Connectors postgres and jdbc against a real server: the table there is the query's result, each row counts once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from engine.connectors import postgres_options
from engine.delivery.sink_log import SinkLog
from tailrace.errors import TailraceError
from tests.support.delivery import all_delivered, backlog, delivering, set_aside
from tests.support.flow import FlowUnderTest
from tests.support.processes import free_port, wait_until

Connection = psycopg.Connection[tuple[Any, ...]]
EVERY = (
    "id bigint PRIMARY KEY, i int, s smallint, n numeric, r real, d double precision, b boolean, v varchar, day date, "
    "t time, ts timestamp, tz timestamptz, span interval, j jsonb, raw bytea, a int[], w varchar[]"
)
ROW = (
    "(1, 7, 3, 1.50, 1.1, 1e300, true, E'it''s \\\\ {{a}}', '2026-02-03', '04:05:06.7', '2026-02-03 04:05:06', "
    "'2026-02-03 04:05:06.789+02', '1 mon 2 days 03:04:05', '{\"k\": [1, null]}', '\\x00ff', ARRAY[1,NULL], ARRAY['x,y',NULL])"
)


@pytest.fixture
def there(database: str) -> Iterator[Connection]:
    """A session in the target's database."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def _options(there: Connection, type_: str = "upsert", more: str = "", **other: object) -> str:
    info = there.info
    reached = {
        "host": conninfo_to_dict(info.dsn)["host"],
        "port": info.port,
        "user": info.user,
        "password": info.password,
        "database": info.dbname,
        "table": "t",
        "type": type_,
        **other,
    }
    listed = ", ".join(f"{name} = '{value}'" for name, value in reached.items())
    return f"WITH (connector = 'postgres', {listed}{more})"


KEYED = ", primary_key = 'id'"


def test_values_of_every_type_arrive_as_they_are(engine: FlowUnderTest, there: Connection) -> None:
    there.execute(f"CREATE TABLE t ({EVERY}, more text DEFAULT 'left alone')")
    engine.ddl(f"CREATE TABLE t ({EVERY})", f"CREATE SINK s FROM t {_options(there, more=KEYED)}")
    with delivering(engine):
        engine.settle(
            f"INSERT INTO t VALUES {ROW.replace('{{', '{').replace('}}', '}')}",
            "INSERT INTO t (id) VALUES (2)",
        )
        all_delivered(engine)
    given = engine.rows("SELECT * FROM t ORDER BY id")
    assert there.execute("SELECT * FROM t ORDER BY id").fetchall() == [(*row, "left alone") for row in given]


def test_the_table_follows_whatever_happens(engine: FlowUnderTest, there: Connection) -> None:
    there.execute("CREATE TABLE t (g int, n bigint, total bigint, PRIMARY KEY (g))")
    engine.ddl("CREATE TABLE e (id int PRIMARY KEY, g int, x int)")
    options = _options(there, more=", primary_key = 'g', max_batch_rows = '7'")
    query = "SELECT g, count(*) AS n, sum(x) AS total FROM e GROUP BY g"
    engine.ddl(f"CREATE SINK s AS {query} {options}")
    draw = random.Random(4)
    for _ in range(6):
        with delivering(engine):
            for _ in range(6):
                ids = [draw.randrange(40) for _ in range(10)]
                engine.settle(
                    *(f"INSERT INTO e VALUES ({i}, {i % 9}, {draw.randrange(100)})" for i in ids),
                    f"DELETE FROM e WHERE id % 7 = {draw.randrange(7)}",
                )
        # the delivery has been stopped in the middle of what it did
    with delivering(engine):
        all_delivered(engine)
    assert sorted(there.execute("SELECT * FROM t").fetchall()) == sorted(engine.rows(query))


@pytest.mark.parametrize("type_", ["append-only", "upsert"])
def test_a_kill_behind_the_commit_there_repeats_nothing(
    engine: FlowUnderTest, there: Connection, monkeypatch: pytest.MonkeyPatch, type_: str
) -> None:
    there.execute("CREATE TABLE t (id int" + (" PRIMARY KEY)" if type_ == "upsert" else " CHECK (id <> 3))"))
    there.execute("CREATE TABLE writes (id int)")
    there.execute(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO writes VALUES (NEW.id); RETURN NEW; END'"
    )
    there.execute("CREATE TRIGGER noted AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note()")
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY)" + (" APPEND ONLY" if type_ == "append-only" else ""),
        f"CREATE SINK s FROM t {_options(there, type_, KEYED if type_ == 'upsert' else '')}",
    )
    engine.settle("INSERT INTO t SELECT generate_series(1, 50)")
    with monkeypatch.context() as patch:  # as if the process had been killed before it noted the delivery
        patch.setattr(SinkLog, "delivered", lambda *_: 1 / 0)
        with delivering(engine):
            wait_until(lambda: there.execute("SELECT count(*) > 0 FROM t").fetchone() == (True,))
    with delivering(engine):
        engine.settle("INSERT INTO t VALUES (51)")
        all_delivered(engine)
    expected = [n for n in range(1, 52) if type_ == "upsert" or n != 3]
    assert [n for (n,) in there.execute("SELECT id FROM writes ORDER BY id").fetchall()] == expected
    assert len(set_aside(engine)) == (0 if type_ == "upsert" else 1)


def test_rows_that_the_table_does_not_take_are_set_aside(engine: FlowUnderTest, there: Connection) -> None:
    there.execute("CREATE TYPE mood AS ENUM ('calm', 'hot')")
    there.execute("CREATE TABLE t (id int PRIMARY KEY, v varchar(3) NOT NULL, u uuid, m mood, x int UNIQUE)")
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, v varchar, u varchar, m varchar, x int)",
        f"CREATE SINK s FROM t {_options(there, more=KEYED)}",
    )
    one = "'00000000-0000-0000-0000-00000000000"
    with delivering(engine):
        engine.settle(
            f"INSERT INTO t VALUES (1, 'abc', {one}1', 'calm', 1), (2, 'too long', NULL, NULL, 2), (3, NULL, NULL, NULL, 3), "
            "(4, 'x', 'no uuid', NULL, 4), (5, 'x', NULL, 'sad', 5), (6, 'y', NULL, 'hot', 6)"
        )
        engine.settle("INSERT INTO t VALUES (7, 'z', NULL, NULL, 6)")
        all_delivered(engine)
        engine.settle("DELETE FROM t WHERE id IN (1, 2)")
        all_delivered(engine)
    assert there.execute("SELECT id, v, m::text FROM t").fetchall() == [(6, "y", "hot")]
    assert sorted(state for _, _, state in set_aside(engine)) == ["22001", "22P02", "22P02", "23502", "23505"]
    assert backlog(engine)["failures"] == 0


def test_a_table_that_goes_away_is_waited_for(engine: FlowUnderTest, there: Connection) -> None:
    there.execute("CREATE TABLE t (id int PRIMARY KEY)")
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY)", f"CREATE SINK s FROM t {_options(there, more=KEYED)}")
    there.execute("DROP TABLE t")
    with delivering(engine):
        engine.settle("INSERT INTO t VALUES (1)")
        wait_until(lambda: backlog(engine)["failures"])
        assert "public.t does not exist (42P01)" in backlog(engine)["last_error"]
        there.execute("CREATE TABLE t (id int PRIMARY KEY)")
        all_delivered(engine)
    assert there.execute("SELECT id FROM t").fetchall() == [(1,)]


def test_jdbc_to_another_schema_by_a_user_who_may_not_keep_a_position(
    engine: FlowUnderTest, there: Connection
) -> None:
    there.execute('CREATE SCHEMA "My app"')
    there.execute('CREATE TABLE "My app"."Log" ("Id" int, v text)')
    there.execute("DROP ROLE IF EXISTS writer")
    there.execute("CREATE ROLE writer LOGIN PASSWORD 'p&q'")
    there.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO writer").format(sql.Identifier(there.info.dbname)))
    there.execute('GRANT USAGE ON SCHEMA "My app" TO writer')
    there.execute('GRANT INSERT, SELECT ON "My app"."Log" TO writer')
    dsn = conninfo_to_dict(there.info.dsn)
    options = (
        f"WITH (connector = 'jdbc', jdbc.url = 'jdbc:postgresql:{there.info.dbname}?user=writer&password=p%26q', "
        f"table.name = 'Log', schema.name = 'My app', type = 'append-only')"
    )
    engine.ddl('CREATE TABLE log ("Id" int, v varchar) APPEND ONLY')
    named = postgres_options._of_url
    socket = {"host": str(dsn["host"]), "port": str(there.info.port)}
    with (
        pytest.MonkeyPatch.context() as patch
    ):  # the test's server listens on a socket only, which no jdbc.url can name
        patch.setattr(postgres_options, "_of_url", lambda url: {**named(url), **socket})
        reply = engine.ddl(f"CREATE SINK s FROM log {options}")
    try:
        assert any(
            "rows may be inserted twice after a crash: writer may not keep" in n for n in reply.notices
        )
        with delivering(engine):
            engine.settle("INSERT INTO log VALUES (1, 'a')")
            all_delivered(engine)
        assert there.execute('SELECT * FROM "My app"."Log"').fetchall() == [(1, "a")]
    finally:
        engine.ddl("DROP SINK s")
        there.execute("DROP OWNED BY writer")
        there.execute("DROP ROLE writer")


@pytest.mark.parametrize(
    ("table", "options", "sqlstate", "said"),
    [
        ("u (id int PRIMARY KEY)", KEYED, "42P01", "does not exist"),
        ("t (key int PRIMARY KEY)", KEYED, "42703", "Column `id` not found"),
        (
            "t (id bigint PRIMARY KEY, v text)",
            KEYED,
            "42804",
            "has type bigint, but the sink's has type integer",
        ),
        ("t (id int, v text)", KEYED, "42601", "Primary key mismatch"),
        ("t (id int PRIMARY KEY, v text GENERATED ALWAYS AS ('x') STORED)", KEYED, "428C9", "generated"),
    ],
)
def test_what_does_not_fit_is_named(
    engine: FlowUnderTest, there: Connection, table: str, options: str, sqlstate: str, said: str
) -> None:
    there.execute(f"CREATE TABLE {table}")
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, v varchar)")
    with pytest.raises(TailraceError, match=said) as caught:
        engine.ddl(f"CREATE SINK s FROM t {_options(there, more=options)}")
    assert caught.value.sqlstate == sqlstate
    assert caught.value.hint


def test_a_database_that_cannot_be_reached_is_named(engine: FlowUnderTest, there: Connection) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, v varchar)")
    for other, said in (({"port": free_port()}, "cannot reach"), ({"user": "nobody"}, "nobody")):
        with pytest.raises(TailraceError, match=said) as caught:
            engine.ddl(f"CREATE SINK s FROM t {_options(there, more=KEYED, **other)}")
        assert caught.value.sqlstate == "08001"


def test_other_options_count_from_now_on(engine: FlowUnderTest, there: Connection) -> None:
    there.execute("CREATE TABLE t (id int PRIMARY KEY)")
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY)", f"CREATE SINK s FROM t {_options(there, more=KEYED)}")
    with delivering(engine):
        engine.settle("INSERT INTO t VALUES (1)")
        all_delivered(engine)
        engine.ddl("ALTER SINK s CONNECTOR WITH (max_batch_rows = '5', ssl_mode = 'disabled')")
        engine.settle("INSERT INTO t SELECT generate_series(2, 30)")
        all_delivered(engine)
    assert there.execute("SELECT count(*) FROM t").fetchone() == (30,)
    ((text,),) = engine.rows("SELECT definition FROM rw_catalog.rw_sinks WHERE name = 's'")
    assert "max_batch_rows = '5'" in text
    with pytest.raises(TailraceError, match="Field 'table' is not allowed to be altered"):
        engine.ddl("ALTER SINK s CONNECTOR WITH (table = 'other')")
    with pytest.raises(TailraceError, match="cannot reach"):
        engine.ddl(f"ALTER SINK s CONNECTOR WITH (port = '{free_port()}')")
