"""How far ingest has come: messages, newest offsets and newest times per partition (view `ingest_lag`).

One row a partition, maintained by the engine. Called by app.feeds once a second for all viewers together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.database import Database


@dataclass(frozen=True, slots=True)
class Partition:
    """What is visible of one partition of the readings topic."""

    partition: int
    messages: int
    last_offset: int
    last_kafka_timestamp: datetime
    last_ts: datetime | None  # None: no valid reading in this partition yet


def partitions(database: Database) -> list[Partition]:
    """All partitions that have delivered a message, by number."""
    return database.fetch(
        Partition,
        """
        SELECT kafka_partition, messages, last_offset, last_kafka_timestamp, last_ts
        FROM ingest_lag
        ORDER BY kafka_partition
        LIMIT 1024
        """,
    )
