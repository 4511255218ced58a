"""Databases beside the first: made, used, renamed, dropped; there again after a crash, and never half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
import pytest

from tests.support.engine import EngineServer, running_engine
from tests.support.processes import wait_until

Client = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    with running_engine(tmp_path_factory.mktemp("databases") / "state") as running:
        yield running


def connect(server: EngineServer, database: str = "dev") -> Client:
    url = urlunsplit(urlsplit(server.url)._replace(path=f"/{database}"))
    return psycopg.connect(url, autocommit=True)


def listed(client: Client) -> list[str]:
    return [name for (name,) in client.execute("SHOW DATABASES")]


def test_each_database_has_relations_of_its_own(server: EngineServer) -> None:
    with connect(server) as dev:
        dev.execute("CREATE DATABASE one")
        dev.execute("CREATE DATABASE IF NOT EXISTS one")
        with pytest.raises(psycopg.errors.DuplicateDatabase):
            dev.execute("CREATE DATABASE one")
        with connect(server, "one") as one:
            for client, value in ((dev, 1), (one, 2)):
                client.execute("CREATE TABLE t (a int)")
                client.execute("CREATE MATERIALIZED VIEW m AS SELECT sum(a) AS s FROM t")
                client.execute(f"INSERT INTO t VALUES ({value})")
                client.execute("FLUSH")
                assert client.execute("SELECT s FROM m").fetchall() == [(value,)]
            assert listed(one) == ["dev", "one"]
            for refused in ("DROP DATABASE one", "ALTER DATABASE one RENAME TO two", "DROP DATABASE dev"):
                with pytest.raises(
                    (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)
                ):
                    one.execute(refused)
        dev.execute("ALTER DATABASE one RENAME TO two")
        with connect(server, "two") as two:
            two.execute("INSERT INTO t VALUES (3)")
            two.execute("FLUSH")
            assert two.execute("SELECT s FROM m").fetchall() == [(5,)]
        dev.execute("DROP DATABASE two")
        assert listed(dev) == ["dev"]
        with pytest.raises(psycopg.OperationalError, match='database "two" does not exist'):
            connect(server, "two")
        dev.execute("DROP DATABASE IF EXISTS two")


def test_flows_come_back_after_their_host_was_killed(server: EngineServer) -> None:
    with connect(server) as dev:
        dev.execute("CREATE DATABASE again")
        with connect(server, "again") as again:
            again.execute("CREATE TABLE t (a int)")
            before = server.pid("databases")
            assert before is not None
            os.kill(before, signal.SIGKILL)
            wait_until(lambda: server.pid("databases") not in {None, before})
            again.execute("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t")
            assert again.execute("SELECT n FROM m").fetchall() == [(0,)]
        dev.execute("DROP DATABASE again")


@pytest.mark.slow
def test_what_a_killed_engine_has_left_half_made_is_swept_away(tmp_path: Path) -> None:
    with running_engine(tmp_path / "state") as server, connect(server) as dev:
        dev.execute("CREATE DATABASE kept")
        with psycopg.connect(server.layout.dsn(), autocommit=True) as admin:
            admin.execute('CREATE DATABASE "tailrace new 1"')
            assert listed(dev) == ["dev", "kept"]
    with running_engine(tmp_path / "state") as server:
        with connect(server, "kept") as kept:
            kept.execute("CREATE TABLE t (a int)")
        with psycopg.connect(server.layout.dsn(), autocommit=True) as admin:
            left = admin.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'tailrace new %'")
            assert left.fetchone() == (0,)


DIES_BEFORE_THE_NAME = """
import os, signal, sys
from pathlib import Path
from engine.databases import cluster
from engine.databases.statements import Create
from engine.layout import Layout

cluster._set = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with cluster.administration(Layout(Path(sys.argv[1]))) as connection:
    cluster.create(connection, Create("cut"), "root")
