"""RisingWave's functions that PostgreSQL lacks, as functions of SQL and PL/pgSQL: one file per family beside this one.

They stand in pg_catalog, which every query sees whatever its search_path is, so that nothing has to be rewritten. Where
PostgreSQL has a function of that name and those arguments with another meaning, ours stands in schema `rw`, and
`tailrace.sql` renames the call. The files are run in the order of FAMILIES, each in one piece, and again when their text has
changed. A file makes what it needs by CREATE OR REPLACE only: views may depend on what was there. So a released function
keeps its argument names and its result type; types are made by `DO` blocks that look first.

Called by `engine.catalog.versions` as superuser.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Any

import psycopg

FAMILIES = (
    "schema", "types", "int256", "maps", "system", "text", "numbers", "arrays", "jsonb", "time", "gap_fill", "soft", "aggregates",
)  # fmt: skip
"""Names of the .sql files, those that others need first."""


def texts() -> tuple[str, ...]:
    """The files' texts in order."""
    return tuple(files(__package__).joinpath(f"{family}.sql").read_text("utf-8") for family in FAMILIES)


def install(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Make or replace the functions unless this very text made them. The connection is in autocommit mode.

    Raises psycopg.Error when a file does not run; nothing is changed then. Takes about 50 ms when there is something to do.
    """
    pieces = texts()
    digest = hashlib.sha256("\0".join(pieces).encode()).hexdigest()
    if connection.execute("SELECT functions FROM engine.version").fetchone() == (digest,):
        return
    with connection.transaction():
        connection.execute("SET LOCAL check_function_bodies = off")  # they may call each other in any order
        for piece in pieces:
            connection.execute(piece)
        connection.execute("UPDATE engine.version SET functions = %s", (digest,))
