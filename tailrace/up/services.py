"""The long-lived components of a run: broker, engine, dashboard, monitor, loader; how each starts and comes
back.

Job: own the processes. Starting waits until each answers; `watch`, called several times a second, notices a
death and repairs it in the background, so that the screen goes on: broker, engine, dashboard and monitor
start again. The broker comes back with all its topics, so that whoever uses it just goes on. The loader is
not started again: what it had sent but not yet counted would be unknown.
Caller: the launcher.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from tailrace import config, topics
from tailrace.broker import broker_command
from tailrace.up import commands
from tailrace.up.component import Component, Health, wait_until
from tailrace.up.errors import UpError
from tailrace.up.ground import DataDir
from tailrace.up.options import Options
from tailrace.up.snapshot import ComponentState

BACK_OFF_S: Final = (0.0, 0.5, 1.0, 2.0, 5.0)
STEADY_S: Final = 30.0
"""A component that stayed up this long starts again without waiting."""
START_S: Final = 180.0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything is. A port is None where the component is not ours or not wanted."""

    sql_url: str
    kafka: str
    broker_port: int | None
    sql_port: int | None
    dashboard_port: int | None

    @property
    def dashboard_url(self) -> str | None:
        """For the browser."""
        return f"http://{config.HOST}:{self.dashboard_port}" if self.dashboard_port else None


