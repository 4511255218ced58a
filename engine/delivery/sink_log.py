"""One sink's log and progress in PostgreSQL: the next batch, what has been delivered, what failed.

**Only what is durable is delivered.** Barriers commit asynchronously: a row that is visible may still be lost with the machine.
A batch is therefore claimed first: its range is written to engine.sink_progress and committed synchronously. That commit returns
when the write-ahead log is flushed up to its own record; the record of a barrier whose rows this session has seen was
written before those rows became visible, so it lies below, and the log is flushed in order. The claim also pins the range:
after any crash the same batch comes again, so that a target that names things by range replaces instead of doubling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from engine.compile.sink import UPDATE_DELETE, log_name
from engine.connectors.sink_target import Batch, Change

Connection = psycopg.Connection[tuple[Any, ...]]
MAX_BATCH_BYTES = 8 << 20
_FETCH_ROWS = 200


def open_session(dsn: str) -> Connection:
    """A session whose commits are synchronous unless they say otherwise."""
    connection: Connection = psycopg.connect(dsn, autocommit=True, application_name="tailrace delivery")
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false), set_config('TimeZone', 'UTC', false)"
    )
    return connection


class SinkLog:
    """The log of sink `id_`, read by one session alone."""

    def __init__(self, connection: Connection, id_: int) -> None:
        self._connection = connection
        self._id = id_
        self._log = log_name(id_)

    def next_batch(self, select: Sequence[str], limit: int, *, at_least: int = 1) -> Batch | None:
        """Claim and return the next changes, `limit` at most and fewer when they are big; the claimed ones again if they have
        not been delivered. None when there are not `at_least` that many.
        """
        delivered, claimed = self._positions()
        if claimed > delivered:
            changes = self._read(select, delivered, claimed, None)
        else:
            changes = self._read(select, delivered, None, max(2, limit))
            if len(changes) > 1 and changes[-1].op == UPDATE_DELETE:
                changes.pop()  # an update's two rows are not torn apart
            if len(changes) < at_least:
                return None
        if not changes:
            return None
        batch = Batch(changes[0].seq, changes[-1].seq, changes)
        self._claim(batch)
        return batch

    def delivered(self, batch: Batch, upto: int | None = None) -> None:
        """Take the batch, or its changes up to `upto`, out of the log, and set aside what was refused of them. Not forced to
        disk: if it is lost, they are delivered once more.
        """
        last = batch.last if upto is None else upto
        refused = batch.reached.refused
        taken = sum(change.seq <= last for change in batch.changes) - len(refused)
        with self._connection.transaction():
            self._connection.execute("SET LOCAL synchronous_commit = off")
            for one in refused:
                self._connection.execute(
                    "INSERT INTO engine.poison_rows (source_id, origin, error, sqlstate) "
                    f"SELECT %s, left(l::text, 2000), %s, %s FROM {self._log} AS l WHERE _seq = %s",
                    (self._id, one.error, one.sqlstate, one.seq),
                )
            self._connection.execute(f"DELETE FROM {self._log} WHERE _seq <= %s", (last,))
            self._connection.execute(
                "UPDATE engine.sink_progress SET delivered_seq = %s, delivered_rows = delivered_rows + %s, "
                "last_delivered_at = CASE WHEN %s > 0 THEN clock_timestamp() ELSE last_delivered_at END, failures = 0 "
                "WHERE sink_id = %s",
                (last, taken, taken, self._id),
            )

    def failed(self, error: str, *, name: str = "", connector: str = "") -> None:
        """Show why nothing is delivered; the first failure in a row is an event of RisingWave's kind as well."""
        row = self._connection.execute(
            "UPDATE engine.sink_progress SET last_error = %s, failed_at = clock_timestamp(), failures = failures + 1 "
            "WHERE sink_id = %s RETURNING failures",
            (error, self._id),
        ).fetchone()
        if row == (1,):
            info = {"sinkId": self._id, "sinkName": name, "connector": connector, "error": error}
            self._connection.execute(
                "INSERT INTO engine.event_logs (event_type, info) VALUES ('SINK_FAIL', %s)",
                (Jsonb({"sinkFail": info}),),
            )

    def exists(self) -> bool:
        """Whether the sink is still there."""
        found = self._connection.execute("SELECT FROM engine.objects WHERE id = %s", (self._id,))
        return found.fetchone() is not None

    def _positions(self) -> tuple[int, int]:
        row = self._connection.execute(
            "SELECT delivered_seq, claimed_seq FROM engine.sink_progress WHERE sink_id = %s", (self._id,)
        ).fetchone()
        if row is None:
            raise psycopg.errors.UndefinedTable(f"sink {self._id} is gone")
        return int(row[0]), int(row[1])

    def _read(self, select: Sequence[str], after: int, to: int | None, limit: int | None) -> list[Change]:
        """Without `limit` all up to `to`; else as many as fit into a batch."""
        items = ", ".join(("_seq", "_op", "floor(extract(epoch FROM _at) * 1000)::bigint", *select))
        items = items.replace("%", "%%")  # the driver reads the rest as places of parameters
        where = "_seq > %(after)s" + ("" if to is None else " AND _seq <= %(to)s")
        query = f"SELECT {items} FROM {self._log} WHERE {where} ORDER BY _seq LIMIT %(limit)s"
        changes: list[Change] = []
        size = 0
        with self._connection.transaction(), self._connection.cursor("batch") as cursor:
            cursor.execute(query, {"after": after, "to": to, "limit": limit})
            while limit is None or size < MAX_BATCH_BYTES:
                rows = cursor.fetchmany(_FETCH_ROWS)
                if not rows:
                    break
                for seq, op, at_ms, *values in rows:
                    changes.append(Change(seq, op, at_ms, tuple(values)))
                    size += sum(len(v) for v in values if isinstance(v, str | bytes))
        return changes

    def _claim(self, batch: Batch) -> None:
        """Committed synchronously also when nothing changes in it: the flush is what matters."""
        self._connection.execute(
            "UPDATE engine.sink_progress SET claimed_seq = %s WHERE sink_id = %s", (batch.last, self._id)
        )
