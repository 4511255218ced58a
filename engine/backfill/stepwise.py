"""The first fill of a view, step by step, each committed with how far it has come.

No snapshot is held while it lasts, so no old row version is kept alive for it, however much there is; a worker that was killed
goes on behind its last step. Sources come first to last chunk as their topics say, which say at any time what they said
before. Stored inputs are copied in one snapshot, the only one, and come slice by slice from the copies
(`engine.backfill.copies`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from engine.backfill.copies import Copy
from engine.catalog.objects import CatalogObject
from engine.connectors.source import Position, SourceSpec
from engine.flow.source_input import first_positions, messages_between, positions, read_chunks

Connection = psycopg.Connection[tuple[Any, ...]]
Positions = dict[int, dict[int, Position]]
"""By source and partition."""


@dataclass(slots=True)
class Stepwise:
    """Where it ends, decided once with the epoch it then stands at, and how far it has come: kept in engine.backfills.

    `step` is the function that takes a piece in: the view's own, or the one that looks into the copies.
    """

    epoch: int
    now: datetime
    step: str
    ends: Positions = field(default_factory=dict)
    reached: Positions = field(default_factory=dict)
    copies: list[Copy] = field(default_factory=list)

    def read_to(self, connection: Connection, sources: list[CatalogObject]) -> None:
        """Sources are read from their starts to where the shared readers stand in the transaction's snapshot."""
        self.ends = {s.id: positions(connection, s.id) for s in sources}
        self.reached = {s.id: first_positions(s, self.ends[s.id]) for s in sources}

    @staticmethod
    def from_json(value: dict[str, Any]) -> Stepwise:
        """The reverse of `to_json`."""

        def read(kept: dict[str, list[dict[str, Any]]]) -> Positions:
            return {int(id_): {p["partition"]: Position(**p) for p in each} for id_, each in kept.items()}

        return Stepwise(
            value["epoch"],
            datetime.fromisoformat(value["now"]),
            value["step"],
            read(value["ends"]),
            read(value["reached"]),
            [Copy(**each) for each in value["copies"]],
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for a jsonb column."""

        def shown(kept: Positions) -> dict[str, list[dict[str, Any]]]:
            return {str(id_): [asdict(p) for p in each.values()] for id_, each in kept.items()}

        return {
            "epoch": self.epoch,
            "now": self.now.isoformat(),
            "step": self.step,
            "ends": shown(self.ends),
            "reached": shown(self.reached),
            "copies": [asdict(each) for each in self.copies],
        }

    @property
    def left_rows(self) -> int:
        """How many messages and copied rows are still to be taken in."""
        messages = sum(messages_between(self.reached[id_], end) for id_, end in self.ends.items())
        return messages + sum(each.left_rows for each in self.copies)

    def save(self, connection: Connection, view: CatalogObject) -> None:
        """Keep it, in the transaction of the step that it describes."""
        connection.execute(
            "UPDATE engine.backfills SET source_fill = %s WHERE object_id = %s",
            (Jsonb(self.to_json()), view.id),
        )

    def advance(self, connection: Connection, *, initial: bool = False) -> None:
        """Let the view take in what its inputs' delta tables hold."""
        connection.execute(f"SELECT {self.step}(%s, %s, %s, false)", (self.now, self.now, initial))

    def run_copies(
        self, connection: Connection, view: CatalogObject, progress: Callable[[int], None]
    ) -> None:
        """Take the copies in, the smallest first: what is looked up is then there when the largest comes."""
        for copy in self.copies:
            while copy.left_pages:
                with connection.transaction():
                    rows = copy.put_in(connection, view.id)
                    self.advance(connection)
                    self.save(connection, view)
                progress(rows)

    def run_source(
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
                self.advance(connection)
                self.reached[source.id].update(batch.positions)
                self.save(connection, view)
            progress(len(batch.rows))
