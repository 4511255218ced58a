"""Makes composed types before a statement that names them: structs and maps, by the functions of `engine/functions`; vectors are
those of the extension pgvector, which is put into the database when the first statement names them.

Called by the flow, for its own statements and on behalf of the front door's; types are never dropped, since stored columns may
have them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from tailrace.errors import UnsupportedFeature
from tailrace.sql.types import ComposedType, StructType, VectorType

Connection = psycopg.Connection[tuple[Any, ...]]


def provide(connection: Connection, types: Iterable[ComposedType]) -> None:
    """Make those of `types` that are not there yet; others are made of those that come first. Costs 1 to 10 ms for each."""
    for type_ in types:
        if isinstance(type_, StructType):
            names, kinds = [n for n, _ in type_.fields], [t for _, t in type_.fields]
            connection.execute("SELECT rw.make_struct(%s, %s, %s)", (type_.name, names, kinds))
        elif isinstance(type_, VectorType):
            _provide_vectors(connection)
        else:
            arguments = (type_.name, type_.key, type_.value, type_.entry.name)
            connection.execute("SELECT rw.make_map(%s, %s, %s, %s)", arguments)


def _provide_vectors(connection: Connection) -> None:
    """The type `vector` with its functions and operators, in pg_catalog, which needs no search path. About 100 ms, once."""
    there, can_be = connection.execute(
        "SELECT to_regtype('vector') IS NOT NULL, EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')"
    ).fetchone() or (False, False)
    if there:
        return
    if not can_be:
        raise UnsupportedFeature(
            "type vector(n): the PostgreSQL underneath has no extension pgvector",
            hint="install it there, or use real[]",
        )
    connection.execute("CREATE EXTENSION vector SCHEMA pg_catalog")
