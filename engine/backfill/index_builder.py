"""The worker that builds one index while its table goes on changing: PostgreSQL's CREATE INDEX CONCURRENTLY.

A build that was killed leaves an invalid index behind; the next one drops it and begins again.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import psycopg

from engine.backfill.job import NotCreatingError, application_name, yield_to_barriers
from engine.catalog.objects import CatalogObject, load
from engine.operators.base import quote

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(slots=True)
class IndexBuilder:
    """Builds `index` on a connection of its own."""

    connection: Connection
    index: CatalogObject

    @staticmethod
    def open(dsn: str, index_id: int) -> IndexBuilder:
        """Connect and read the catalog; raises NotCreatingError."""
        with ExitStack() as opened:
            connection: Connection = opened.enter_context(
                closing(psycopg.connect(dsn, autocommit=True, application_name=application_name(index_id)))
            )
            index = load(connection).objects.get(index_id)
            if index is None or not index.is_creating or index.kind != "index":
                raise NotCreatingError(f"no index {index_id} is being created")
            connection.execute("SET client_connection_check_interval = '1s'")
            yield_to_barriers(connection)
            opened.pop_all()
        return IndexBuilder(connection, index)

    def close(self) -> None:
        self.connection.close()

    def advance(self) -> int:
        """Build it; nothing waits behind it."""
        build(self.connection, self.index.index_name, self.index.body["on"])
        return 0


def build(connection: Connection, name: str, on: str) -> None:
    """Build index `name` unless it is there and valid; `on` is what stands behind ON. The connection is in autocommit mode."""
    found = connection.execute(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", (f"engine.{quote(name)}",)
    ).fetchone()
    if found != (True,):
        connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS engine.{quote(name)}")
        connection.execute(f"CREATE INDEX CONCURRENTLY {quote(name)} ON {on}")
