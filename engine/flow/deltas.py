"""The delta tables of the flow's session: made when a barrier first wants them, dropped when long unused.

Every commit that touches a delta table empties them all, some 40 us each, changed or not. So a session has those of the objects
that move, and of a few that have moved lately: what a barrier costs does not depend on how many objects there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from engine.catalog.objects import CatalogObject
from engine.ddl.create_view import dropped_temporaries
from engine.flow.session import make_temporaries

Connection = psycopg.Connection[tuple[Any, ...]]
KEPT = 32
"""So many objects keep their delta tables in any case, and the others for as many turns after their last one."""
AT_ONCE = 8
"""A shed drops the delta tables of so many objects, about a millisecond each."""


@dataclass(slots=True)
class Deltas:
    """What the session has. `wide`: rows of any size fit (see `engine.compile.program.temporary_table`)."""

    wide: bool = False
    _turn: int = 0
    _used: dict[int, int] = field(default_factory=dict)
    """The turn in which an object's tables were wanted last, the longest unused first."""

    def want(self, connection: Connection, items: Iterable[CatalogObject]) -> None:
        """Make the delta tables of `items` where the session has none; a turn."""
        self._turn += 1
        for item in items:
            if self._used.pop(item.id, None) is None:
                make_temporaries(connection, [item], wide=self.wide)
            self._used[item.id] = self._turn

    def forget(self, ids: Iterable[int]) -> None:
        """Those objects' tables are gone, or are not as they should be any more."""
        for id_ in ids:
            self._used.pop(id_, None)

    def shed(self, connection: Connection, objects: Mapping[int, CatalogObject]) -> None:
        """Drop delta tables that no barrier has wanted for long."""
        spare = min(len(self._used) - KEPT, AT_ONCE)
        for id_, turn in list(self._used.items())[: max(spare, 0)]:
            if turn >= self._turn - KEPT:
                return
            del self._used[id_]
            if id_ in objects:
                for statement in dropped_temporaries(objects[id_]):
                    connection.execute(statement)

    def saved(self) -> dict[int, int]:
        """What the session has now, for `restore` should the transaction fail."""
        return dict(self._used)

    def restore(self, saved: dict[int, int]) -> None:
        """The transaction has been undone: the session has what it had at its beginning."""
        self._used = saved
