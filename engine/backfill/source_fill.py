"""The first fill of a view that reads sources alone: chunk by chunk, each committed with how far it has come.

A topic says at any time what it said before, so no snapshot has to be held: no old row version is kept alive for it, however
long the topic is, and a worker that was killed goes on behind its last chunk. Needs a program that takes its input in pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from engine.catalog.objects import CatalogObject
from engine.connectors.source import Position, SourceSpec
from engine.flow.source_input import first_positions, messages_between, positions, read_chunks

Connection = psycopg.Connection[tuple[Any, ...]]
Positions = dict[int, dict[int, Position]]
"""By source and partition."""


@dataclass(slots=True)
class SourceFill:
    """Where it ends, decided once with the epoch it then stands at, and how far it has come: kept in engine.backfills."""

    epoch: int
    now: datetime
    ends: Positions
    reached: Positions

    @staticmethod
    def begin(connection: Connection, epoch: int, now: datetime, sources: list[CatalogObject]) -> SourceFill:
        """From the sources' starts to where the shared readers stand in the transaction's snapshot."""
        ends = {s.id: positions(connection, s.id) for s in sources}
        return SourceFill(epoch, now, ends, {s.id: first_positions(s, ends[s.id]) for s in sources})

    @staticmethod
    def from_json(value: dict[str, Any]) -> SourceFill:
        """The reverse of `to_json`."""

        def read(kept: dict[str, list[dict[str, Any]]]) -> Positions:
            return {int(id_): {p["partition"]: Position(**p) for p in each} for id_, each in kept.items()}

        now = datetime.fromisoformat(value["now"])
        return SourceFill(value["epoch"], now, read(value["ends"]), read(value["reached"]))

    def to_json(self) -> dict[str, Any]:
        """Plain values for a jsonb column."""

        def shown(kept: Positions) -> dict[str, list[dict[str, Any]]]:
            return {str(id_): [asdict(p) for p in each.values()] for id_, each in kept.items()}

        return {
            "epoch": self.epoch,
            "now": self.now.isoformat(),
            "ends": shown(self.ends),
            "reached": shown(self.reached),
        }

    @property
    def left_messages(self) -> int:
        """How many messages are still to be read."""
        return sum(messages_between(self.reached[id_], end) for id_, end in self.ends.items())

    def save(self, connection: Connection, view: CatalogObject) -> None:
        """Keep it, in the transaction of the chunk that it describes."""
        connection.execute(
            "UPDATE engine.backfills SET source_fill = %s WHERE object_id = %s",
            (Jsonb(self.to_json()), view.id),
        )

    def run(
        self,
        connection: Connection,
        view: CatalogObject,
        source: CatalogObject,
        spec: SourceSpec,
        progress: Callable[[int], None],
    ) -> None:
        """Read one source to its end; a transaction a chunk, which also empties the delta tables."""
        chunks = read_chunks(
            connection, source, spec, self.reached[source.id], self.ends[source.id], now=self.now
        )
        for put_in, batch in chunks:
            with connection.transaction():
                put_in()
                connection.execute(
                    f"SELECT engine.step_{view.id}(%s, %s, false, false)", (self.now, self.now)
                )
                self.reached[source.id].update(batch.positions)
                self.save(connection, view)
            progress(len(batch.rows))
