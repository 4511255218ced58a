"""The catalog's version: makes it in a new database, brings an older one up to date, refuses a newer one.

Each step of `engine.catalog.upgrades` takes the private schema from one version to the next in one transaction, so that a step
which fails leaves the version before it untouched. The visible schema holds no data: it is dropped and made again whenever
its text has changed. Programs of views stay as they were compiled (see docs/upgrades.md). Called by the flow when it opens,
under the engine's lock: nobody else writes here.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Any

import psycopg

from engine import functions
from engine.catalog import risingwave
from engine.catalog.schema import ADDED_IN_2, ADDED_IN_3, PRIVATE
from engine.catalog.upgrades import STEPS, Step
from engine.catalog.visible import GRANTS, VISIBLE, pg_class_view
from engine.operators.base import quote
from engine.state import STATE_VERSION
from tailrace.errors import TailraceError

Connection = psycopg.Connection[tuple[Any, ...]]
VERSION = STATE_VERSION

log = logging.getLogger(__name__)


class VersionError(TailraceError):
    """A database that this code can neither use as it is nor bring up to date."""

    sqlstate = "58000"


def bring_up_to_date(connection: Connection, steps: Sequence[Step] = STEPS) -> None:
    """Make the catalog, or upgrade it, and see that the visible schema and the functions are this code's.

    The connection is in autocommit mode.

    Raises VersionError when the database is newer, or when a step fails; the database is then as it was before that step.
    """
    found = version(connection)
    if found == 0:
        with connection.transaction():
            connection.execute(PRIVATE)
            for piece in (*ADDED_IN_2, *ADDED_IN_3):
                connection.execute(piece)
            connection.execute("UPDATE engine.version SET version = %s", (VERSION,))
            functions.install(connection)
            _make_visible(connection)
        return
    if found > VERSION:
        raise VersionError(
            f"the database is of version {found}, this engine knows up to {VERSION}",
            hint="use the Tailrace that wrote it or a newer one, or another directory with --data-dir",
        )
    for step in steps:
        if step.source >= found:
            _run(connection, step)
    functions.install(connection)
    with connection.transaction():
        _make_visible(connection)


def version(connection: Connection) -> int:
    """The version of the catalog in this database; 0 when there is none."""
    if connection.execute("SELECT to_regnamespace('engine') IS NULL").fetchone() == (True,):
        return 0
    if connection.execute("SELECT to_regclass('engine.version') IS NULL").fetchone() == (True,):
        return 1
    row = connection.execute("SELECT version FROM engine.version").fetchone()
    return int(row[0]) if row else 1


def _run(connection: Connection, step: Step) -> None:
    log.info("upgrading the catalog from version %d to %d", step.source, step.source + 1)
    try:
        with connection.transaction():
            step.apply(connection)
            connection.execute("UPDATE engine.version SET version = %s", (step.source + 1,))
    except psycopg.Error as error:
        raise VersionError(
            f"the upgrade from version {step.source} to {step.source + 1} failed, and nothing of it was done: {error}",
            hint="the Tailrace that wrote the state can go on with it; please report this with the message above",
        ) from error


_BUILT_ON_IT = """
WITH RECURSIVE built AS (
    SELECT oid FROM pg_class WHERE relnamespace = 'rw_catalog'::regnamespace
    UNION
    SELECT r.ev_class FROM built AS b
    JOIN pg_depend AS d ON d.refobjid = b.oid AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite AS r ON r.oid = d.objid
)
SELECT n.nspname, c.relname, pg_get_viewdef(c.oid) FROM built JOIN pg_class AS c USING (oid)
JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname <> 'rw_catalog' ORDER BY c.oid
"""
"""Clients' views that read the visible schema, those that others read first."""


def _make_again(connection: Connection, name: str, query: str) -> None:
    try:
        with connection.transaction():
            connection.execute(f"CREATE VIEW {name} AS {query}")
            connection.execute(f"GRANT SELECT ON {name} TO root, dashboard")
    except psycopg.Error as error:
        log.warning("view %s reads catalogs that have changed, and is gone: %s", name, error)


def _make_visible(connection: Connection) -> None:
    """Drop and make rw_catalog unless it was made from this very text."""
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'pg_catalog.pg_class'::regclass AND attnum > 0 ORDER BY attnum"
    ).fetchall()
    pg_class = pg_class_view([name for (name,) in rows if name != "oid"])
    texts = (VISIBLE, risingwave.visible(), pg_class, GRANTS)
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    if connection.execute("SELECT visible FROM engine.version").fetchone() == (digest,):
        return
    over_catalogs: list[tuple[str, str, str]] = []
    if connection.execute("SELECT to_regnamespace('rw_catalog') IS NOT NULL").fetchone() == (True,):
        over_catalogs = connection.execute(_BUILT_ON_IT).fetchall()
    connection.execute("DROP SCHEMA IF EXISTS rw_catalog CASCADE")
    for text in texts:
        connection.execute(text)
    for schema, name, query in over_catalogs:
        _make_again(connection, f"{quote(schema)}.{quote(name)}", query)
    connection.execute("UPDATE engine.version SET visible = %s", (digest,))
