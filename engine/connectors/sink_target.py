"""What a sink delivers and to what: batches of logged changes, and the one thing that every target can do with them.

No I/O here. Targets: `engine.connectors.sink_kafka`, `engine.connectors.sink_files`. Used by the delivery process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tailrace.errors import TailraceError


class DeliveryError(TailraceError):
    """The target does not take a batch now: it is delivered again, later."""

    sqlstate = "08006"


class DeliveryStopped(Exception):  # noqa: N818 - not an error: the process ends
    """Delivering was broken off because the process or the sink ends; nothing is recorded."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a log: `op` is RisingWave's (1 insert, 2 delete, 3 update insert, 4 update delete); `values` is what the
    target's `select` asked for."""

    seq: int
    op: int
    at_ms: int
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes in the order of the log, all durable; the same range when it is delivered again."""

    first: int
    last: int
    changes: Sequence[Change]


class Target(Protocol):
    """Where a sink delivers. Made anew whenever a delivery has failed."""

    select: Sequence[str]
    """SQL expressions over the log's columns that make `Change.values`."""
    batch_rows: int
    linger_s: float
    """How long a batch that is not full waits for more rows."""

    def deliver(self, batch: Batch) -> None:
        """Return when the target has all of it; raises DeliveryError, or DeliveryStopped."""

    def close(self) -> None:
        """Let go of the target."""
