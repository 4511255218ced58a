"""Connector blackhole: takes every batch and keeps nothing. For measuring a view by a sink that costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.connectors.sink_target import Batch


@dataclass(slots=True)
class BlackholeTarget:
    """See `engine.connectors.sink_target.Target`."""

    select: Sequence[str] = ()
    batch_rows: int = 10_000
    linger_s: float = 0.0

    def deliver(self, batch: Batch) -> None:
        """Done."""

    def close(self) -> None:
        """Nothing is held."""
