"""Sinks end to end: an engine, the embedded broker, files; both sides killed and brought back."""

from __future__ import annotations

import json
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from confluent_kafka import TopicPartition
from psycopg.conninfo import conninfo_to_dict

from tailrace.config import Topic
from tailrace.topics import create_topics
from tailrace.verify.recount import open_consumer, partitions_of
from tests.support.broker import BrokerProcess
from tests.support.endpoint import endpoint
from tests.support.engine import EngineServer, running_engine
from tests.support.processes import free_port, wait_until
from tests.support.valkey import running_valkey

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    with running_engine(tmp_path_factory.mktemp("delivery") / "state") as running:
        yield running


@pytest.fixture
def client(server: EngineServer) -> Iterator[Connection]:
    """A client whose tables and sinks are dropped afterwards."""
    with connected(server) as connection:
        yield connection
        for (name,) in connection.execute("SELECT name FROM rw_catalog.rw_tables").fetchall():
            connection.execute(f"DROP TABLE {name} CASCADE")


@contextmanager
def connected(server: EngineServer) -> Iterator[Connection]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("SET RW_IMPLICIT_FLUSH TO true")
        yield connection


class Topics:
    """A topic of its own, read from the start again and again."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap, self.name = bootstrap, f"sunk.{uuid.uuid4().hex[:8]}"
        create_topics(bootstrap, [Topic(self.name, 2)])

    def options(self, more: str = "") -> str:
        return f"WITH (connector = 'kafka', topic = '{self.name}', properties.bootstrap.server = '{self.bootstrap}'{more})"

    def keyed(self, column: str) -> str:
        return self.options(f", primary_key = '{column}'")

    def messages(self) -> list[tuple[bytes | None, bytes | None]]:
        """Everything in the topic, partition by partition in order."""
        consumer = open_consumer(self.bootstrap, "test", **{"enable.partition.eof": True})
        found: list[tuple[bytes | None, bytes | None]] = []
        try:
            open_ = set(partitions_of(consumer, self.name))
            consumer.assign([TopicPartition(self.name, number, 0) for number in open_])
            while open_:
                message = consumer.poll(5)
                assert message is not None
                if message.error() is None:
                    found.append((message.key(), message.value()))
                else:
                    open_.discard(message.partition())
        finally:
            consumer.close()
        return found

    def latest(self) -> dict[Any, Any]:
        """By key, the last value; tombstones take the key away."""
        state: dict[Any, Any] = {}
        for key, value in self.messages():
            if value is None:
                state.pop(key, None)
            else:
                state[key] = json.loads(value)
        return state


def _delivered(client: Connection, sink: str) -> bool:
    query = "SELECT rows_waiting, failures FROM rw_catalog.rw_sink_backlog WHERE sink_name = %s"
    return client.execute(query, (sink,)).fetchone() == (0, 0)


def _backlog(client: Connection, sink: str) -> tuple[Any, ...]:
    row = client.execute(
        "SELECT rows_waiting, waiting_since, delivered_rows, failures, last_error FROM rw_catalog.rw_sink_backlog "
        "WHERE sink_name = %s",
        (sink,),
    ).fetchone()
    assert row is not None
    return row


def test_upsert_delivers_rows_and_tombstones(client: Connection, broker: str) -> None:
    topic = Topics(broker)
    client.execute("CREATE TABLE t (id int PRIMARY KEY, v varchar, n numeric)")
    client.execute("INSERT INTO t VALUES (1, 'before', 1.5), (2, 'before', NULL)")
    client.execute(f"CREATE SINK s FROM t {topic.keyed('id')} FORMAT UPSERT ENCODE JSON KEY ENCODE TEXT")
    client.execute("UPDATE t SET v = 'after' WHERE id = 1")
    client.execute("DELETE FROM t WHERE id = 2")
    client.execute("INSERT INTO t VALUES (3, 'new', 2)")
    wait_until(lambda: _delivered(client, "s"))
    assert topic.latest() == {
        b"1": {"id": 1, "v": "after", "n": "1.5"},
        b"3": {"id": 3, "v": "new", "n": "2"},
    }
    by_key: dict[bytes | None, list[bytes | None]] = {}
    for key, value in topic.messages():
        by_key.setdefault(key, []).append(value)
    assert [value is None for value in by_key[b"2"]] == [False, True]
    assert _backlog(client, "s")[:3] == (0, None, 6)


def test_a_large_snapshot_is_filled_by_a_job_and_delivered_whole(client: Connection, broker: str) -> None:
    topic = Topics(broker)
    client.execute("CREATE TABLE t (id int PRIMARY KEY, v int)")
    client.execute("INSERT INTO t SELECT i, 0 FROM generate_series(1, 8000) AS i")
    query = "SELECT v, count(*) AS n, sum(id) AS ids FROM t GROUP BY v"
    client.execute(f"CREATE SINK s FROM t {topic.keyed('id')} FORMAT UPSERT ENCODE JSON")
    client.execute("CREATE TABLE sums (v int PRIMARY KEY, n bigint, ids bigint)")
    client.execute(f"CREATE SINK i INTO sums AS {query}")
    client.execute("UPDATE t SET v = 1 WHERE id <= 10")
    wait_until(lambda: _delivered(client, "s") and _delivered(client, "i"), 40)
    latest = topic.latest()
    assert (len(latest), sum(row["v"] for row in latest.values())) == (8000, 10)
    assert (
        client.execute("SELECT * FROM sums ORDER BY v").fetchall()
        == client.execute(f"{query} ORDER BY v").fetchall()
    )


def test_an_aggregate_is_delivered_as_debezium(client: Connection, broker: str) -> None:
    topic = Topics(broker)
    client.execute("CREATE TABLE t (id int PRIMARY KEY, g varchar)")
    query = "SELECT g, count(*) AS n FROM t GROUP BY g"
    client.execute(f"CREATE SINK s AS {query} {topic.keyed('g')} FORMAT DEBEZIUM ENCODE JSON")
    for statement in ("INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (2, 'a')", "DELETE FROM t"):
        client.execute(statement)
    wait_until(lambda: _delivered(client, "s"))
    payloads = [value and json.loads(value)["payload"] for _, value in topic.messages()]
    assert [p and (p["op"], p["before"], p["after"]) for p in payloads] == [
        ("c", None, {"g": "a", "n": 1}),
        ("u", {"g": "a", "n": 1}, {"g": "a", "n": 2}),
        ("d", {"g": "a", "n": 2}, None),
        None,
    ]


_READ_BACK = {
    "UPSERT": ("k bytea, PRIMARY KEY (k)", "INCLUDE KEY AS k", "(jsonb.handling.mode = 'dynamic')"),
    "DEBEZIUM": ("day date, raw bytea, PRIMARY KEY (id)", "", ""),
}
"""By format: the columns that it has besides those that both carry over, and what a table over it and a sink to it say."""


def test_a_topic_that_a_sink_writes_is_read_back_as_a_table(
    server: EngineServer, client: Connection, broker: str
) -> None:
    columns = "id int, v varchar, n numeric, d double precision, at timestamptz, ts timestamp, ok boolean, big bigint, j jsonb"
    client.execute(f"CREATE TABLE t ({columns}, day date, raw bytea, PRIMARY KEY (id))")
    client.execute(_ROWS, {"from": 1, "to": 40})
    for format_, (more, include, options) in _READ_BACK.items():
        topic = Topics(broker)
        client.execute(
            f"CREATE SINK to_{format_} FROM t {topic.keyed('id')} FORMAT {format_} ENCODE JSON {options}"
        )
        listed = more.replace("k bytea, ", "")
        made = f"CREATE TABLE back_{format_} ({columns}, {listed}) {include} {topic.options()} FORMAT {format_} ENCODE JSON"
        client.execute(made)
    client.execute(
        "CREATE MATERIALIZED VIEW totals AS SELECT ok, count(*) AS c, sum(n) AS s FROM back_upsert GROUP BY ok"
    )
    names = "id, v, n, d, at, ts, ok, big, j"
    for round_, step in enumerate((41, 61, 81)):
        if round_ == 2:
            pid = server.pid("flow")
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: server.pid("flow") not in (None, pid), 30)
        with psycopg.connect(server.url, autocommit=True) as writer:
            writer.execute(_ROWS, {"from": step - 20, "to": step + 10})
            writer.execute("DELETE FROM t WHERE mod(id, 3) = %s", (round_,))
            writer.execute(_ROWS, {"from": 5, "to": 8})
    with connected(server) as reader:
        expected = reader.execute(f"SELECT {names}, day, raw FROM t ORDER BY id").fetchall()
        assert len(expected) > 20
        wait_until(
            lambda: reader.execute("SELECT * FROM back_debezium ORDER BY id").fetchall() == expected, 30
        )
        short = [row[:-2] for row in expected]
        wait_until(
            lambda: reader.execute(f"SELECT {names} FROM back_upsert ORDER BY id").fetchall() == short, 30
        )
        reader.execute("FLUSH")
        totals = "SELECT ok, count(*), sum(n) FROM t GROUP BY ok ORDER BY ok"
        assert (
            reader.execute("SELECT * FROM totals ORDER BY ok").fetchall() == reader.execute(totals).fetchall()
        )
        shown = reader.execute("SHOW CREATE TABLE back_debezium").fetchone()
        assert shown is not None
        assert shown[1].endswith("FORMAT DEBEZIUM ENCODE JSON")
        reader.execute("DROP TABLE back_debezium")
        reader.execute(shown[1])
        wait_until(
            lambda: reader.execute("SELECT * FROM back_debezium ORDER BY id").fetchall() == expected, 30
        )


_ROWS = """
INSERT INTO t SELECT i, CASE WHEN i %% 7 > 0 THEN 'é ' || random()::text END, (random() * 1000)::numeric, random(),
    '2026-01-01 00:00:00.123456+00'::timestamptz + interval '1 hour' * i, '2026-01-01 12:00:00.25'::timestamp, i %% 2 = 0,
    i * 10000000000, jsonb_build_object('a', i, 'b', '[1, "x"]'::jsonb), '2026-02-03'::date + i, decode('00ff', 'hex')
