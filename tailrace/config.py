"""Defaults and environment variables, in one place.

Assumes nothing and imports nothing of ours, so that any part of the tooling may read it. Callers: the CLI,
the launcher, the topic tools, verify and monitor. The two URLs are the project's two seams: where SQL and
Kafka live.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
BROKER_PORT: Final = 9092
SQL_PORT: Final = 4566
DASHBOARD_PORT: Final = 8501

SQL_URL_VARIABLE: Final = "TAILRACE_SQL_URL"
KAFKA_VARIABLE: Final = "TAILRACE_KAFKA"
PROJECT_VARIABLE: Final = "TAILRACE_PROJECT"
DEFAULT_SQL_URL: Final = f"postgresql://root@{HOST}:{SQL_PORT}/dev"
DEFAULT_KAFKA: Final = f"{HOST}:{BROKER_PORT}"

DATA_DIR: Final = Path(".tailrace")
DATA_FORMAT: Final = 1
"""Layout of the data directory; raised when an older directory can no longer be read."""

MIN_FREE_BYTES: Final = 1 << 30
"""Below this much free disk `tailrace up` does not start: a database that runs full loses more than a
start.
"""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the product: its name, how many partitions it is created with, and the broker's settings for it."""

    name: str
    partitions: int
    settings: tuple[tuple[str, str], ...] = ()


READINGS: Final = Topic("telemetry.readings", 3)
TRUTH: Final = Topic("telemetry.truth", 1)
ALERTS: Final = Topic("telemetry.alerts", 1, (("cleanup.policy", "compact"),))
TOPICS: Final = (READINGS, TRUTH, ALERTS)


def sql_url() -> str:
    """Where SQL is spoken: TAILRACE_SQL_URL, or the embedded engine's usual address."""
    return os.environ.get(SQL_URL_VARIABLE) or DEFAULT_SQL_URL


def kafka() -> str:
    """The Kafka bootstrap servers: TAILRACE_KAFKA, or the embedded broker's usual address."""
    return os.environ.get(KAFKA_VARIABLE) or DEFAULT_KAFKA
