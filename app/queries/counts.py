"""How many rows each stage holds (view `pipeline_counts`), and the sum that must come out even.

Called by app.feeds every few seconds for all viewers together.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.database import Database


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows per stage, all of one barrier. `late` is a part of `readings`; `duplicates` are extra copies."""

    messages: int = 0
    readings: int = 0
    rejects: int = 0
    duplicates: int = 0
    late: int = 0
    anomalies: int = 0

    @property
    def missing(self) -> int:
        """Messages that no stage accounts for: 0 when the sum comes out, negative when rows count twice."""
        return self.messages - self.readings - self.rejects - self.duplicates


def counts(database: Database) -> Counts:
    """The counts now; a stage without a row (or with a NULL sum) counts as 0."""
    rows = database.fetch(
        lambda stage, rows: (stage, rows), 'SELECT stage, "rows" FROM pipeline_counts LIMIT 64'
    )
    known = {stage: int(total or 0) for stage, total in rows if stage in Counts.__dataclass_fields__}
    return Counts(**known)
