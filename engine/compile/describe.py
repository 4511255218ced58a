"""Type inference by PostgreSQL: what a query's columns are called and typed, without running it.

The one place of `engine.compile` that talks to a database; everything else gets it as an `Environment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from engine.compile.relations import Environment, Lookup
from engine.functions.composed import provide
from engine.operators.base import Column
from tailrace.errors import TailraceError

Connection = psycopg.Connection[tuple[Any, ...]]


def translated(error: psycopg.Error) -> TailraceError:
    """A PostgreSQL error as one of ours: its message and SQLSTATE are kept."""
    diagnostic = error.diag
    return TailraceError(
        diagnostic.message_primary or str(error),
        sqlstate=diagnostic.sqlstate or "XX000",
        detail=diagnostic.message_detail,
        hint=diagnostic.message_hint,
    )


def environment(connection: Connection, lookup: Lookup) -> Environment:
    """An Environment over a connection that is inside a transaction."""
    types: dict[tuple[int, int], str] = {}

    def describe(query: str) -> Sequence[Column]:
        try:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM ({query}) AS q LIMIT 0")
                result = cursor.pgresult
                if result is None or cursor.description is None:
                    raise TailraceError(f"cannot describe: {query}")
                columns = []
                for position, item in enumerate(cursor.description):
                    kind = (item.type_code, result.fmod(position))
                    columns.append((item.name, kind))
                for kind in {k for _, k in columns} - types.keys():
                    row = connection.execute("SELECT format_type(%s, %s)", kind).fetchone()
                    types[kind] = row[0] if row else "text"
                return [Column(name, types[kind]) for name, kind in columns]
        except psycopg.Error as error:
            raise translated(error) from error

    def function_kinds(names: Sequence[str]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {n: set() for n in names}
        rows = connection.execute(
            "SELECT proname, CASE WHEN proretset THEN 'r' ELSE prokind::text END || provolatile::text "
            "FROM pg_proc WHERE proname = ANY(%s)",
            (list(names),),
        )
        for name, kind in rows:
            found[name].add(kind)
        return found

    return Environment(lookup, describe, function_kinds, lambda types: provide(connection, types))
