"""CREATE SINK INTO: what a barrier logged for a table is applied to it behind the barrier, in one transaction with the log.

Exactly once: the rows leave the log in the transaction that changes the table. It is READ COMMITTED, unlike a barrier, so
that it waits for a client's change of the same row instead of failing by it; the table's own triggers capture what changes,
and the next barrier takes that. A row that the table cannot hold (NULL in a NOT NULL column, a key too long for an index)
goes to engine.poison_rows. Called by the flow after each barrier.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg

from engine.catalog.objects import CatalogObject
from engine.compile.sink import DELETE, INSERT, UPDATE_DELETE, UPDATE_INSERT, log_name
from engine.operators.base import names, place_of, quote
from tailrace.sql.dialect import IGNORE, OVERWRITE

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]
_OF_DATA = ("22", "23", "54")
"""SQLSTATE classes that a row is to blame for: data exceptions, constraints, PostgreSQL's limits."""
_LATER = ("55P03", "40P01", "40001")
"""Somebody holds the table or the row just now: the next barrier tries again."""


def apply_waiting(connection: Connection, sink: CatalogObject) -> bool | None:
    """Apply what waits for the sink's table; False if nothing did, None if it has to wait longer."""
    waiting = f"SELECT EXISTS (SELECT FROM {log_name(sink.id)})"
    if connection.execute(waiting).fetchone() != (True,):
        return False
    error = _attempt(connection, sink, lambda: _apply(connection, sink, log_name(sink.id)))
    if error is not None and (error.sqlstate or "").startswith(_OF_DATA):
        error = _attempt(connection, sink, lambda: _apply_in_pieces(connection, sink))
    if error is None:
        return True
    if error.sqlstate not in _LATER:
        log.error("sink %s cannot change its table: %s", sink.name, error.diag.message_primary)
        _note(connection, sink, error)
    return None


def _attempt(connection: Connection, sink: CatalogObject, work: Callable[[], None]) -> psycopg.Error | None:
    """Run `work` in a transaction that empties the log as well; the error that undid it, if PostgreSQL has raised one."""
    try:
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            connection.execute("SET LOCAL lock_timeout = '50ms'")
            connection.execute("SET LOCAL synchronous_commit = off")
            work()
            for statement in _ended(sink):
                connection.execute(statement)
    except psycopg.Error as error:
        if connection.broken or error.sqlstate is None:
            raise
        return error
    return None


def _apply(connection: Connection, sink: CatalogObject, logged: str) -> None:
    for statement in changes(sink, logged):
        connection.execute(statement)


def _apply_in_pieces(connection: Connection, sink: CatalogObject) -> None:
    """As `_apply`, piece by piece in the order of the log, without the rows that the table cannot hold: those are set aside."""
    logged = log_name(sink.id)
    waiting = [[seq for (seq,) in connection.execute(f"SELECT _seq FROM {logged} ORDER BY _seq")]]
    while waiting:
        piece = waiting.pop()
        one = f"SELECT * FROM {logged} WHERE _seq BETWEEN {piece[0]} AND {piece[-1]}"
        try:
            with connection.transaction():
                _apply(connection, sink, f"({one})")
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith(_OF_DATA):
                raise
            if len(piece) > 1:
                middle = len(piece) // 2
                waiting.extend((piece[middle:], piece[:middle]))
                continue
            log.error("row of sink %s set aside: %s", sink.name, error.diag.message_primary)
            connection.execute(
                "INSERT INTO engine.poison_rows (source_id, origin, error, sqlstate) "
                f"SELECT %s, left(c::text, 2000), %s, %s FROM ({one}) AS c",
                (sink.id, error.diag.message_primary or str(error), error.sqlstate),
            )


