"""What a sink delivers and to what: batches of logged changes, and the one thing that every target can do with them.

No I/O here. A target is a module of its own (`engine.connectors.sink_kafka`, `sink_files`, `sink_http`, ...). Used by the
delivery process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tailrace.errors import TailraceError


class DeliveryError(TailraceError):
    """The target does not take a batch now: it is delivered again, later, and not before `wait_s` where the target asks that."""

    sqlstate = "08006"

    def __init__(self, message: str, *, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


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
class Refused:
    """A change that the target will never take, whatever it is asked: it is set aside, and the others go on."""

    seq: int
    error: str
    sqlstate: str = "08P01"


@dataclass(slots=True)
class Reached:
    """What has come of a batch so far. A target that takes change by change keeps it up to date, so that what it has taken is not
    sent again when a later change fails; the others leave it alone.
    """

    upto: int = 0
    """All changes up to this one are taken or refused."""
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes in the order of the log, all durable; the same range when it is delivered again, but for what was `reached`."""

    first: int
    last: int
    changes: Sequence[Change]
    reached: Reached = field(default_factory=Reached, compare=False)


class Target(Protocol):
    """Where a sink delivers. Made anew whenever a delivery has failed."""

    select: Sequence[str]
    """SQL expressions over the log's columns that make `Change.values`."""
    batch_rows: int
    linger_s: float
    """How long a batch that is not full waits for more rows."""

    def deliver(self, batch: Batch) -> None:
        """Return when the target has all of it but what it refuses; raises DeliveryError, or DeliveryStopped."""

    def close(self) -> None:
        """Let go of the target."""
