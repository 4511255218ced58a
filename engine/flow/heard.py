"""Which tables clients have changed since a barrier took their changes, as PostgreSQL tells the flow's own session.

Every change notifies on the channel in its transaction (`engine.ddl.table_storage`). PostgreSQL signals the listeners before the
client hears of its commit, and a session takes notice before it has answered its next statement: who asks after a commit,
hears of it. So a barrier looks at the tables that have changed, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]
CHANNEL = "tailrace_changes"
_AT_ONCE = 200


@dataclass(slots=True)
class Heard:
    """Ids of tables; it may hold more than have changed, never less."""

    _ids: set[int] = field(default_factory=set)

    def listen(self, connection: Connection) -> None:
        """Hear from this session what is changed from now on."""
        connection.add_notify_handler(lambda notice: self._ids.add(int(notice.payload)))
        connection.execute(f"LISTEN {CHANNEL}")

    def ask(self, connection: Connection) -> None:
        """Return when all is heard that was committed before; outside of a transaction."""
        connection.execute("SELECT")

    def add(self, ids: Iterable[int]) -> None:
        """Those tables may hold changes."""
        self._ids.update(ids)

    def take(self) -> set[int]:
        """All that is heard, and forget it: whoever takes it gives it back by `add` if he fails."""
        taken, self._ids = self._ids, set()
        return taken


def waiting(connection: Connection, tables: Sequence[int]) -> list[int]:
    """Those of the tables whose logs show changes in the transaction's snapshot. Cost: some microseconds a table."""
    found: list[int] = []
    for first in range(0, len(tables), _AT_ONCE):
        looks = (
            f"SELECT {id_:d} WHERE EXISTS (SELECT FROM engine.changes_{id_:d})"
            for id_ in tables[first : first + _AT_ONCE]
        )
        found.extend(id_ for (id_,) in connection.execute(" UNION ALL ".join(looks)))
    return found
