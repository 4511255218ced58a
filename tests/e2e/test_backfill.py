"""Backfill jobs on a whole engine: workers that are killed, flows that are killed, WAIT and CANCEL JOBS."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tailrace.topics import Topic, create_topics
from tests.support.engine import EngineServer, running_engine
from tests.support.processes import wait_until

_ROWS = 6_000  # more than is filled within a statement's barrier
_QUERY = "SELECT g, count(*) AS n, sum(id) AS total FROM t GROUP BY g"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    with running_engine(tmp_path_factory.mktemp("backfill") / "engine") as running:
        with _connect(running) as connection:
            connection.execute("CREATE TABLE t (id int PRIMARY KEY, g int)")
            connection.execute("SET RW_IMPLICIT_FLUSH = true")
            connection.execute(f"INSERT INTO t SELECT i, i % 100 FROM generate_series(1, {_ROWS}) AS i")
        yield running


@pytest.fixture
def connection(server: EngineServer) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with _connect(server) as opened:
        yield opened


def _connect(server: EngineServer) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(server.url, autocommit=True)


def _workers(server: EngineServer) -> list[psutil.Process]:
    flow = server.pid("flow")
    if flow is None:
        return []
    children = psutil.Process(flow).children()
    return [c for c in children if "engine.backfill" in c.cmdline()]


def _jobs(connection: psycopg.Connection[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return connection.execute("SELECT ddl_id, create_type FROM rw_catalog.rw_ddl_progress").fetchall()


def _check(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    connection.execute("FLUSH")
    assert connection.execute(f"TABLE {name} EXCEPT ({_QUERY})").fetchall() == []
    assert connection.execute(f"({_QUERY}) EXCEPT TABLE {name}").fetchall() == []


def test_a_statement_waits_for_its_job(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    connection.execute(f"CREATE MATERIALIZED VIEW waited AS {_QUERY}")
    assert _jobs(connection) == []
    _check(connection, "waited")
    connection.execute("DROP MATERIALIZED VIEW waited")


def test_a_job_in_the_background_survives_its_worker_and_its_flow(
    server: EngineServer, connection: psycopg.Connection[tuple[object, ...]]
) -> None:
    connection.execute("SET BACKGROUND_DDL = true")
    connection.execute(f"CREATE MATERIALIZED VIEW survivor AS {_QUERY}")
    wait_until(lambda: _workers(server), 30, "a worker")
    for worker in _workers(server):
        worker.kill()
    connection.execute("UPDATE t SET g = g + 1 WHERE id % 3 = 0")
    flow = server.pid("flow")
    assert flow is not None
    os.kill(flow, signal.SIGKILL)
    wait_until(lambda: server.pid("flow") not in (None, flow), 30, "another flow")
    connection.execute("DELETE FROM t WHERE id % 10 = 1")
    connection.execute("WAIT")
    assert _jobs(connection) == []
    _check(connection, "survivor")
    connection.execute("DROP MATERIALIZED VIEW survivor")
    assert _workers(server) == []


def test_a_statement_whose_flow_is_killed_leaves_nothing(
    server: EngineServer, connection: psycopg.Connection[tuple[object, ...]]
) -> None:
    failures: list[psycopg.Error] = []

    def create() -> None:
        with _connect(server) as other:
            try:
                other.execute(f"CREATE MATERIALIZED VIEW orphan AS {_QUERY}")
            except psycopg.Error as error:
                failures.append(error)

    thread = threading.Thread(target=create)
    thread.start()
    wait_until(lambda: _jobs(connection), 30, "the job")
    flow = server.pid("flow")
    assert flow is not None
    os.kill(flow, signal.SIGKILL)
    thread.join(30)
    assert [e.sqlstate for e in failures] == ["40003"]
    connection.execute("FLUSH")
    wait_until(lambda: _jobs(connection) == [], 30, "the job's end")
    connection.execute(f"CREATE MATERIALIZED VIEW orphan AS {_QUERY}")
    _check(connection, "orphan")
    connection.execute("DROP MATERIALIZED VIEW orphan")


def test_cancelled_jobs_are_gone(
    server: EngineServer, connection: psycopg.Connection[tuple[object, ...]]
) -> None:
    connection.execute("SET BACKGROUND_DDL = true")
    connection.execute(f"CREATE MATERIALIZED VIEW unwanted AS {_QUERY}")
    ((id_, create_type),) = _jobs(connection)
    assert create_type == "BACKGROUND"
    assert connection.execute("SHOW JOBS").fetchall()[0][0] == id_
    assert connection.execute(f"CANCEL JOBS {id_}").fetchall() == [(str(id_),)]
    assert _jobs(connection) == []
    assert connection.execute(f"CANCEL JOBS {id_}").fetchall() == []
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM unwanted")
    wait_until(lambda: not _workers(server), 30, "the worker's end")


def test_a_client_that_goes_takes_its_job_along(
    server: EngineServer, connection: psycopg.Connection[tuple[object, ...]]
) -> None:
    def create() -> None:
        with _connect(server) as other, pytest.raises(psycopg.Error):
            cancels.append(other)
            other.execute(f"CREATE MATERIALIZED VIEW fleeting AS {_QUERY}")

    cancels: list[psycopg.Connection[tuple[object, ...]]] = []
    thread = threading.Thread(target=create)
    thread.start()
    wait_until(lambda: _workers(server), 30, "a worker")
    for worker in _workers(server):
        worker.suspend()  # it must not be done first
    cancels[0].cancel()
    thread.join(30)
    wait_until(lambda: _jobs(connection) == [], 30, "the job's end")
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM fleeting")


def test_a_late_view_over_a_topic_reads_it_from_its_start(
    server: EngineServer, connection: psycopg.Connection[tuple[object, ...]], broker: str, tmp_path: Path
) -> None:
    topic = f"late-{tmp_path.name}"
    create_topics(broker, [Topic(topic, 2)])
    producer = Producer({"bootstrap.servers": broker})

    def produce(first: int, last: int) -> None:
        for i in range(first, last):
            producer.produce(topic, b'{"id": %d, "g": %d}' % (i, i % 7), partition=i % 2)
            producer.poll(0)
        assert producer.flush(30) == 0

    produce(0, 50_000)
    connection.execute(
        "CREATE SOURCE s (id int, g int, twice int AS id * 2) WITH (connector = 'kafka', "
        f"topic = '{topic}', properties.bootstrap.server = '{broker}') FORMAT PLAIN ENCODE JSON"
    )
    connection.execute("CREATE MATERIALIZED VIEW first_view AS SELECT count(*) AS n FROM s")
    _wait_for(connection, "SELECT n FROM first_view", 50_000)
    connection.execute("SET BACKGROUND_DDL = true")
    connection.execute(
        "CREATE MATERIALIZED VIEW late_view AS SELECT g, count(*) AS n, sum(twice) AS total FROM s GROUP BY g"
    )
    wait_until(lambda: _progress(connection) > 0, 30, "the first chunk")
    for worker in _workers(server):
        worker.kill()  # the next one goes on behind the chunks that are there
    produce(50_000, 52_000)
    connection.execute("WAIT")
    _wait_for(connection, "SELECT sum(n)::bigint FROM late_view", 52_000)
    expected = [(g, len(range(g, 52_000, 7)), 2 * sum(range(g, 52_000, 7))) for g in range(7)]
    assert connection.execute("SELECT * FROM late_view ORDER BY g").fetchall() == expected

    admin = AdminClient({"bootstrap.servers": broker})
    expired = [TopicPartition(topic, 0, 1_000), TopicPartition(topic, 1, 500)]
    for done in admin.delete_records(expired).values():
        done.result(20)
    connection.execute("CREATE MATERIALIZED VIEW latest_view AS SELECT count(*) AS n FROM s WHERE id >= 0")
    connection.execute("WAIT")
    _wait_for(connection, "SELECT n FROM latest_view", 50_500)
    connection.execute("DROP SOURCE s CASCADE")


def _progress(connection: psycopg.Connection[tuple[object, ...]]) -> float:
    row = connection.execute("SELECT progress FROM rw_catalog.rw_ddl_progress").fetchone()
    return float(str(row[0]).rstrip("%")) if row else 100.0


def _wait_for(connection: psycopg.Connection[tuple[object, ...]], query: str, value: int) -> None:
    wait_until(lambda: connection.execute(query).fetchone() == (value,), 60, f"{query}: {value}")


def test_a_large_index_is_built_beside_the_barriers(
    server: EngineServer, connection: psycopg.Connection[tuple[object, ...]]
) -> None:
    connection.execute("CREATE TABLE many (id int PRIMARY KEY, g int)")
    connection.execute("SET RW_IMPLICIT_FLUSH = true")
    connection.execute("INSERT INTO many SELECT i, i % 1000 FROM generate_series(1, 60000) AS i")
    connection.execute("SET BACKGROUND_DDL = true")
    connection.execute("CREATE INDEX many_by_g ON many (g)")
    assert connection.execute("SELECT name FROM rw_catalog.rw_indexes").fetchall() == []
    wait_until(lambda: _workers(server), 30, "a worker")
    for worker in _workers(server):
        worker.kill()
    connection.execute("UPDATE many SET g = 7 WHERE id = 1")
    connection.execute("WAIT")
    assert connection.execute("SELECT name, relation_name FROM rw_catalog.rw_indexes").fetchall() == [
        ("many_by_g", "many")
    ]
    plan = connection.execute("EXPLAIN SELECT * FROM many WHERE g = 7").fetchall()
    assert any("index_" in str(line) for (line,) in plan)
    connection.execute("DROP INDEX many_by_g")
    connection.execute("DROP TABLE many")
