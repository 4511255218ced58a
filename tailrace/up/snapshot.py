"""What the screen shows at one moment: plain values, so that the screen needs neither processes nor a
database.

Built by the launcher several times a second; read by `tailrace.up.screen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tailrace.up.component import Health
from tailrace.up.figures import Notice


@dataclass(frozen=True, slots=True)
class ComponentState:
    """One line of the component panel."""

    name: str
    health: Health
    restarts: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """Where this run's readings are: `produced` = ingested + rejected + duplicates + in flight."""

    produced: int = 0
    ingested: int = 0
    rejected: int = 0
    duplicates: int = 0
    late: int = 0

    @property
    def in_flight(self) -> int:
        """Acknowledged by the broker, not yet in the views; never below 0 (the two are read at different
        moments).
        """
        return max(0, self.produced - self.ingested - self.rejected - self.duplicates)


@dataclass(frozen=True, slots=True)
class Freshness:
    """Milliseconds from production to visibility: over the newest seconds, and p50 second by second (the
    sparkline).
    """

    p50: float | None = None
    p99: float | None = None
    history: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything on the screen. `duration_s` None means until Ctrl-C; rates are readings a second."""

    phase: str
    elapsed_s: float
    duration_s: float | None
    seed: int
    produced_rate: float
    ingested_rate: float
    account: Account
    freshness: Freshness
    stages: Mapping[str, int]
    newest: tuple[Notice, ...]
    components: tuple[ComponentState, ...]
    events: tuple[str, ...]
    dashboard_url: str | None
    sql_url: str
    kafka: str
