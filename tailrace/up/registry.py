"""Tell the SQL side which devices exist and what is normal: the rows of `devices` and `metric_limits`.

Assumes that both tables overwrite on an existing primary key, so that seeding again is harmless. The rows
come from the loader's fleet, which needs only the number of devices and the seed. Caller: the launcher.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from psycopg import sql

from loader.fleet import Fleet
from tailrace.up.figures import Connection

BATCH_ROWS: Final = 500


def seed_registry(
    connection: Connection, devices: int, seed: int, *, on_progress: Callable[[int], None] | None = None
) -> int:
    """Insert the fleet, 500 rows a statement, and FLUSH so that the views see it; give the number of rows."""
    fleet = Fleet(devices=devices, seed=seed)
    done = 0
    tables: tuple[tuple[str, Sequence[Any]], ...] = (
        ("metric_limits", fleet.limit_rows()),
        ("devices", fleet.device_rows()),
    )
    for table, rows in tables:
        for begin in range(0, len(rows), BATCH_ROWS):
            batch = rows[begin : begin + BATCH_ROWS]
            connection.execute(_insert(table, batch))
            done += len(batch)
            if on_progress is not None:
                on_progress(done)
    connection.execute("FLUSH")
    return done


def _insert(table: str, rows: Sequence[Any]) -> sql.Composed:
    names = rows[0]._fields
    values = (sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, row))) for row in rows)
    return sql.SQL("INSERT INTO {} ({}) VALUES {}").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join(values)
    )
