"""Connector redis against a real server: what stands under which key, what goes, what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tailrace.errors import TailraceError
from tests.support.delivery import all_delivered, backlog, delivering, set_aside
from tests.support.flow import FlowUnderTest
from tests.support.processes import free_port, wait_until
from tests.support.valkey import running_valkey


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    with running_valkey(tmp_path_factory.mktemp("valkey"), free_port()) as client:
        yield client


@pytest.fixture
def cache(server: redis.Redis) -> redis.Redis:
    """An empty server."""
    server.flushall()
    return server


def _sink(cache: redis.Redis, key: str, format_: str) -> str:
    port = cache.connection_pool.connection_kwargs["port"]
    return (
        f"CREATE SINK s FROM t WITH (connector = 'redis', redis.url = 'redis://127.0.0.1:{port}/', primary_key = '{key}') "
        f"FORMAT {format_}"
    )


def test_documents_come_change_and_go(engine: FlowUnderTest, cache: redis.Redis) -> None:
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY, v varchar, n numeric)")
    engine.settle("INSERT INTO t VALUES (1, 'a', 1.5), (2, 'b', 2), (3, NULL, NULL)")
    engine.ddl(_sink(cache, "id", "UPSERT ENCODE JSON"))
    engine.settle("UPDATE t SET v = 'new' WHERE id = 1", "DELETE FROM t WHERE id = 2")
    with delivering(engine):
        all_delivered(engine)
    found = {key: json.loads(cache.get(key)) for key in cache.scan_iter()}
    assert found == {
        '{"id":1}': {"id": 1, "v": "new", "n": "1.5"},
        '{"id":3}': {"id": 3, "v": None, "n": None},
    }


def test_templates_and_keys_as_text(engine: FlowUnderTest, cache: redis.Redis) -> None:
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, ok boolean, at timestamptz, v varchar)",
        _sink(
            cache,
            "id",
            r"PLAIN ENCODE TEMPLATE (force_append_only = 'true', key_format = 'dev:{id}', "
            r"value_format = '\{ok={ok} at={at} v={v}\}')",
        ),
        _sink(cache, "v", "UPSERT ENCODE JSON KEY ENCODE TEXT").replace(" s FROM", " bare FROM"),
    )
    with delivering(engine):
        engine.settle("INSERT INTO t VALUES (1, true, '2026-01-01 10:00:00Z', 'x')", "DELETE FROM t")
        engine.settle("INSERT INTO t VALUES (2, false, NULL, 'y')")
        engine.settle("DELETE FROM t")
        all_delivered(engine)
        all_delivered(engine, "bare")
    assert {key: cache.get(key) for key in cache.scan_iter()} == {"dev:2": "{ok=f at=NULL v=y}"}


def test_places_come_and_go_and_one_beyond_the_earth_is_set_aside(
    engine: FlowUnderTest, cache: redis.Redis
) -> None:
    engine.ddl(
        "CREATE TABLE t (fleet varchar, device varchar, x float, y float, PRIMARY KEY (fleet, device))",
        _sink(
            cache,
            "fleet,device",
            "UPSERT ENCODE TEMPLATE (redis_value_type = 'geospatial', key_format = 'fleet:{fleet}', longitude = 'x', "
            "latitude = 'y', member = 'device')",
        ),
    )
    with delivering(engine):
        engine.settle(
            "INSERT INTO t VALUES ('a', 'd1', 13.4, 52.5), ('a', 'd2', 2, 48), ('a', 'd3', 500, 0), ('a', 'd4', NULL, 0)"
        )
        engine.settle("UPDATE t SET x = 14.4 WHERE device = 'd1'", "DELETE FROM t WHERE device = 'd2'")
        all_delivered(engine)
    assert cache.zrange("fleet:a", 0, -1) == ["d1"]
    ((longitude, _),) = cache.geopos("fleet:a", "d1")
    assert abs(longitude - 14.4) < 1e-4
    assert sorted(error.split(":")[0] for _, error, _ in set_aside(engine)) == [
        "Redis",
        "the row's longitude, latitude or member is NULL",
    ]
    assert backlog(engine)["failures"] == 0


def test_messages_and_entries(engine: FlowUnderTest, cache: redis.Redis) -> None:
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, place varchar)",
        _sink(cache, "id", "UPSERT ENCODE TEMPLATE (redis_value_type = 'stream', stream_column = 'place', "
              "key_format = 'k{id}', value_format = 'v{id}')"),
        _sink(cache, "id", "UPSERT ENCODE TEMPLATE (redis_value_type = 'pubsub', channel = 'news', value_format = '{id}')"
              ).replace(" s FROM", " told FROM"),
    )  # fmt: skip
    listener = cache.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("news")
    listener.get_message(timeout=5)
    with delivering(engine):
        for number in range(3):
            engine.settle(f"INSERT INTO t VALUES ({number}, 'one')")
        engine.settle("DELETE FROM t WHERE id = 1")
        all_delivered(engine)
        all_delivered(engine, "told")
    assert [entry for _, entry in cache.xrange("one")] == [{"k0": "v0"}, {"k1": "v1"}, {"k2": "v2"}]
    heard = [message["data"] for message in (listener.get_message(timeout=5) for _ in range(3)) if message]
    listener.close()
    assert heard == ["0", "1", "2"]


def test_a_key_of_another_type_is_set_aside(engine: FlowUnderTest, cache: redis.Redis) -> None:
    cache.set("taken", "by somebody")
    template = "redis_value_type = 'stream', stream_column = 'v', key_format = '{id}', value_format = '{v}'"
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, v varchar)",
        _sink(cache, "id", f"UPSERT ENCODE TEMPLATE ({template})"),
    )
    with delivering(engine):
        engine.settle("INSERT INTO t VALUES (1, 'taken'), (2, 'free')")
        all_delivered(engine)
    assert cache.xlen("free") == 1
    ((_, error, _),) = set_aside(engine)
    assert "WRONGTYPE" in error


def test_a_server_that_is_away_is_named_then_waited_for(engine: FlowUnderTest, tmp_path: Path) -> None:
    port = free_port()
    engine.ddl("CREATE TABLE t (id int PRIMARY KEY)")
    with running_valkey(tmp_path, port) as cache:
        engine.ddl(_sink(cache, "id", "UPSERT ENCODE JSON"))
    with pytest.raises(
        (TailraceError, psycopg.Error), match=f"Redis at 127.0.0.1:{port} does not let it in"
    ) as caught:
        engine.ddl(
            _sink(redis.Redis(port=port), "id", "UPSERT ENCODE JSON").replace(" s FROM", " other FROM")
        )
    assert caught.value.sqlstate == "08001"
    with delivering(engine):
        engine.settle("INSERT INTO t SELECT generate_series(1, 3000)")
        wait_until(lambda: backlog(engine)["failures"])
        with running_valkey(tmp_path, port) as cache:
            all_delivered(engine)
            assert cache.dbsize() == 3000
