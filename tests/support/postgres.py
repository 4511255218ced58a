"""A PostgreSQL of the engine's own making for tests: temp directory, fsync off, ended with the test run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine import postgres, roles, state
from engine.layout import DATABASE, ENGINE_ROLE, Layout

TEST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "synchronous_commit": "off",
}


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
