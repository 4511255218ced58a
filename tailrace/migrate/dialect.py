"""RisingWave for SQLAlchemy and alembic: what their PostgreSQL assumptions get wrong, corrected.

- The dialect `risingwave+tailrace` is sqlalchemy-risingwave over psycopg 3, but knows autocommit and looks for
  tables where both engines list them. Importing this module registers it.
- `RisingWaveImpl` gives alembic an implementation (without one it raises KeyError('risingwave')): no
  transactional DDL, and a version table without VARCHAR(32) and without a primary key, since alembic
  updates that column in place.

Used by `connection` and `environment`.
"""

from __future__ import annotations

from typing import Any

from alembic.ddl.impl import DefaultImpl
from sqlalchemy import Column, Connection, MetaData, String, Table, text
from sqlalchemy.dialects import registry
from sqlalchemy_risingwave.psycopg import RisingWaveDialect_psycopg

DRIVER = "risingwave+tailrace"


class TailraceDialect(RisingWaveDialect_psycopg):  # type: ignore[misc]
    """sqlalchemy-risingwave with autocommit, and tables looked up where neither engine's storage shows."""

    driver = "tailrace"
    supports_statement_cache = True

    def get_isolation_level_values(self, dbapi_conn: Any) -> tuple[str, ...]:
        """Adds AUTOCOMMIT, which psycopg offers and sqlalchemy-risingwave leaves out."""
        return ("AUTOCOMMIT", *super().get_isolation_level_values(dbapi_conn))

    def has_table(self, connection: Connection, table_name: str, schema: str | None = None, **_: Any) -> bool:
        """Whether a table of this name exists, in any schema: one pipeline lives in a database."""
        query = text("SELECT count(*) FROM rw_catalog.rw_tables WHERE name = :name")
        return bool(connection.execute(query, {"name": table_name}).scalar())


class RisingWaveImpl(DefaultImpl):
    """alembic on RisingWave; found by its `__dialect__`."""

    __dialect__ = "risingwave"
    transactional_ddl = False

    def version_table_impl(
        self, *, version_table: str, version_table_schema: str | None, version_table_pk: bool, **_: Any
    ) -> Table:
        """One nullable column of plain VARCHAR, no key."""
        return Table(version_table, MetaData(), Column("version_num", String()), schema=version_table_schema)


registry.register("risingwave.tailrace", __name__, TailraceDialect.__name__)
