"""A table of a PostgreSQL as a sink's target: a batch is a transaction there.

`upsert` writes the last row of each key and deletes the keys that have gone; the same batch twice leaves the same table, so that
each change counts once. `append-only` inserts; so that nothing is inserted twice, the range of the batch is written in the same
transaction to `tailrace_sinks` beside the table (`engine.connectors.postgres_position`), where the user may make that table; else
a kill can insert a batch again.

A row that the table does not take (a constraint, a value beyond its type) is found by halving the batch within the transaction,
and set aside (`Refused`). What is about the database (no answer, no table, no rights, a lock) is tried again. Used by the
delivery process; `check_table` by the DDL.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql

from engine.compile.sink import DELETE, UPDATE_DELETE, log_columns
from engine.connectors.postgres_position import Position
from engine.connectors.postgres_table import Table, connect, read_table, reason, where
from engine.connectors.sink import SinkSpec, SinkType
from engine.connectors.sink_target import Batch, Change, DeliveryError, DeliveryStopped, Refused
from engine.operators.base import Column

_OF_DATA: Final = ("22", "23", "54", "P0001")
"""SQLSTATEs that a row is to blame for: data exceptions, constraints, PostgreSQL's limits, a trigger's own RAISE."""


class _Row(NamedTuple):
    """A change as it is written: `values` are texts."""

    seq: int
    values: Sequence[str | None]


class PostgresTarget:
    """One sink's connection. `prefix` tells its position from those of any other sink."""

    linger_s = 0.0

    def __init__(self, prefix: str, spec: SinkSpec, columns: Sequence[Column], stop: threading.Event) -> None:
        self._spec, self._stop = spec, stop
        self.batch_rows = int(spec.options["max_batch_rows"])
        self.select: Sequence[str] = [f"{name}::text" for name, _ in log_columns(columns)]
        self._names = [column.name for column in columns]
        self._key = [self._names.index(name) for name in spec.primary_key]
        try:
            self._connection = connect(spec)
            try:
                table = read_table(self._connection, spec)
            except psycopg.Error:
                self._connection.close()
                raise
        except psycopg.Error as error:
            raise self._refuses(error) from error
        missing = [name for name in self._names if name not in table.types]
        if missing:
            self._connection.close()
            raise DeliveryError(f"{where(spec)} has no column {missing[0]}")
        self._write, self._delete = _statements(table, self._names, spec)
        self._position = Position(prefix, spec) if spec.type is SinkType.APPEND_ONLY else None

    def deliver(self, batch: Batch) -> None:
        """See `Target`."""
        if self._stop.is_set():
            raise DeliveryStopped
        try:
            with self._connection.transaction():
                done = self._position.done(self._connection, batch) if self._position else None
                if done is None:
                    done = self._apply(batch)
                    if self._position:
                        self._position.note(self._connection, batch, done)
        except psycopg.Error as error:
            raise self._refuses(error) from error
        batch.reached.refused.extend(done)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _apply(self, batch: Batch) -> list[Refused]:
        """Write the batch; the rows that the table does not take."""
        refused: list[Refused] = []
        if self._spec.type is SinkType.APPEND_ONLY:
            self._execute(self._write, [_Row(c.seq, c.values) for c in batch.changes], refused)
            return refused
        last: dict[tuple[str | None, ...], Change] = {}
        for change in batch.changes:
            if change.op != UPDATE_DELETE:  # the new row follows under the same key
                last[tuple(change.values[i] for i in self._key)] = change
        gone = [_Row(c.seq, key) for key, c in last.items() if c.op == DELETE]
        come = [_Row(c.seq, c.values) for c in last.values() if c.op != DELETE]
        self._execute(self._delete, gone, refused)
        self._execute(self._write, come, refused)
        return refused

    def _execute(self, statement: sql.Composed, rows: Sequence[_Row], refused: list[Refused]) -> None:
        """Run the statement for all rows at once, in halves where it fails by one of them."""
        waiting = [rows] if rows else []
        while waiting:
            piece = waiting.pop()
            arrays = [list(column) for column in zip(*(row.values for row in piece), strict=True)]
            try:
                with self._connection.transaction():
                    self._connection.execute(statement, arrays)
            except psycopg.Error as error:
                if self._connection.broken or not (error.sqlstate or "").startswith(_OF_DATA):
                    raise
                if len(piece) > 1:
                    middle = len(piece) // 2
                    waiting += [piece[middle:], piece[:middle]]
                else:
                    said = error.diag.message_primary or str(error)
                    refused.append(Refused(piece[0].seq, said, error.sqlstate or "22000"))

    def _refuses(self, error: psycopg.Error) -> DeliveryError:
        state = f" ({error.sqlstate})" if error.sqlstate else ""
        return DeliveryError(f"{where(self._spec)} takes nothing: {reason(error)}{state}")


def _statements(table: Table, names: Sequence[str], spec: SinkSpec) -> tuple[sql.Composed, sql.Composed]:
    """INSERT and DELETE for arrays of texts, one for each column of the sink, or of its key."""
    target = sql.Identifier(spec.options["schema"], spec.options["table"])
    types = [table.types[name] for name in names]
    insert = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(
        target, _listed(names), _cast(types), _arrays(len(names))
    )
    if spec.type is SinkType.APPEND_ONLY:
        return insert, sql.Composed([])
    rest = [name for name in names if name not in spec.primary_key]
    change: sql.Composable = sql.SQL("NOTHING")
    if rest:
        item = sql.SQL("{0} = EXCLUDED.{0}")
        change = sql.SQL("UPDATE SET ") + sql.SQL(", ").join(
            item.format(sql.Identifier(name)) for name in rest
        )
    key = list(spec.primary_key)
    insert += sql.SQL(" ON CONFLICT ({}) DO {}").format(_listed(key), change)
    delete = sql.SQL("DELETE FROM {} WHERE ({}) IN (SELECT {} FROM {})").format(
        target, _listed(key), _cast([table.types[name] for name in key]), _arrays(len(key))
    )
    return insert, delete


def _listed(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _cast(types: Sequence[str]) -> sql.Composed:
    """The texts of a row as the table's types; the types' names are PostgreSQL's own, quoted where they must be."""
    items = [sql.SQL("u.") + sql.Identifier(f"c{n}") + _as(type_) for n, type_ in enumerate(types)]
    return sql.SQL(", ").join(items)


def _as(type_: str) -> sql.Composable:
    name: Any = type_.replace("%", "%%")
    return sql.SQL("::") + sql.SQL(name)


def _arrays(count: int) -> sql.Composed:
    places = sql.SQL(", ").join([sql.SQL("%s::text[]")] * count)
    return sql.SQL("unnest({}) AS u ({})").format(places, _listed([f"c{n}" for n in range(count)]))