FROM generate_series(%(from)s::int, %(to)s::int) AS g (i)
"""


def test_append_only_without_a_snapshot(client: Connection, broker: str) -> None:
    topic = Topics(broker)
    client.execute("CREATE TABLE log (id int) APPEND ONLY")
    client.execute("INSERT INTO log VALUES (1)")
    client.execute(f"CREATE SINK s FROM log {topic.options(', snapshot = false')} FORMAT PLAIN ENCODE JSON")
    client.execute("INSERT INTO log VALUES (2), (2)")
    wait_until(lambda: _delivered(client, "s"))
    assert topic.messages() == [(None, b'{"id":2}')] * 2


def test_files_are_whole_and_hold_each_row_once(client: Connection, tmp_path: Path) -> None:
    client.execute("CREATE TABLE log (id int, at timestamptz, day date, n numeric) APPEND ONLY")
    for encode in ("json", "parquet"):
        client.execute(
            f"CREATE SINK s_{encode} FROM log WITH (connector = 'fs', fs.path = '{tmp_path / encode}', rollover_seconds = 1,"
            f" max_row_count = 4) FORMAT PLAIN ENCODE {encode}"
        )
    client.execute(
        "INSERT INTO log SELECT i, '2026-01-01 00:00:00.5+00', '2026-01-02', i + 0.5 FROM generate_series(1, 10) AS i"
    )
    wait_until(
        lambda: _delivered(client, "s_json") and _delivered(client, "s_parquet"), 40
    )  # pyarrow loads pandas
    files = sorted((tmp_path / "json").iterdir())
    assert [len(f.read_text().splitlines()) for f in files] == [4, 4, 2]
    assert all(f.suffix == ".json" for f in files)
    rows = [json.loads(line) for f in files for line in f.read_text().splitlines()]
    assert sorted(row["id"] for row in rows) == list(range(1, 11))
    assert rows[0]["at"] == "2026-01-01T00:00:00.500000Z"
    table = [row for f in sorted((tmp_path / "parquet").iterdir()) for row in pq.read_table(f).to_pylist()]
    assert sorted(row["id"] for row in table) == list(range(1, 11))
    assert (table[0]["at"].isoformat(), table[0]["day"].isoformat()) == (
        "2026-01-01T00:00:00.500000+00:00",
        "2026-01-02",
    )
    assert {row["n"] for row in table} == {f"{i}.5" for i in range(1, 11)}


def test_a_dead_broker_holds_up_nothing_and_gets_everything_later(
    client: Connection, broker: str, tmp_path: Path
) -> None:
    alive = Topics(broker)
    with BrokerProcess(tmp_path) as other:
        topic = Topics(other.bootstrap)
        client.execute("CREATE TABLE t (id int PRIMARY KEY, v int)")
        client.execute(f"CREATE SINK dead FROM t {topic.keyed('id')} FORMAT UPSERT ENCODE JSON")
        client.execute(f"CREATE SINK fine FROM t {alive.keyed('id')} FORMAT UPSERT ENCODE JSON")
        client.execute("INSERT INTO t VALUES (1, 1)")
        wait_until(lambda: _delivered(client, "dead"))
        other.kill()
        client.execute("INSERT INTO t SELECT i, i FROM generate_series(2, 50) AS i")
        wait_until(lambda: _backlog(client, "dead")[3] > 0, 20)
        waiting, since, delivered, _, error = _backlog(client, "dead")
        assert (waiting, delivered) == (49, 1)
        assert since is not None
        assert topic.name in error and other.bootstrap in error
        wait_until(lambda: _delivered(client, "fine"))
        assert len(alive.latest()) == 50
        other.start()
        wait_until(lambda: _delivered(client, "dead"), 30)
        assert len(topic.latest()) == 50
        client.execute("DROP SINK dead")


def test_a_topic_that_is_missing_is_named(client: Connection, broker: str) -> None:
    client.execute("CREATE TABLE t (id int PRIMARY KEY)")
    with pytest.raises(psycopg.Error, match="topic nowhere does not exist"):
        client.execute(
            f"CREATE SINK s FROM t WITH (connector = 'kafka', topic = 'nowhere', primary_key = 'id', "
            f"properties.bootstrap.server = '{broker}') FORMAT UPSERT ENCODE JSON"
        )


def test_what_clients_see_of_a_sink(client: Connection, tmp_path: Path) -> None:
    client.execute("CREATE TABLE log (id int, v varchar) APPEND ONLY")
    text = f"CREATE SINK s FROM log WITH (connector = 'fs', fs.path = '{tmp_path}') FORMAT PLAIN ENCODE JSON"
    client.execute(text + ";")
    assert client.execute("SHOW SINKS").fetchall() == [("public.s",)]
    assert client.execute("SHOW CREATE SINK s").fetchall() == [("public.s", text)]
    described = client.execute("DESCRIBE s").fetchall()
    assert [row[0] for row in described] == ["id", "v", "table description"]
    client.execute("DROP SINK s")
    assert client.execute("SHOW SINKS").fetchall() == []
    with pytest.raises(psycopg.Error, match='sink "s" does not exist'):
        client.execute("ALTER SINK s SET sink_rate_limit = 5")


def test_a_message_that_is_too_big_is_set_aside(client: Connection, broker: str) -> None:
    topic = Topics(broker)
    client.execute("CREATE TABLE t (id int PRIMARY KEY, v varchar)")
    client.execute(f"CREATE SINK s FROM t {topic.keyed('id')} FORMAT UPSERT ENCODE JSON KEY ENCODE TEXT")
    client.execute("INSERT INTO t VALUES (1, 'small'), (2, repeat('x', 1100000))")
    client.execute("INSERT INTO t VALUES (3, 'small')")
    wait_until(lambda: _delivered(client, "s"))
    assert topic.latest().keys() == {b"1", b"3"}
    found = client.execute(
        "SELECT error, sqlstate FROM rw_catalog.rw_poison_rows WHERE source_name = 's'"
    ).fetchall()
    assert [(("too large" in error), state) for error, state in found] == [(True, "54000")]


@pytest.mark.timeout(170)
def test_kills_under_load_lose_nothing_and_keep_the_order_of_each_key(
    tmp_path: Path, broker: str, database: str
) -> None:
    topic, folder, port = Topics(broker), tmp_path / "files", free_port()
    with (
        running_engine(tmp_path / "state") as server,
        endpoint() as hook,
        running_valkey(tmp_path, port) as cache,
        psycopg.connect(database, autocommit=True) as there,
    ):
        there.execute("CREATE TABLE latest (id int PRIMARY KEY, v int)")
        there.execute("CREATE TABLE log (n int)")
        with connected(server) as client:
            client.execute("CREATE TABLE t (id int PRIMARY KEY, v int)")
            client.execute("CREATE TABLE log (n int) APPEND ONLY")
            client.execute(f"CREATE SINK s FROM t {topic.keyed('id')} FORMAT UPSERT ENCODE JSON")
            client.execute(
                f"CREATE SINK f FROM log WITH (connector = 'fs', fs.path = '{folder}', rollover_seconds = 1, "
                "max_row_count = 100) FORMAT PLAIN ENCODE JSON"
            )
            client.execute(
                f"CREATE SINK h AS SELECT n::varchar AS payload FROM log WITH (connector = 'http', type = 'append-only', "
                f"url = '{hook.url}')"
            )
            client.execute(
                f"CREATE SINK r FROM t WITH (connector = 'redis', redis.url = 'redis://127.0.0.1:{port}', primary_key = 'id') "
                "FORMAT UPSERT ENCODE TEMPLATE (key_format = '{id}', value_format = '{v}')"
            )
            client.execute(
                f"CREATE SINK p FROM t {_postgres(there, 'latest')} type = 'upsert', primary_key = 'id')"
            )
            client.execute(f"CREATE SINK a FROM log {_postgres(there, 'log')} type = 'append-only')")
        written: list[int] = []
        stop = threading.Event()
        writer = threading.Thread(target=_write, args=(server, stop, written))
        writer.start()
        try:
            for name in ("delivery", "delivery", "postgres", "delivery"):
                before = len(written)
                wait_until(lambda before=before: len(written) > before + 20, 30)
                pid = server.pid(name)
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
                    wait_until(lambda name=name, pid=pid: server.pid(name) not in (None, pid), 30)
        finally:
            stop.set()
            writer.join(60)
        with connected(server) as client:
            client.execute("INSERT INTO t VALUES (1000, -1)")
            wait_until(lambda: all(_delivered(client, sink) for sink in "sfhrpa"), 60)
            expected = dict(client.execute("SELECT id, v FROM t").fetchall())
            logged = sorted(n for (n,) in client.execute("SELECT n FROM log").fetchall())
        assert {int(key): int(str(cache.get(key))) for key in cache.scan_iter()} == expected
        assert dict(there.execute("SELECT id, v FROM latest").fetchall()) == expected
        assert [n for (n,) in there.execute("SELECT n FROM log ORDER BY n").fetchall()] == logged  # each once
    posted = {post.headers["idempotency-key"]: int(post.body) for post in hook.taken}
    assert sorted(posted.values()) == logged
    assert {json.loads(key)["id"]: row["v"] for key, row in topic.latest().items()} == expected
    rows = [json.loads(line)["n"] for f in folder.glob("*.json") for line in f.read_text().splitlines()]
    assert sorted(rows) == logged


def _postgres(there: Connection, table: str) -> str:
    info = there.info
    host = conninfo_to_dict(info.dsn)["host"]
    return (
        f"WITH (connector = 'postgres', host = '{host}', port = '{info.port}', user = '{info.user}', "
        f"password = '{info.password}', database = '{info.dbname}', table = '{table}',"
    )


def _write(server: EngineServer, stop: threading.Event, written: list[int]) -> None:
    """Writes in little statements until stopped; a broken connection is made again."""
    number = 0
    while not stop.is_set():
        try:
            with psycopg.connect(server.url, autocommit=True) as connection:
                while not stop.is_set():
                    number += 1
                    connection.execute("INSERT INTO t VALUES (%s, %s)", (number % 20, number))
                    connection.execute("INSERT INTO log VALUES (%s)", (number,))
                    written.append(number)
        except psycopg.Error:
            stop.wait(0.05)
