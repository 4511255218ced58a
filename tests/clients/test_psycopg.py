"""psycopg, synchronous and asynchronous, with its defaults and without."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from psycopg import errors
from psycopg.pq import TransactionStatus

from tests.clients.relay import FakeFlow, Relay


def test_greeting(client: psycopg.Connection) -> None:
    info = client.info
    assert info.parameter_status("server_version") == "13.14.0"
    assert info.parameter_status("TimeZone") == "UTC"
    assert info.parameter_status("client_encoding") == "UTF8"
    assert client.execute("SELECT version()").fetchone()[0].startswith("PostgreSQL 13.14.0-RisingWave-")
    assert client.execute("SHOW server_version").fetchone() == ("13.14.0",)


def test_default_connection_writes_without_a_transaction(catalog: Relay) -> None:
    with psycopg.connect(catalog.url) as connection:
        connection.execute("INSERT INTO devices VALUES (%s, %s)", ("a", 1.5))
        assert connection.info.transaction_status == TransactionStatus.IDLE
        with psycopg.connect(catalog.url) as other:
            assert other.execute("SELECT * FROM devices").fetchall() == [("a", 1.5)]
        connection.rollback()
        connection.commit()
        with connection.transaction():
            connection.execute("INSERT INTO devices VALUES ('b', 2)")
        with pytest.raises(ZeroDivisionError), connection.transaction():
            connection.execute("INSERT INTO devices VALUES ('c', 3)")
            raise ZeroDivisionError
        assert connection.execute("SELECT count(*) FROM devices").fetchone() == (3,)


def test_read_write_transactions_start_nothing_and_say_so(client: psycopg.Connection) -> None:
    notices: list[str] = []
    client.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
    assert client.execute("BEGIN").statusmessage == "BEGIN"
    assert client.info.transaction_status == TransactionStatus.IDLE
    assert client.execute("COMMIT").statusmessage == "COMMIT"
    assert client.execute("ROLLBACK").statusmessage == "ROLLBACK"
    assert "Read-write transaction is not supported" in notices[0]
    assert notices[1:] == ["there is no transaction in progress"] * 2


@pytest.mark.parametrize(
    "begin", ["BEGIN READ ONLY", "START TRANSACTION ISOLATION LEVEL READ COMMITTED READ ONLY"]
)
def test_read_only_transactions_are_real_and_see_one_snapshot(catalog: Relay, begin: str) -> None:
    with psycopg.connect(catalog.url, autocommit=True) as connection:
        connection.execute(begin)
        assert connection.info.transaction_status == TransactionStatus.INTRANS
        assert connection.execute("SELECT count(*) FROM devices").fetchone() == (0,)
        with psycopg.connect(catalog.url, autocommit=True) as other:
            other.execute("INSERT INTO devices VALUES ('a', 1)")
        assert connection.execute("SELECT count(*) FROM devices").fetchone() == (0,)
        with pytest.raises(errors.ReadOnlySqlTransaction):
            connection.execute("CREATE TABLE t (a int)")
        with pytest.raises(errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM devices")
        assert connection.execute("SELECT count(*) FROM devices").fetchone() == (0,)  # neither ends it
        with pytest.raises(errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
        with pytest.raises(errors.InFailedSqlTransaction):
            connection.execute("SHOW TABLES")
        assert connection.execute("COMMIT").statusmessage == "ROLLBACK"
        assert connection.info.transaction_status == TransactionStatus.IDLE
        assert connection.execute("SELECT count(*) FROM devices").fetchone() == (1,)
    assert not catalog.flow.requests


def test_server_side_cursor_in_a_read_only_transaction(catalog: Relay) -> None:
    with psycopg.connect(catalog.url) as connection:
        connection.read_only = True
        with connection.cursor("c") as cursor:
            cursor.execute("SELECT n FROM generate_series(1, 100) AS n")
            assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
            assert len(cursor.fetchall()) == 97


@pytest.mark.parametrize("binary", [False, True])
def test_commands_and_queries_with_parameters(catalog: Relay, binary: bool) -> None:
    with (
        psycopg.connect(catalog.url, autocommit=True) as connection,
        connection.cursor(binary=binary) as cursor,
    ):
        assert cursor.execute("SHOW TABLES").fetchall() == [("public.devices",)]
        assert cursor.statusmessage == "SHOW_COMMAND"
        assert cursor.execute("SHOW SOURCES LIKE 'read%'").fetchall() == [("public.readings_raw",)]
        assert cursor.execute("SHOW MATERIALIZED VIEWS FROM public").fetchall() == [("public.latest",)]
        assert cursor.execute("SHOW VIEWS LIKE 'x%'").fetchall() == []
        assert cursor.execute("SHOW JOBS").fetchall() == []
        assert [column.name for column in cursor.description] == [
            "Id",
            "Statement",
            "Create Type",
            "Progress",
        ]
        assert cursor.execute("SHOW INDEXES FROM devices").fetchall() == [
            ("devices_by_reading", "devices", "reading", "", "reading")
        ]
        assert cursor.execute("SHOW CREATE SOURCE readings_raw").fetchall() == [
            ("public.readings_raw", "CREATE SOURCE readings_raw...")
        ]
        assert cursor.execute("DESCRIBE devices").fetchall() == [
            ("device_id", "character varying", "false", None),
            ("reading", "double precision", "false", None),
            ("_row_id", "serial", "true", None),
            ("_rw_timestamp", "timestamp with time zone", "true", None),
            ("primary key", "device_id", None, None),
            ("distribution key", "device_id", None, None),
            ("devices_by_reading", "index(reading) distributed by(reading)", None, None),
            ("table description", "devices", None, None),
        ]
        assert len(cursor.execute("SHOW COLUMNS FROM public.latest").fetchall()) == 4
        with pytest.raises(errors.UndefinedTable, match="table, source, sink or view not found: nothing"):
            cursor.execute("DESCRIBE nothing")
        assert cursor.execute("SELECT %s::int + 1, %s", (41, None)).fetchone() == (42, None)


def test_prepared_statements(catalog: Relay) -> None:
    with psycopg.connect(catalog.url, autocommit=True, prepare_threshold=0) as connection:
        for number in range(4):
            assert connection.execute("SELECT %s::int", (number,)).fetchone() == (number,)
            assert connection.execute("SHOW TABLES").fetchall() == [("public.devices",)]
            connection.execute("CREATE TABLE t (a int)")
        connection.execute("DEALLOCATE ALL")
        connection.execute("DISCARD ALL")
        assert connection.execute("SELECT 1", prepare=False).fetchone() == (1,)
    assert [request["sql"] for request in catalog.flow.requests] == ["CREATE TABLE t (a int)"] * 4


def test_pipeline_keeps_the_order_of_queries_and_commands(catalog: Relay) -> None:
    with psycopg.connect(catalog.url, autocommit=True) as connection, connection.pipeline() as pipeline:
        cursors = []
        for number in range(20):
            cursors.append(connection.execute("SELECT %s::int", (number,)))
            cursors.append(connection.execute("SHOW VIEWS"))
            if number == 7:
                pipeline.sync()
        table = connection.execute("CREATE TABLE t (a int)")
        assert [cursor.fetchone() for cursor in cursors] == [
            row for number in range(20) for row in ((number,), ("public.hot",))
        ]
        assert table.statusmessage == "CREATE_TABLE"


@pytest.mark.parametrize("wrong", ["SELECT 1/0", "TRUNCATE devices", "DESCRIBE nothing", "SELECT nonsense"])
def test_error_in_a_pipeline_skips_up_to_sync(catalog: Relay, wrong: str) -> None:
    with psycopg.connect(catalog.url, autocommit=True) as connection:
        with pytest.raises(psycopg.Error), connection.pipeline() as pipeline:
            before = connection.execute("SHOW VIEWS")
            connection.execute(wrong)
            connection.execute("CREATE TABLE skipped (a int)")
            connection.execute("SELECT 1")
            pipeline.sync()
        assert before.fetchone() == ("public.hot",)
        assert connection.execute("SELECT 2").fetchone() == (2,)
        assert connection.execute("SHOW VIEWS").fetchone() == ("public.hot",)
    assert not catalog.flow.requests


def test_errors_of_both_sides_arrive_whole(catalog: Relay, flow: FakeFlow) -> None:
    flow.on(
        "CREATE SINK",
        {
            "error": {
                "sqlstate": "0A000",
                "message": "CREATE SINK is not supported",
                "detail": "d",
                "hint": "later",
            }
        },
    )
    with psycopg.connect(catalog.url, autocommit=True) as connection:
        with pytest.raises(errors.FeatureNotSupported) as caught:
            connection.execute("CREATE SINK s FROM latest")
        assert (caught.value.diag.message_hint, caught.value.diag.message_detail) == ("later", "d")
        with pytest.raises(errors.UndefinedColumn) as caught:
            connection.execute("SELECT nonsense")
        assert caught.value.diag.statement_position == "8"
        with pytest.raises(errors.FeatureNotSupported, match="TRUNCATE") as caught:
            connection.execute("TRUNCATE devices")
        assert "DELETE" in caught.value.diag.message_hint
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM engine.storage")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("SELECT 1 AS a INTO stolen")


def test_copy_out(catalog: Relay) -> None:
    with psycopg.connect(catalog.url, autocommit=True) as connection:
        connection.execute("INSERT INTO devices VALUES ('a', 1), ('b', NULL)")
        with connection.cursor().copy("COPY devices (reading, device_id) TO STDOUT") as copy:
            assert list(copy.rows()) == [("1", "a"), (None, "b")]
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_settings(relay: Relay) -> None:
    options = "-c query_mode=local -c timezone=Europe/Paris"
    with psycopg.connect(relay.url, autocommit=True, options=options) as connection:

        def show(name: str) -> str:
            return connection.execute(f"SHOW {name}").fetchone()[0]

        assert (show("query_mode"), show("timezone")) == ("local", "Europe/Paris")
        assert connection.execute("SET timezone = 'Asia/Tokyo'").statusmessage == "SET_VARIABLE"
        connection.execute("SET query_mode TO distributed")
        assert (show("query_mode"), show("TIME ZONE")) == ("distributed", "Asia/Tokyo")
        assert connection.info.parameter_status("TimeZone") == "Asia/Tokyo"
        connection.execute('SET search_path TO "My schema", public')
        assert show("search_path") == '"My schema", public'
        connection.execute("RESET ALL")
        assert (show("query_mode"), show("timezone")) == ("local", "Europe/Paris")
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        assert show("idle_in_transaction_session_timeout") == "30000"
        rows = {name: value for name, value, _ in connection.execute("SHOW ALL").fetchall()}
        assert rows["rw_implicit_flush"] == "false"
        assert rows["timezone"] == "Europe/Paris"
        for sql, error in {
            "SET nonsense = 1": errors.UndefinedObject,
            "SET rw_implicit_flush = 'perhaps'": errors.InvalidParameterValue,
            "SET timezone = 'Nowhere/Land'": errors.InvalidParameterValue,
            "SHOW nonsense": errors.UndefinedObject,
        }.items():
            with pytest.raises(error):
                connection.execute(sql)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("user=nobody", 'role "nobody" does not exist'),
        ("user=tailrace_engine", 'role "tailrace_engine" does not exist'),
        ("dbname=nowhere", 'database "nowhere" does not exist'),
        ("dbname=postgres", 'database "postgres" does not exist'),
        ("options='-c nonsense=1'", "unrecognized configuration parameter"),
    ],
)
def test_refused_connections(relay: Relay, parameters: str, words: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=words):
        psycopg.connect(f"host=127.0.0.1 port={relay.port} user=root dbname={relay.database} {parameters}")


def test_asynchronous_clients_side_by_side(catalog: Relay) -> None:
    async def work(number: int) -> int:
        connection = await psycopg.AsyncConnection.connect(catalog.url, autocommit=True)
        async with connection:
            for _ in range(5):
                cursor = await connection.execute("SELECT %s::int + count(*) FROM devices", (number,))
                assert await cursor.fetchone() == (number,)
                await connection.execute("CREATE TABLE t (a int)")
        return number

    async def everyone() -> list[int]:
        return await asyncio.gather(*(work(number) for number in range(8)))

    assert asyncio.run(everyone()) == list(range(8))
    assert len(catalog.flow.requests) == 40


def test_large_results_and_large_statements(catalog: Relay) -> None:
    with psycopg.connect(catalog.url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT n, repeat('x', n % 200) FROM generate_series(1, 100000) AS n"
        ).fetchall()
        assert len(rows) == 100_000
        assert rows[-1] == (100_000, "")
        assert len(connection.execute("SELECT repeat('y', 20000000)").fetchone()[0]) == 20_000_000
        text = "z" * 5_000_000
        assert connection.execute("SELECT %s", (text,)).fetchone() == (text,)
        assert connection.execute(f"SELECT length('{text};')").fetchone() == (5_000_001,)


def test_a_role_that_may_only_read(catalog: Relay) -> None:
    url = catalog.url.replace("root@", "dashboard@")
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM devices").fetchone() == (0,)
        assert connection.execute("SHOW TABLES").fetchall() == [("public.devices",)]
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("INSERT INTO devices VALUES ('a', 1)")
        with pytest.raises(errors.InsufficientPrivilege, match="may only read"):
            connection.execute("DROP TABLE devices")
    assert not catalog.flow.requests


def test_names_that_begin_with_the_database(catalog: Relay, flow: FakeFlow) -> None:
    with psycopg.connect(catalog.url, autocommit=True) as connection:
        name = f'"{catalog.database}"."public"."devices"'
        connection.execute(f"INSERT INTO {name} VALUES ('own', 1)")
        assert connection.execute(f"SELECT device_id FROM {name}").fetchall() == [("own",)]
        connection.execute(f"CREATE VIEW {catalog.database}.public.v AS SELECT * FROM {name}")
        assert flow.requests[-1]["sql"] == 'CREATE VIEW public.v AS SELECT * FROM "public"."devices"'
        connection.execute("DROP VIEW other.public.v")
        assert flow.requests[-1]["sql"] == "DROP VIEW other.public.v"


def test_what_pools_and_adapters_say(catalog: Relay) -> None:
    with psycopg.connect(catalog.url, autocommit=True) as connection:
        for statement in ("UNLISTEN *", "CLOSE ALL", "RESET ALL", "SELECT pg_advisory_unlock_all()"):
            connection.execute(statement)
        visible = "SELECT name FROM rw_catalog.rw_relations AS r WHERE pg_table_is_visible(r.id) AND r.name = 'devices'"
        assert connection.execute(visible).fetchall() == [("devices",)]
        ambiguous = (
            "SELECT r.name, s.name AS schema FROM rw_relations AS r JOIN rw_schemas AS s ON s.id = r.schema_id "
            "WHERE r.name = 'devices' GROUP BY name, schema"
        )
        assert connection.execute(ambiguous).fetchall() == [("devices", "public")]
