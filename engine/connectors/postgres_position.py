"""How far an append-only sink has come, kept in the target's own database: written in the transaction that inserts the rows.

The table `tailrace_sinks` holds a row for each such sink: the range of the last batch, and what was refused of it. A batch that
is delivered again and has just that range is in the table already. Only equal ranges count, and only for the first batch of a
connection: an engine restored from a backup has a log that goes on from an older place, and must not take its rows for old ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from engine.connectors.postgres_table import Connection
from engine.connectors.sink import SinkSpec
from engine.connectors.sink_target import Batch, Refused

TABLE = "tailrace_sinks"
_RIGHTS = "SELECT, INSERT, UPDATE"


def make_room(connection: Connection, spec: SinkSpec) -> str | None:
    """Make the table of positions if it is not there; what a user should know where that is not allowed."""
    place = _place(spec)
    try:
        connection.execute(
            sql.SQL(
                "CREATE TABLE IF NOT EXISTS {} (sink text PRIMARY KEY, first_seq bigint NOT NULL, last_seq bigint NOT NULL, "
                "refused jsonb NOT NULL, written_at timestamptz NOT NULL DEFAULT now())"
            ).format(place)
        )
    except psycopg.errors.InsufficientPrivilege:
        pass
    if _may_write(connection, spec):
        return None
    return (
        f"rows may be inserted twice after a crash: {spec.options['user']} may not keep the sink's position in "
        f"{spec.options['schema']}.{TABLE} (GRANT CREATE ON SCHEMA, or make it and GRANT {_RIGHTS})"
    )


class Position:
    """One sink's row of that table, where there is one to be had."""

    def __init__(self, sink: str, spec: SinkSpec) -> None:
        self._sink, self._spec = sink, spec
        self._place = _place(spec)
        self._kept: bool | None = None
        self._first = True

    def done(self, connection: Connection, batch: Batch) -> list[Refused] | None:
        """What was refused of the batch if it has been written already; None if it has not."""
        if self._kept is None:
            self._kept = _may_write(connection, self._spec)
        if not self._kept or not self._first:
            return None
        row = connection.execute(
            sql.SQL("SELECT refused FROM {} WHERE (sink, first_seq, last_seq) = (%s, %s, %s)").format(
                self._place
            ),
            (self._sink, batch.first, batch.last),
        ).fetchone()
        if row is None:
            return None
        self._first = False
        return [Refused(seq, error, state) for seq, error, state in row[0]]

    def note(self, connection: Connection, batch: Batch, refused: Sequence[Refused]) -> None:
        """Note the batch, within the transaction that writes it."""
        self._first = False
        if not self._kept:
            return
        connection.execute(
            sql.SQL(
                "INSERT INTO {} (sink, first_seq, last_seq, refused) VALUES (%s, %s, %s, %s) ON CONFLICT (sink) DO UPDATE SET "
                "first_seq = EXCLUDED.first_seq, last_seq = EXCLUDED.last_seq, refused = EXCLUDED.refused, written_at = now()"
            ).format(self._place),
            (self._sink, batch.first, batch.last, Jsonb([[r.seq, r.error, r.sqlstate] for r in refused])),
        )


def _place(spec: SinkSpec) -> sql.Identifier:
    return sql.Identifier(spec.options["schema"], TABLE)


def _may_write(connection: Connection, spec: SinkSpec) -> bool:
    row = connection.execute(
        "SELECT coalesce(bool_and(has_table_privilege(c.oid, r)), false) FROM pg_class AS c JOIN pg_namespace AS n "
        "ON n.oid = c.relnamespace, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS r WHERE n.nspname = %s AND c.relname = %s",
        (spec.options["schema"], TABLE),
    ).fetchone()
    return row == (True,)