"""
"""CREATE DATABASE whose process is killed when the database is made and has neither its settings nor its name."""


def test_a_database_whose_making_was_killed_is_not_there(server: EngineServer) -> None:
    left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'tailrace new %'"
    with connect(server) as dev, psycopg.connect(server.layout.dsn(), autocommit=True) as admin:
        dev.execute("CREATE DATABASE template_is_there")
        dying = [sys.executable, "-c", DIES_BEFORE_THE_NAME, str(server.layout.data_dir)]
        assert subprocess.run(dying, check=False).returncode == -signal.SIGKILL
        assert admin.execute(left).fetchone() == (1,)
        assert listed(dev) == ["dev", "template_is_there"]
        host = server.pid("databases")
        assert host is not None
        os.kill(host, signal.SIGKILL)
        wait_until(lambda: admin.execute(left).fetchone() == (0,))
        wait_until(lambda: server.pid("databases") not in {None, host})
        dev.execute("CREATE DATABASE cut")
        with connect(server, "cut") as cut:
            cut.execute("CREATE TABLE t (a int)")
        dev.execute("DROP DATABASE cut")
        dev.execute("DROP DATABASE template_is_there")


def test_users_come_and_go(server: EngineServer) -> None:
    with connect(server) as dev:
        dev.execute("CREATE USER ann WITH CREATEDB PASSWORD 'secret'")
        with pytest.raises(psycopg.errors.DuplicateObject):
            dev.execute("CREATE USER ann")
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(server.url.replace("root@", "ann@"))
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url.replace("root@", "ann:wrong@"))
        url = server.url.replace("root@", "ann:secret@")
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(url)
        dev.execute("GRANT CONNECT ON DATABASE dev TO ann")
        with psycopg.connect(url, autocommit=True) as ann:
            ann.execute("CREATE DATABASE hers")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                ann.execute("CREATE USER bob")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                ann.execute("ALTER USER root WITH PASSWORD 'mine'")
            ann.execute("ALTER USER ann WITH PASSWORD 'other'")
            url = url.replace("secret", "other")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                dev.execute("DROP USER ann")  # who owns a database
            ann.execute("DROP DATABASE hers")
        dev.execute("ALTER USER ann WITH SUPERUSER NOCREATEDB")
        with psycopg.connect(url, autocommit=True) as ann:
            ann.execute("CREATE TABLE of_ann (k int)")
            ann.execute("DROP TABLE of_ann")
        query = "SELECT is_super, create_db FROM rw_users WHERE name = 'ann'"
        assert dev.execute(query).fetchall() == [(True, False)]
        dev.execute("ALTER USER ann WITH PASSWORD NULL")
        psycopg.connect(server.url.replace("root@", "ann@")).close()
        dev.execute("DROP USER ann")
        dev.execute("DROP USER IF EXISTS ann")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_databases_that_come_and_go_leave_nothing_behind(server: EngineServer) -> None:
    """Thirty of them, each used: processes, sessions, descriptors, sockets and memory are the same as before."""

    def cycle(dev: Client, name: str) -> None:
        dev.execute(f"CREATE DATABASE {name}".encode())
        with connect(server, name) as client:
            client.execute("CREATE TABLE t (a int)")
            client.execute("CREATE MATERIALIZED VIEW m AS SELECT sum(a) AS s FROM t")
            client.execute("INSERT INTO t VALUES (1)")
            client.execute("FLUSH")
            assert client.execute("SELECT s FROM m").fetchall() == [(1,)]
        dev.execute(f"DROP DATABASE {name}".encode())

    def held() -> dict[str, int]:
        """What may not grow, once what ends has ended."""
        engine = [psutil.Process(server.pid(name)) for name in ("supervisor", "databases", "wire", "flow")]
        files = len(list(server.layout.flow_socket.parent.iterdir()))
        with psycopg.connect(server.layout.dsn(), autocommit=True) as admin:
            catalog = "SELECT (SELECT count(*) FROM pg_database), (SELECT count(*) FROM pg_db_role_setting)"
            databases, settings = admin.execute(catalog).fetchall()[0]
            sessions = admin.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
            )
            return {
                "processes": sum(len(p.children()) for p in engine),
                "descriptors": sum(p.num_fds() for p in engine),
                "threads": sum(p.num_threads() for p in engine),
                "sockets": files,
                "databases": databases,
                "settings": settings,
                "sessions": sessions.fetchall()[0][0],
            }

    def resident() -> int:
        return sum(psutil.Process(server.pid(n)).memory_info().rss for n in ("databases", "wire", "flow"))

    with connect(server) as dev:
        for number in range(3):
            cycle(dev, f"warm_{number}")
        before, memory = held(), resident()
        for number in range(30):
            cycle(dev, f"passing_{number}")
        wait_until(
            lambda: all(now <= before[what] for what, now in held().items()), 20, f"no more than {before}"
        )
        assert resident() < memory + (8 << 20)
