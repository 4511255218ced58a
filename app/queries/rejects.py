"""Why messages were rejected (view `rejects`).

Bounded to the newest rejects: the reasons of today matter, and the total is in `pipeline_counts`. Called by
app.feeds every ten seconds for all viewers together.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.database import Database

NEWEST_REJECTS = 10_000


@dataclass(frozen=True, slots=True)
class Reason:
    """How many of the newest rejects have this reason."""

    reject_reason: str
    messages: int


def reasons(database: Database) -> list[Reason]:
    """The reasons of the newest 10,000 rejects, most frequent first."""
    return database.fetch(
        Reason,
        """
        SELECT reject_reason, count(*) AS messages
        FROM (SELECT reject_reason FROM rejects ORDER BY kafka_timestamp DESC LIMIT 10000) AS newest
        GROUP BY reject_reason
        ORDER BY messages DESC, reject_reason
        LIMIT 50
        """,
    )