class Services:
    """All components of one run. `tell` gets a sentence for each thing worth showing."""

    def __init__(
        self, options: Options, data: DataDir, addresses: Addresses, tell: Callable[[str], None]
    ) -> None:
        self.addresses = addresses
        self._options = options
        self._data = data
        self._tell = tell
        self.stopping = False
        self.loader_progress: dict[str, Any] = {}
        self.freshness: dict[str, Any] = {}
        self._engine_url: str | None = None
        self.broker = self._make_broker()
        self.engine = self._make_engine()
        self.dashboard = self._make_dashboard()
        self.monitor = Component(
            commands.monitor_command(data, addresses.sql_url, addresses.kafka), on_line=self._hear_monitor
        )
        self.loader: Component | None = None
        self._repairs: dict[str, threading.Thread] = {}
        self._started_at: dict[str, float] = {}
        self._deaths: dict[str, int] = {}

    def _make_broker(self) -> Component | None:
        port = self.addresses.broker_port
        if not port:
            return None
        return Component(broker_command(self._data.broker, port, self._data.logs / "broker.log"))

    def _make_engine(self) -> Component | None:
        port = self.addresses.sql_port
        if not port:
            return None
        command = commands.engine_command(self._data, port, self._options)
        return Component(command, on_line=self._hear_engine)

    def _make_dashboard(self) -> Component | None:
        addresses = self.addresses
        if addresses.dashboard_port is None:
            return None
        url = (
            addresses.sql_url
            if addresses.sql_port is None
            else commands.as_role(addresses.sql_url, "dashboard")
        )
        return Component(
            commands.dashboard_command(self._data, addresses.dashboard_port, url, addresses.kafka)
        )

    # what the components say

    def _hear_engine(self, line: str) -> None:
        if line.startswith(commands.READY):
            self._engine_url = line.removeprefix(commands.READY).strip()

    def _hear_monitor(self, line: str) -> None:
        if line.startswith("{"):
            self.freshness = orjson.loads(line)

    def _hear_loader(self, line: str) -> None:
        if line.startswith("{"):
            self.loader_progress = orjson.loads(line)

    # starting

    def start_broker(self) -> None:
        """Start it, if it is ours, and wait until it answers."""
        if self.broker is not None:
            self.broker.start()
        self._await_broker()

    def _await_broker(self) -> None:
        broker = self.broker
        topics.wait_for_broker(
            self.addresses.kafka,
            timeout_s=20.0 if broker else 5.0,
            alive=lambda: not self.stopping and (broker is None or broker.exit_code() is None),
        )
        if broker is not None:
            self._note_up(broker)

    def create_topics(self) -> list[topics.TopicState]:
        """Make what is missing."""
        made = topics.create_topics(self.addresses.kafka)
        options = self._options
        settings = topics.retention_settings(options.topic_retention_s, options.topic_retention_bytes)
        if settings:
            topics.configure_topics(self.addresses.kafka, settings)
        return made

    def start_engine(self) -> None:
        """Start it, if it is ours, and wait for its ready line."""
        if self.engine is None:
            return
        self._engine_url = None
        self.engine.start()
        self._await_engine()

    def _await_engine(self) -> None:
        engine = self.engine
        assert engine is not None  # noqa: S101 (both callers have looked)
        wait_until(
            lambda: self._engine_url is not None,
            engine,
            timeout_s=START_S,
            what="it was ready",
            cancelled=lambda: self.stopping,
        )
        self._note_up(engine)

    def start_dashboard(self) -> None:
        """Start it; returns at once, since nothing waits for it (`watch` notices when it answers)."""
        if self.dashboard is not None:
            self.dashboard.start()
            self._started_at[self.dashboard.name] = time.monotonic()

    def start_monitor(self) -> None:
        """Start measuring, and wait until it does."""
        self.monitor.start()
        wait_until(
            lambda: bool(self.freshness),
            self.monitor,
            timeout_s=START_S,
            what="it was ready",
            cancelled=lambda: self.stopping,
        )
        self._note_up(self.monitor)

    def start_loader(self, seed: int) -> None:
        """Let readings flow."""
        self._data.summary.unlink(missing_ok=True)
        command = commands.loader_command(self._data, self._options, seed, self.addresses.kafka)
        self.loader = Component(command, on_line=self._hear_loader)
        self.loader.start()
        self.loader.health = Health.UP

    def _note_up(self, component: Component) -> None:
        component.health = Health.UP
        self._started_at[component.name] = time.monotonic()

    # watching

    def watch(self) -> None:
        """Notice deaths and begin repairs; never blocks."""
        if self.stopping:
            return
        for component, repair in (
            (self.broker, self._repair_broker),
            (self.engine, self._repair_engine),
            (self.dashboard, self._repair_dashboard),
            (self.monitor, self._repair_monitor),
        ):
            if component is None or component.exit_code() is None or self._is_repairing(component):
                continue
            component.health = Health.DOWN
            self._tell(f"{component.name} ended with code {component.exit_code()}: starting it again")
            thread = threading.Thread(
                target=self._repair, args=(component, repair), name=f"repair {component.name}", daemon=True
            )
            self._repairs[component.name] = thread
            thread.start()
        dashboard = self.dashboard
        if dashboard is not None and dashboard.health is Health.STARTING and self._dashboard_answers():
            self._note_up(dashboard)

    def _is_repairing(self, component: Component) -> bool:
        thread = self._repairs.get(component.name)
        return thread is not None and thread.is_alive()

    def _repair(self, component: Component, repair: Callable[[Component], None]) -> None:
        name = component.name
        lived_s = time.monotonic() - self._started_at.get(name, 0.0)
        self._deaths[name] = 0 if lived_s > STEADY_S else self._deaths.get(name, -1) + 1
        time.sleep(BACK_OFF_S[min(self._deaths[name], len(BACK_OFF_S) - 1)])
        if self.stopping:
            return
        self._started_at[name] = time.monotonic()
        try:
            repair(component)
        except Exception as error:  # a failed repair is shown; `watch` tries again
            if not self.stopping:
                self._tell(f"{name} did not come back: {error}")
                component.stop(1.0)
                component.health = Health.DOWN

    def _repair_broker(self, component: Component) -> None:
        component.restart()
        self._await_broker()
        self._tell("the broker is back, with its topics")

    def _repair_engine(self, component: Component) -> None:
        self._engine_url = None
        component.restart()
        self._await_engine()
        self._tell("the engine is back")

    def _repair_dashboard(self, component: Component) -> None:
        component.restart()

    def _repair_monitor(self, component: Component) -> None:
        component.restart()
        self._note_up(component)

    def _dashboard_answers(self) -> bool:
        connection = http.client.HTTPConnection(config.HOST, self.addresses.dashboard_port, timeout=0.2)
        try:
            connection.request("GET", "/_stcore/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def states(self) -> tuple[ComponentState, ...]:
        """For the screen."""
        addresses = self.addresses
        return (
            _state("broker", self.broker, f":{addresses.broker_port}", wanted=True),
            _state("engine", self.engine, f":{addresses.sql_port}", wanted=True),
            _state("loader", self.loader, "", wanted=False),
            _state("dashboard", self.dashboard, f":{addresses.dashboard_port}", wanted=False),
            _state("monitor", self.monitor, "", wanted=False),
        )

    def restarts(self) -> dict[str, int]:
        """Name -> how often it had to be started again."""
        owned = (self.broker, self.engine, self.dashboard, self.monitor)
        return {component.name: component.restarts for component in owned if component is not None}

    # stopping

    def stop_loader(self) -> int | None:
        """End the stream; the loader flushes and writes its summary first."""
        return self.loader.stop() if self.loader is not None else None

    def stop_monitor(self) -> None:
        """End measuring; its last line holds the whole timeline."""
        self.monitor.stop()

    def running(self) -> list[Component]:
        """What is ours and was started, in the order of stopping: what depends comes first."""
        ours = (self.loader, self.monitor, self.dashboard, self.engine, self.broker)
        return [
            component
            for component in ours
            if component is not None and component.exit_code() is None and component.pid
        ]

    def loader_failure(self, code: int) -> UpError:
        """Why the loader ended, in its own words."""
        assert self.loader is not None  # noqa: S101 (it ended, so it was there)
        return self.loader.failure(f"the loader ended with code {code}")


def _state(name: str, component: Component | None, detail: str, *, wanted: bool) -> ComponentState:
    if component is None:
        return ComponentState(
            name, Health.EXTERNAL if wanted else Health.WAITING, detail="not ours" if wanted else ""
        )
    return ComponentState(name, component.health, component.restarts, detail)
