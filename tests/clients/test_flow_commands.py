"""Commands for the flow: what it is told, what the client is told, and what happens when it is not there."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from tests.clients.relay import FakeFlow, Relay, running_relay
from tests.support.postgres import PostgresServer


def test_request_and_reply(relay: Relay, flow: FakeFlow) -> None:
    notices: list[str] = []
    flow.on(
        "CREATE MATERIALIZED VIEW",
        {"tag": "CREATE_MATERIALIZED_VIEW", "rows": [], "notices": ["slow: O(state)"]},
    )
    with psycopg.connect(relay.url, autocommit=True) as connection:
        connection.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
        connection.execute("SET streaming_parallelism = 2")
        result = connection.execute("CREATE MATERIALIZED VIEW v AS SELECT ';' AS a;")
        assert result.statusmessage == "CREATE_MATERIALIZED_VIEW"
        assert connection.execute("FLUSH").statusmessage == "FLUSH"
    assert notices == ["slow: O(state)"]
    request = flow.requests[0]
    assert request["sql"] == "CREATE MATERIALIZED VIEW v AS SELECT ';' AS a"
    assert (request["op"], request["user"], request["database"]) == ("execute", "root", relay.database)
    assert request["settings"]["streaming_parallelism"] == "2"
    assert request["settings"]["rw_implicit_flush"] == "false"
    assert flow.requests[1] == {"op": "flush"}


def test_rows_come_in_both_protocols(client: psycopg.Connection, flow: FakeFlow) -> None:
    columns = [{"name": "QUERY PLAN", "type_oid": 25}]
    flow.on("EXPLAIN", {"tag": "EXPLAIN", "columns": columns, "rows": [["Project"], [None]], "notices": []})
    sql = "EXPLAIN CREATE MATERIALIZED VIEW v AS SELECT 1"
    assert client.execute(sql).fetchall() == [("Project",), (None,)]
    result = client.pgconn.exec_(sql.encode())
    assert (result.ntuples, result.fname(0), result.get_value(0, 0)) == (2, b"QUERY PLAN", b"Project")


def test_statements_of_a_string_run_one_by_one_up_to_the_first_error(catalog: Relay) -> None:
    with psycopg.connect(catalog.url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO devices VALUES ('a;', 1); CREATE TABLE t (a int); SELECT 3; SHOW VIEWS; -- end"
        )
        tags = [cursor.statusmessage]
        while cursor.nextset():
            tags.append(cursor.statusmessage)
        assert tags == ["INSERT 0 1", "CREATE_TABLE", "SELECT 1", "SHOW_COMMAND"]
        with pytest.raises(errors.UndefinedColumn):
            cursor.execute("INSERT INTO devices VALUES ('b', 1); SELECT nonsense; CREATE TABLE u (a int)")
        assert cursor.execute("SELECT count(*) FROM devices").fetchone() == (
            2,
        )  # as in RisingWave: no transaction
    assert [request["sql"] for request in catalog.flow.requests] == ["CREATE TABLE t (a int)"]


@pytest.mark.parametrize("pipelined", [False, True])
def test_implicit_flush_holds_the_answer_to_a_write(catalog: Relay, flow: FakeFlow, pipelined: bool) -> None:
    seen: list[int] = []
    dsn = catalog.url

    def count(_request: dict[str, Any]) -> dict[str, Any]:
        with psycopg.connect(dsn) as other:
            seen.append(other.execute("SELECT count(*) FROM devices").fetchone()[0])
        return {"tag": "FLUSH"}

    flow.on("FLUSH", count)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO devices VALUES ('before', 1)")
        connection.execute("SET RW_IMPLICIT_FLUSH = true")
        connection.execute("SELECT 1")
        assert seen == []
        if pipelined:
            with connection.pipeline():
                connection.execute("INSERT INTO devices VALUES ('a', 1)")
                connection.execute("SELECT 1")
        else:
            connection.pgconn.exec_(b"INSERT INTO devices VALUES ('a', 1)")
        assert seen == [2]
        connection.execute("UPDATE devices SET reading = 2")
        assert seen == [2, 2]
        connection.execute("SET rw_implicit_flush TO DEFAULT")
        connection.execute("DELETE FROM devices")
        assert len(seen) == 2


def test_flow_that_breaks_off_is_reported_as_unknown(client: psycopg.Connection, flow: FakeFlow) -> None:
    flow.on("CREATE TABLE", lambda _request: None)
    with pytest.raises(errors.StatementCompletionUnknown) as caught:
        client.execute("CREATE TABLE t (a int)")
    assert "SHOW JOBS" in caught.value.diag.message_hint
    assert client.execute("CREATE VIEW v AS SELECT 1").statusmessage == "CREATE_VIEW"


def test_flush_is_repeated_when_the_flow_breaks_off(client: psycopg.Connection, flow: FakeFlow) -> None:
    answers = iter([None, {"tag": "FLUSH"}])
    flow.on("FLUSH", lambda _request: next(answers))
    assert client.execute("FLUSH").statusmessage == "FLUSH"
    assert len(flow.requests) == 2


def test_flow_that_restarts_is_waited_for(relay: Relay, client: psycopg.Connection) -> None:
    client.execute("CREATE TABLE a (a int)")
    relay.run(relay.flow.stop())
    timer = threading.Timer(0.5, lambda: relay.run(relay.flow.start()))
    timer.start()
    assert client.execute("CREATE TABLE b (a int)").statusmessage == "CREATE_TABLE"
    timer.join()


def test_servers_that_stay_away_give_clear_errors(
    postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    name = str(conninfo_to_dict(database)["dbname"])
    layout = postgres.layout
    with (
        running_relay(
            layout.postgres_endpoint(), layout.client_password(), name, tmp_path, retry_s=0.3
        ) as relay,
        psycopg.connect(relay.url, autocommit=True) as connection,
    ):
        relay.run(relay.flow.stop())
        with pytest.raises(errors.CannotConnectNow, match="stream engine is not running"):
            connection.execute("FLUSH")
        assert connection.execute("SELECT 1").fetchone() == (1,)
        relay.run(relay.flow.start())
    with (
        running_relay(str(tmp_path / "nothing"), "x", name, tmp_path, retry_s=0.3) as relay,
        pytest.raises(psycopg.OperationalError, match="database is not running"),
    ):
        psycopg.connect(relay.url)


def test_cancel_reaches_a_waiting_command(client: psycopg.Connection, flow: FakeFlow) -> None:
    reached, release = threading.Event(), threading.Event()

    def wait(_request: dict[str, Any]) -> dict[str, Any]:
        reached.set()
        release.wait(20)
        return {"tag": "CREATE_TABLE"}

    flow.on("CREATE TABLE", wait)
    canceller = threading.Thread(target=lambda: reached.wait(20) and client.cancel_safe(timeout=10))
    canceller.start()
    with pytest.raises(errors.QueryCanceled):
        client.execute("CREATE TABLE t (a int)")
    canceller.join()
    release.set()
    assert client.execute("SELECT 1").fetchone() == (1,)


def test_cancel_reaches_postgresql(client: psycopg.Connection) -> None:
    timer = threading.Timer(0.3, lambda: client.cancel_safe(timeout=10))
    timer.start()
    started = time.monotonic()
    with pytest.raises(errors.QueryCanceled):
        client.execute("SELECT pg_sleep(20)")
    assert time.monotonic() - started < 10
    assert client.execute("SELECT 1").fetchone() == (1,)
    timer.join()


def test_postgresql_session_that_dies_is_announced(
    relay: Relay, client: psycopg.Connection, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as superuser:
        pid = client.execute("SELECT pg_backend_pid()").fetchone()[0]
        superuser.execute("SELECT pg_terminate_backend(%s)", (pid,))
    with pytest.raises(errors.AdminShutdown):
        client.execute("SELECT 1")
    with psycopg.connect(relay.url) as again:
        assert again.execute("SELECT 1").fetchone() == (1,)


def test_clients_are_told_when_the_front_door_closes(relay: Relay, client: psycopg.Connection) -> None:
    relay.run(relay.server.stop())
    with pytest.raises(psycopg.OperationalError, match="shutting down"):
        client.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(relay.url)


def test_postgresql_that_comes_late_is_waited_for(
    postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    name = str(conninfo_to_dict(database)["dbname"])
    layout = postgres.layout
    socket_path = tmp_path / ".s.PGSQL.5432"
    timer = threading.Timer(0.5, lambda: socket_path.symlink_to(str(layout.postgres_endpoint())))
    with running_relay(str(socket_path), layout.client_password(), name, tmp_path) as relay:
        timer.start()
        with psycopg.connect(relay.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    timer.join()


def test_sessions_have_time_limits(client: psycopg.Connection) -> None:
    names = ("idle_in_transaction_session_timeout", "transaction_timeout", "statement_timeout")
    values = [client.execute("SELECT current_setting(%s)", (name,)).fetchone()[0] for name in names]
    assert values == ["30s", "32s", "30s"]
