"""The lag that the catalog shows is the one that is counted: the topic's ends minus what the views have taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support.broker import BrokerProcess
from tests.support.engine import EngineServer, running_engine
from tests.support.processes import wait_until

PARTITIONS = 3
LAG = (
    "SELECT partition_id, lag FROM rw_catalog.rw_kafka_job_lag AS l "
    "JOIN rw_catalog.rw_materialized_views AS v ON v.id = l.job_id WHERE v.name = 'counted' ORDER BY 1"
)


@pytest.fixture(scope="module")
def broker_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A broker with the topic."""
    with BrokerProcess(tmp_path_factory.mktemp("broker")) as running:
        admin = AdminClient({"bootstrap.servers": running.bootstrap, "log_level": 0})
        admin.create_topics([NewTopic("lagging", PARTITIONS, 1)])["lagging"].result(10)
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    with running_engine(tmp_path_factory.mktemp("engine") / "state") as running:
        yield running


def produce(bootstrap: str, counts: dict[int, int]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for partition, count in counts.items():
        for number in range(count):
            producer.produce("lagging", f"{number}".encode(), partition=partition)
    assert producer.flush(20) == 0


def lag(client: psycopg.Connection[tuple[str, int]]) -> dict[int, int | None]:
    return {int(partition): behind for partition, behind in client.execute(LAG).fetchall()}


def test_lag_shown_is_lag_counted(broker_here: BrokerProcess, server: EngineServer) -> None:
    with (
        psycopg.connect(server.url, autocommit=True) as client,
        psycopg.connect(server.layout.dsn()) as blocker,
    ):
        client.execute(
            "CREATE SOURCE raw (data bytea) WITH (connector = 'kafka', topic = 'lagging', "
            f"properties.bootstrap.server = '{broker_here.bootstrap}') FORMAT PLAIN ENCODE BYTES".encode()
        )
        client.execute("CREATE VIEW plainly AS SELECT data FROM raw")
        client.execute("CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM plainly")
        produce(broker_here.bootstrap, {0: 40, 1: 2})
        wait_until(lambda: client.execute("SELECT n FROM counted").fetchone() == (42,), 20, "42 rows")
        wait_until(lambda: lag(client) == {0: 0, 1: 0, 2: 0}, 10, "no lag")
        metrics = client.execute(
            "SELECT partition_id, high_watermark, latest_offset FROM rw_catalog.rw_kafka_source_metrics ORDER BY 1"
        ).fetchall()
        assert metrics == [("0", 40, 39), ("1", 2, 1), ("2", 0, -1)]

        blocker.execute("LOCK TABLE engine.barrier IN EXCLUSIVE MODE")  # a barrier that takes long
        produce(broker_here.bootstrap, {0: 7, 2: 500})
        wait_until(lambda: lag(client) == {0: 7, 1: 0, 2: 500}, 10, "the lag that was made")
        produce(broker_here.bootstrap, {1: 1})
        wait_until(lambda: lag(client) == {0: 7, 1: 1, 2: 500}, 10, "one more")
        assert client.execute("SELECT n FROM counted").fetchone() == (42,)
        blocker.rollback()
        wait_until(lambda: lag(client) == {0: 0, 1: 0, 2: 0}, 20, "no lag again")
        assert client.execute("SELECT n FROM counted").fetchone() == (550,)


def test_a_source_goes_while_its_ends_are_written(server: EngineServer, broker_here: BrokerProcess) -> None:
    """The drop's snapshot is older than the newest end; ends of a source that is gone are not shown."""
    source = (
        "CREATE SOURCE {} (data bytea) WITH (connector = 'kafka', topic = 'lagging', "
        f"properties.bootstrap.server = '{broker_here.bootstrap}') FORMAT PLAIN ENCODE BYTES"
    )
    with (
        psycopg.connect(server.url, autocommit=True) as client,
        psycopg.connect(server.layout.dsn(), autocommit=True) as writer,
    ):
        client.execute(source.format("gone").encode())
        (id_,) = client.execute("SELECT id FROM rw_catalog.rw_sources WHERE name = 'gone'").fetchone() or (0,)
        writer.execute("BEGIN")
        writer.execute("INSERT INTO engine.source_ends VALUES (%s, 0, 'x', 5, now())", (id_,))
        client.execute("DROP SOURCE gone")  # would wait for the writer, and then fail, if a key led there
        writer.execute("COMMIT")
        assert client.execute(
            "SELECT count(*) FROM rw_catalog.rw_kafka_source_metrics WHERE source_id = %s", (id_,)
        ).fetchone() == (0,)


def test_the_memory_of_the_processes_is_shown(server: EngineServer) -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc here: memory is not measured")
    with psycopg.connect(server.url.replace("root@", "dashboard@"), autocommit=True) as client:

        def shown() -> dict[str, tuple[int, int]]:
            rows = client.execute(
                "SELECT process, pid, resident_bytes, private_bytes FROM rw_catalog.rw_process_memory"
            ).fetchall()
            return {name: (pid, resident) for name, pid, resident, private in rows if 0 < private <= resident}

        found = wait_until(lambda: shown() if "postgres: tailrace flow" in shown() else None, 15, "figures")
        assert found["flow"][0] == server.pid("flow")
        assert found["flow"][1] > 10 << 20
