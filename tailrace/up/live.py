"""What is going on right now: collects the figures of all sides into one snapshot for the screen.

Job: turn running counts into this run's account and into rates. Holds the list of events, which components
add to from their own threads. Caller: the launcher's loop, several times a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import orjson

from tailrace.up.figures import Poller
from tailrace.up.ground import DataDir
from tailrace.up.options import Options
from tailrace.up.rates import Rate
from tailrace.up.services import Services
from tailrace.up.snapshot import Account, Freshness, Snapshot
from tailrace.verify.reconcile import Counts

RECENT_S: Final = 5
MOST_EVENTS: Final = 200
ENGINE_PARTS: Final = ("postgres", "flow", "delivery", "wire")


class EngineParts:
    """Notices that the engine's supervisor has started one of its processes again, from the pids it
    publishes.
    """

    def __init__(self, data: DataDir, tell: Callable[[str], None]) -> None:
        self._status_file = data.engine / "engine.json"
        self._tell = tell
        self._pids: dict[str, int] = {}
        self.restarts = dict.fromkeys(ENGINE_PARTS, 0)

    def look(self) -> None:
        """Compare with the last look; a part without a pid is on its way."""
        try:
            status = orjson.loads(self._status_file.read_bytes())
        except (OSError, ValueError):
            return
        for part in ENGINE_PARTS:
            pid = status.get(part)
            if not isinstance(pid, int) or pid == self._pids.get(part):
                continue
            if part in self._pids:
                self.restarts[part] += 1
                self._tell(f"the engine's {part} was restarted")
            self._pids[part] = pid


class LiveView:
    """The run as it stands. `before` is what the views held when it began."""

    def __init__(self, options: Options, data: DataDir, seed: int) -> None:
        self._options = options
        self._data = data
        self._seed = seed
        self._began = time.monotonic()
        self._services: Services | None = None
        self._poller: Poller | None = None
        self._parts = EngineParts(data, self.tell)
        self._before = Counts(0, 0, 0, 0, 0)
        self._produced = Rate()
        self._ingested = Rate()
        self._answers = True
        self.events: list[str] = []

    def tell(self, text: str) -> None:
        """Note something worth showing, with the time."""
        self.events.append(f"{datetime.now(UTC):%H:%M:%S} {text}")
        del self.events[:-MOST_EVENTS]

    def begin(self, services: Services, before: Counts) -> None:
        """The run starts now."""
        self._services = services
        self._before = before
        self._began = time.monotonic()
        self._poller = Poller(services.addresses.sql_url)
        self._poller.start()

    def close(self) -> None:
        """Stop asking."""
        if self._poller is not None:
            self._poller.close()

    @property
    def elapsed_s(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._began

    @property
    def engine_restarts(self) -> dict[str, int]:
        """Part of the engine -> how often its supervisor started it again."""
        return dict(self._parts.restarts)

    def snapshot(self, phase: str) -> Snapshot:
        """Everything on the screen, now. Only after `begin`."""
        services, poller = self._services, self._poller
        assert services is not None and poller is not None  # noqa: S101 (the launcher begins first)
        if services.engine is not None:
            self._parts.look()
        figures = poller.figures
        self._note_answers(figures.error)
        account = self._account(services, figures.stages)
        self._produced.add(time.monotonic(), account.produced)
        self._ingested.add(figures.at, figures.stages.get("messages", 0))
        return Snapshot(
            phase=phase,
            elapsed_s=self.elapsed_s,
            duration_s=self._options.duration_s,
            seed=self._seed,
            produced_rate=float(services.loader_progress.get("rate", 0.0)) or self._produced.per_second,
            ingested_rate=self._ingested.per_second,
            account=account,
            freshness=_freshness(services),
            stages=figures.stages,
            newest=figures.newest,
            components=services.states(),
            events=tuple(self.events),
            dashboard_url=services.addresses.dashboard_url,
            sql_url=services.addresses.sql_url,
            kafka=services.addresses.kafka,
        )

    def _note_answers(self, error: str | None) -> None:
        """Tell once that the SQL side stopped answering, and once that it answers again."""
        if (error is None) != self._answers:
            self._answers = error is None
            self.tell(
                "the SQL side answers again" if error is None else f"the SQL side does not answer: {error}"
            )

    def _account(self, services: Services, rows: Mapping[str, int]) -> Account:
        """What was accounted for was certainly produced, though the loader tells of it only once a second."""
        before = self._before
        ingested = max(0, rows.get("readings", 0) - before.ingested)
        rejected = max(0, rows.get("rejects", 0) - before.rejected)
        duplicates = max(0, rows.get("duplicates", 0) - before.duplicates)
        return Account(
            produced=max(int(services.loader_progress.get("produced", 0)), ingested + rejected + duplicates),
            ingested=ingested,
            rejected=rejected,
            duplicates=duplicates,
            late=max(0, rows.get("late", 0) - before.late),
        )


def _freshness(services: Services) -> Freshness:
    timeline = services.freshness.get("timeline") or []
    recent = timeline[-RECENT_S:]
    if not recent:
        return Freshness()
    return Freshness(
        p50=sorted(row["p50"] for row in recent)[len(recent) // 2],
        p99=max(row["p99"] for row in recent),
        history=tuple(row["p50"] for row in timeline),
    )
