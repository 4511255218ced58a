"""Rates: how many rows a source or a throttled table may bring now. `ALTER ... SET ..._RATE_LIMIT` sets them, 0 pauses.

A bucket for each object holds one second's rows. The rows of a throttled table's clients wait in engine.parked_<id> (see
`engine.ddl.rate_limits`) and are released by the flow, in their order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from engine.catalog.objects import CatalogObject

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(slots=True)
class Throttle:
    """`clock` gives seconds that only rise."""

    clock: Callable[[], float] = time.monotonic
    _buckets: dict[int, tuple[float, float]] = field(default_factory=dict)

    def allowed(self, id_: int, rate: int | None, most: int) -> int:
        """How many rows object `id_` may bring at `rate` rows a second (None: as many as it has), `most` at most."""
        if rate is None:
            self._buckets.pop(id_, None)
            return most
        now = self.clock()
        held, at = self._buckets.get(id_, (float(rate), now))
        held = min(float(rate), held + (now - at) * rate)
        self._buckets[id_] = (held, now)
        return min(most, int(held))

    def spent(self, id_: int, rows: int) -> None:
        """It has brought so many."""
        if id_ in self._buckets:
            held, at = self._buckets[id_]
            self._buckets[id_] = (held - rows, at)


def rate_of(item: CatalogObject, kind: str) -> int | None:
    """The limit of this kind (SOURCE, DML) that is set, rows a second; None: none."""
    rate = (item.body.get("rate_limits") or {}).get(kind)
    return None if rate is None else int(rate)


def release(connection: Connection, table: CatalogObject, rows: int) -> int:
    """Let so many waiting rows into a throttled table, in a transaction of its own; how many there were."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        connection.execute("SET LOCAL lock_timeout = '50ms'")
        found = connection.execute(f"SELECT engine.release_{table.id}(%s)", (rows,)).fetchone()
    return int(found[0]) if found else 0
