"""Where cases run: a database of their own, on an engine that lives as long as they do or on one that is there."""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tailrace.errors import TailraceError
from tailrace.up.commands import READY
from tailrace.up.component import Command, Component, wait_until

_START_S = 60.0


@contextmanager
def fresh_database(url: str | None) -> Iterator[str]:
    """The URL of an empty database; it is gone afterwards, and so is the engine if `url` is None."""
    if url is not None:
        with _fresh(url) as own:
            yield own
        return
    with tempfile.TemporaryDirectory(prefix="tailrace-test-") as folder, _engine(Path(folder)) as own:
        yield own


@contextmanager
def _engine(folder: Path) -> Iterator[str]:
    said: list[str] = []
    arguments = [sys.executable, "-m", "engine", "--data-dir", str(folder / "state"), "--port", "0"]
    engine = Component(Command("engine", arguments, folder / "engine.log", grace_s=30.0), on_line=said.append)
    engine.start()
    try:
        wait_until(
            lambda: any(line.startswith(READY) for line in said),
            engine,
            timeout_s=_START_S,
            what="its ready line",
        )
        yield next(line for line in said if line.startswith(READY)).removeprefix(READY).strip()
    finally:
        engine.stop()


@contextmanager
def _fresh(url: str) -> Iterator[str]:
    name = f"tailrace_test_{secrets.token_hex(4)}"
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise TailraceError(
            f"no database session for the tests: {str(error).strip()}",
            sqlstate="08001",
            hint="leave --sql-url out: the tests then start an engine of their own",
        ) from error
    with connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
