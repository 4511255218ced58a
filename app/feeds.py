"""What all viewers share: the database, and the answers that are the same for everybody.

Ten open pages ask `ingest_lag` as often as one does: an answer is kept for its interval, and whoever comes
first fetches it for the others. When the engine does not answer, the last answer stays (the page says so),
so that a restart of the engine does not blank the page. Held in st.cache_resource by app.border; called by
the sections.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Generic, TypeVar

from app import settings
from app.database import Database, EngineUnreachableError
from app.pulse import Pulse, PulseView, Sample
from app.queries import anomalies, counts, devices, ingest, rejects

Value = TypeVar("Value")

KEEP_DEVICES = 200


class Shared(Generic[Value]):
    """One answer, kept for `every_s` seconds and fetched by one thread at a time."""

    def __init__(
        self, load: Callable[[], Value], every_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._load = load
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._value: Value | None = None
        self._loaded_at = float("-inf")

    def get(self) -> Value:
        """The answer, at most `every_s` old, or the last one while the engine is away.

        Raises EngineUnreachableError when there has been no answer yet.
        """
        with self._lock:
            # Two tenths early: a fragment's timer is not exact, and must not find it a moment too young.
            if self._value is None or self._clock() - self._loaded_at >= 0.8 * self._every_s:
                try:
                    self._value = self._load()
                    self._loaded_at = self._clock()
                except EngineUnreachableError:
                    if self._value is None:
                        raise
            return self._value


class Feeds:
    """One per SQL endpoint and process."""

    def __init__(self, sql_url: str) -> None:
        self.place = settings.place(sql_url)
        self.database = Database(sql_url)
        self._history = Pulse()
        self._metrics: dict[str, Shared[list[devices.Metric]]] = {}
        self._metrics_lock = threading.Lock()
        self.pulse: Shared[PulseView] = Shared(self._take_sample, settings.PULSE_EVERY_S)
        self.counts = Shared(lambda: counts.counts(self.database), settings.COUNTS_EVERY_S)
        self.anomalies = Shared(lambda: anomalies.newest(self.database), settings.ANOMALIES_EVERY_S)
        self.rejects = Shared(lambda: rejects.reasons(self.database), settings.REJECTS_EVERY_S)
        self.registry = Shared(lambda: devices.registry(self.database), settings.REGISTRY_EVERY_S)

    def metrics(self, device_id: str) -> list[devices.Metric]:
        """What a device measures; remembered for as long as the registry, for the devices looked at last."""
        with self._metrics_lock:
            shared = self._metrics.pop(device_id, None) or Shared(
                lambda: devices.metrics(self.database, device_id), settings.REGISTRY_EVERY_S
            )
            self._metrics[device_id] = shared
            while len(self._metrics) > KEEP_DEVICES:
                self._metrics.pop(next(iter(self._metrics)))
        return shared.get()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self.database.close()

    def _take_sample(self) -> PulseView:
        partitions = tuple(ingest.partitions(self.database))
        self._history.add(Sample(at=datetime.now(UTC), partitions=partitions))
        return self._history.view()
