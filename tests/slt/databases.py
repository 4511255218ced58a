"""A fresh database for every file: made where the server can, else the one database is emptied, newest objects first."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

_KINDS = {
    "sink": "SINK",
    "subscription": "SUBSCRIPTION",
    "materialized view": "MATERIALIZED VIEW",
    "view": "VIEW",
    "index": "INDEX",
    "table": "TABLE",
    "source": "SOURCE",
}
_RELATIONS = """\
SELECT s.name, r.name, r.relation_type FROM rw_catalog.rw_relations AS r JOIN rw_catalog.rw_schemas AS s
ON s.id = r.schema_id WHERE r.relation_type <> 'system table' ORDER BY r.id DESC"""
_RELATIONS_OF_ONE_SCHEMA = (
    "SELECT 'public', name, relation_type FROM rw_catalog.rw_relations ORDER BY id DESC"
)
_BESIDE = {"CONNECTION": "rw_connections", "SECRET": "rw_secrets", "FUNCTION": "rw_functions"}
"""What is no relation, by the catalog that lists it."""
_LIMIT_MS = 30_000


@dataclass(slots=True)
class Databases:
    """Lends databases of one server. Without CREATE DATABASE it lends the URL's own one, to one file at a time."""

    url: str
    separate: bool = True
    _numbers: Iterator[int] = field(default_factory=count)
    _alone: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, url: str) -> Databases:
        """Find out whether the server makes databases."""
        found = cls(url)
        try:
            with found.fresh(Path("probe")) as lent, psycopg.connect(lent, autocommit=True) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            found.separate = False
        return found

    @contextlib.contextmanager
    def fresh(self, file: Path) -> Iterator[str]:
        """The URL of a database that holds nothing, dropped (or emptied) afterwards."""
        if not self.separate:
            with self._alone:
                self._empty()
                yield self.url
                self._empty()
            return
        stem = re.sub(r"\W+", "_", file.name.split(".")[0]).lower()[:30]
        name = f"slt_{next(self._numbers)}_{stem}"
        with self._administrator() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield with_database(self.url, name)
        finally:
            with contextlib.suppress(psycopg.Error), self._administrator() as connection:
                connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))

    def _administrator(self) -> psycopg.Connection[object]:
        connection: psycopg.Connection[object] = psycopg.connect(
            self.url, autocommit=True, connect_timeout=10
        )
        connection.prepare_threshold = None
        with contextlib.suppress(psycopg.Error):
            connection.execute(f"SET statement_timeout = {_LIMIT_MS}")
        return connection

    def _empty(self) -> None:
        """Drop every object; what cannot be dropped by itself goes with another's CASCADE, or in the second round."""
        with self._administrator() as connection:
            for _ in range(3):
                relations = self._relations(connection)
                if not relations:
                    break
                for schema, name, kind in relations:
                    drop = sql.SQL("DROP {} IF EXISTS {} CASCADE").format(
                        sql.SQL(_KINDS.get(kind, "TABLE")), sql.Identifier(schema, name)
                    )
                    with contextlib.suppress(psycopg.Error):
                        connection.execute(drop)
            for kind, catalog in _BESIDE.items():
                listed = sql.SQL(
                    "SELECT s.name, o.name FROM rw_catalog.{} AS o JOIN rw_catalog.rw_schemas AS s ON s.id = o.schema_id"
                )
                with contextlib.suppress(psycopg.Error):
                    for schema, name in connection.execute(listed.format(sql.Identifier(catalog))).fetchall():  # type: ignore[misc]
                        drop = sql.SQL("DROP {} {}").format(sql.SQL(kind), sql.Identifier(schema, name))
                        connection.execute(drop)

    @staticmethod
    def _relations(connection: psycopg.Connection[object]) -> list[tuple[str, str, str]]:
        try:
            return connection.execute(_RELATIONS).fetchall()  # type: ignore[return-value]
        except psycopg.Error:
            return connection.execute(_RELATIONS_OF_ONE_SCHEMA).fetchall()  # type: ignore[return-value]


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
