"""`tailrace status` over the SQL seam: the embedded engine shows everything, another one what it has."""

from __future__ import annotations

import io
import subprocess
import sys

import orjson
import psycopg
import pytest
from rich.console import Console

from tailrace.errors import TailraceError
from tailrace.status import read_status, show_status
from tailrace.status.read import Partition, Relation, Status
from tests.support.processes import free_port


def shown(status: Status) -> str:
    out = io.StringIO()
    Console(file=out, width=120, color_system=None).print(show_status(status))
    return out.getvalue()


def test_the_embedded_engine_shows_everything(engine: str) -> None:
    with psycopg.connect(engine, autocommit=True) as client:
        client.execute("CREATE TABLE status_of (k int PRIMARY KEY)")
        client.execute("CREATE MATERIALIZED VIEW status_sum AS SELECT sum(k) AS total FROM status_of")
        client.execute("INSERT INTO status_of SELECT * FROM generate_series(1, 100)")
        client.execute("FLUSH")
        try:
            status = read_status(engine)
            assert status.missing == {}
            assert "RisingWave" in status.version
            assert status.barrier is not None and status.barrier.age_s >= 0
            found = {relation.name: relation for relation in status.relations}
            assert found["status_sum"].type == "materialized view"
            assert (found["status_of"].state_bytes or 0) > 0
            assert (status.disk_bytes or 0) > 1 << 20
            text = shown(status)
            assert "status_of" in text and "last barrier" in text and "disk" in text

            command = [sys.executable, "-m", "tailrace", "status", "--json", "--sql-url", engine]
            document = orjson.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            assert "status_sum" in {relation["name"] for relation in document["relations"]}
        finally:
            client.execute("DROP TABLE status_of CASCADE")


def test_what_an_engine_does_not_have_is_named(database: str) -> None:
    """RisingWave's relations alone, on plain PostgreSQL: neither barrier nor storage nor memory."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("""
            CREATE SCHEMA rw_catalog;
            CREATE TABLE rw_catalog.rw_relations (id int, name text, relation_type text);
            CREATE TABLE rw_catalog.rw_sources (id int, name text);
            CREATE TABLE rw_catalog.rw_table_stats (id int, total_key_count bigint, total_key_size bigint,
                total_value_size bigint);
            CREATE TABLE rw_catalog.rw_kafka_source_metrics (source_id int, partition_id text, high_watermark bigint,
                latest_offset bigint);
            INSERT INTO rw_catalog.rw_relations VALUES (1, 'latest', 'materialized view');
            INSERT INTO rw_catalog.rw_table_stats VALUES (1, 5, 40, 60);
            INSERT INTO rw_catalog.rw_sources VALUES (2, 'raw');
            INSERT INTO rw_catalog.rw_kafka_source_metrics VALUES (2, '10', 9, NULL), (2, '9', 100, 89);
        """)
    status = read_status(database)
    assert set(status.missing) == {"barrier", "storage", "memory"}
    assert status.relations == (Relation("latest", "materialized view", 5, 100, None, None),)
    assert [(p.partition, p.lag) for p in status.partitions] == [("9", 10), ("10", None)]
    text = shown(status)
    assert "not shown by this engine" in text
    assert 'barrier: relation "rw_catalog.rw_barrier" does not exist' in text


def test_nobody_answers() -> None:
    with pytest.raises(TailraceError, match="does not answer") as raised:
        read_status(f"postgresql://root@127.0.0.1:{free_port()}/dev")
    assert "tailrace up" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("end", "last_read", "lag"), [(10, 9, 0), (10, 4, 5), (10, -1, 10), (5, 9, 0), (None, 3, None)]
)
def test_lag(end: int | None, last_read: int, lag: int | None) -> None:
    assert Partition("s", "0", end, last_read).lag == lag