def changes(sink: CatalogObject, logged: str) -> Sequence[str]:
    """The statements that make the changes of `logged`, the log or a part of it, to the table, in order."""
    into = sink.body["into"]
    table, columns = f"engine.table_{into['table']}", list(into["columns"])
    stored = {name: f"v{number}" for number, name in enumerate(columns, 1)}
    shown = ", ".join(f"l.{stored[c]} AS {quote(c)}" for c in columns)
    key = list(into["key"])
    rows = f"SELECT l._seq, l._op, {shown} FROM {logged} AS l"
    come, steps = f"SELECT * FROM ({rows}) AS l WHERE l._op IN ({INSERT}, {UPDATE_INSERT})", []
    if key:
        steps.append(f"SELECT pg_advisory_xact_lock(4566, {into['table']})")  # inserts take turns
        gone, come = _last_of_each(rows, key) if _overwrites(into) else _since_deleted(rows, key, into)
        steps.append(
            f"DELETE FROM {table} AS t USING (SELECT {place_of(table, 'd', key)} AS _at FROM ({gone}) AS d OFFSET 0) AS g "
            "WHERE t.ctid = g._at"
        )
    absent = " OR ".join(f"c.{quote(c)} IS NULL" for c in into["not_null"])
    if absent:
        steps.append(
            f"INSERT INTO engine.poison_rows (source_id, origin, error, sqlstate) SELECT {sink.id}, c::text, "
            f"'null value in a NOT NULL column of the sink''s table', '23502' FROM ({come}) AS c WHERE {absent}"
        )
    where = f" WHERE NOT ({absent})" if absent else ""
    steps.append(
        f"INSERT INTO {table} ({names(columns)}) SELECT {names(columns)} FROM ({come}) AS c{where} ORDER BY c._seq"
    )
    return steps


def _ended(sink: CatalogObject) -> Sequence[str]:
    """The statements that record what has been done and empty the log."""
    logged = log_name(sink.id)
    return (
        f"UPDATE engine.sink_progress AS p SET delivered_rows = delivered_rows + w.n, delivered_seq = w.last, "
        f"claimed_seq = w.last, last_delivered_at = clock_timestamp(), failures = 0 "
        f"FROM (SELECT count(*) AS n, max(_seq) AS last FROM {logged}) AS w WHERE p.sink_id = {sink.id} AND w.n > 0",
        f"DELETE FROM {logged}",
    )


def _overwrites(into: Mapping[str, Any]) -> bool:
    """Does a row replace the one with its key as a whole, so that only the last one counts?"""
    conflict = into.get("conflict") or {}
    return conflict.get("behaviour", OVERWRITE) == OVERWRITE and not conflict.get("versions")


def _last_of_each(rows: str, key: Sequence[str]) -> tuple[str, str]:
    """The rows that go and those that come: of each key the last word."""
    last = f"SELECT DISTINCT ON ({names(key)}) * FROM ({rows}) AS l ORDER BY {names(key)}, _seq DESC"
    return (
        f"SELECT * FROM ({last}) AS l WHERE l._op IN ({DELETE}, {UPDATE_DELETE})",
        f"SELECT * FROM ({last}) AS l WHERE l._op IN ({INSERT}, {UPDATE_INSERT})",
    )


def _since_deleted(rows: str, key: Sequence[str], into: Mapping[str, Any]) -> tuple[str, str]:
    """As `_last_of_each` where the table's ON CONFLICT decides between rows: all that came since the key's last deletion, which
    the table's triggers judge one after the other. The old row of an update goes only where the new one would be ignored.
    """
    goes = f"{DELETE}, {UPDATE_DELETE}" if into["conflict"]["behaviour"] == IGNORE else str(DELETE)
    ended = f"max(l._seq) FILTER (WHERE l._op IN ({goes})) OVER (PARTITION BY {names(key)})"
    all_rows = f"SELECT *, {ended} AS _ended FROM ({rows}) AS l"
    return (
        f"SELECT * FROM ({all_rows}) AS l WHERE l._seq = l._ended",
        f"SELECT * FROM ({all_rows}) AS l WHERE l._op IN ({INSERT}, {UPDATE_INSERT}) AND l._seq > coalesce(l._ended, 0)",
    )


def _note(connection: Connection, sink: CatalogObject, error: psycopg.Error) -> None:
    connection.execute(
        "UPDATE engine.sink_progress SET last_error = %s, failed_at = clock_timestamp(), failures = failures + 1 "
        "WHERE sink_id = %s",
        (f"{error.diag.message_primary} ({error.sqlstate})", sink.id),
    )
