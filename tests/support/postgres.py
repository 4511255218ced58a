"""A PostgreSQL of the engine's own making for tests: temp directory, fsync off, ended with the test run."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from engine import postgres, roles, state
from engine.flow.barrier import furnish
from engine.layout import DATABASE, ENGINE_ROLE, Layout

TEST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "synchronous_commit": "off",
}


_TEMPLATE = "furnished"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server, with database dev and the client roles as the supervisor makes them."""

    layout: Layout

    def dsn(self, role: str = ENGINE_ROLE, dbname: str = DATABASE) -> str:
        return self.layout.dsn(role, dbname)


@contextmanager
def running_postgres(data_dir: Path, settings: Mapping[str, str] = TEST_SETTINGS) -> Iterator[PostgresServer]:
    layout = Layout(data_dir)
    lock = state.claim(layout, minimum_free_bytes=0)
    command = postgres.prepare(layout, settings)
    log = (layout.log_dir / "postgres.log").open("wb")
    guard = subprocess.Popen(
        [sys.executable, "-m", "tailrace.guard", "--stop-signal", "QUIT", "--", *command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd="/",
        env=postgres.environment(),
    )
    with guard, log:
        try:
            postgres.wait_until_ready(layout, lambda: guard.poll() is None)
            roles.bootstrap(layout)
            yield PostgresServer(layout)
        finally:
            guard.terminate()
            guard.wait(30)
            postgres.remove_sockets(layout)
            os.close(lock)


@contextmanager
def fresh_database(server: PostgresServer, *, furnished: bool) -> Iterator[str]:
    """The name of a new database, dropped afterwards: empty, or with all that a flow brings, so that one opens at once."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        if furnished:
            _make_template(server, connection)
        template = sql.Identifier(_TEMPLATE if furnished else "template1")
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(sql.Identifier(name), template))
    with psycopg.connect(server.dsn(dbname=name)) as connection:
        roles.grant_database(connection, name)
    try:
        yield name
    finally:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _make_template(server: PostgresServer, connection: psycopg.Connection[tuple[object, ...]]) -> None:
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", (_TEMPLATE,)).fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_TEMPLATE)))
        furnish(server.dsn(dbname=_TEMPLATE))
