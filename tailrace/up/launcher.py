"""`tailrace up` from the first check to the last stop.

Job: the order of things. Check the ground; start broker and engine side by side; create topics; migrate;
seed the registry; start dashboard, monitor and loader; show the live page until the duration is over, the
loader ends or Ctrl-C; stop the loader; wait until the views have everything; recount; report; stop the
rest. Everything started here ends with this process, however it ends (`tailrace.guard`). Knows the engine
and the broker by their URLs, except for starting them.

Ctrl-C and SIGTERM: the first one ends the run in order, with its report; one during starting, or a second
one, stops everything at once. Caller: `tailrace.cli`.
"""

from __future__ import annotations

import importlib
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any, Final

import orjson
from rich.console import Console

from tailrace import config
from tailrace.up import closing, figures, ground
from tailrace.up.component import Health
from tailrace.up.errors import Interrupted, UpError
from tailrace.up.live import LiveView
from tailrace.up.memory import PeakMemory
from tailrace.up.options import Options
from tailrace.up.registry import seed_registry
from tailrace.up.report import Report
from tailrace.up.screen import psql_line
from tailrace.up.services import Addresses, Services
from tailrace.up.truth import Truth, read_truth
from tailrace.up.ui import LivePage, Steps, show_summary, show_welcome
from tailrace.verify.recount import Recount, Shortened, real_ends

KAFKA_FOR_ENGINE: Final = "TAILRACE_KAFKA_FOR_ENGINE"
"""Where a given engine finds a given broker, if that differs from where we do (containers)."""
TICK_S: Final = 0.2
_MIGRATE: Final = "tailrace.migrate"
SEEDS: Final = 1_000_000


class Launcher:
    """One `tailrace up`; `run` is called once."""

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._began = time.monotonic()
        self._interrupts = 0
        self._interrupt_at_once = True
        self._setup_s = 0.0
        self._seconds: dict[str, float] = {}
        self._failures: list[str] = []

    def run(self) -> bool:
        """Run to the end; whether everything reconciled. Raises TailraceError or Interrupted when it did
        not come up.
        """
        data = ground.DataDir(self._options.data_dir)
        try:
            with self._signals():
                ground.wait_for_predecessor(data.path)
                ground.check_disk(data.path)
                addresses = self._addresses(data)
                self._seed = self._choose_seed(data)
                return self._run(data, addresses)
        finally:
            data.close()

    def _run(self, data: ground.DataDir, addresses: Addresses) -> bool:
        self._data = data
        self._live = LiveView(self._options, data, self._seed)
        services = self._services = Services(self._options, data, addresses, self._live.tell)
        self._memory = PeakMemory(lambda: services.engine.pid if services.engine else None)
        try:
            baseline = self._start()
            self._watch(baseline)
            report = self._close(baseline)
            if self._options.keep_going and not self._interrupts:
                self._keep_going()
            return report.reconciled
        finally:
            self._stop()

    # before anything starts

    def _addresses(self, data: ground.DataDir) -> Addresses:
        options = self._options
        broker_port = sql_port = dashboard_port = None
        if options.kafka is None:
            wanted = options.broker_port or data.state.broker_port or 0
            broker_port = ground.choose_port(wanted, "--broker-port", "broker")
            _refuse_moved_broker(data, broker_port)
        if options.sql_url is not None and (options.tls_cert or options.sql_host != config.HOST):
            raise UpError(
                "--sql-host and --tls-cert are for an engine that is started here",
                detail=f"{psql_line(options.sql_url)} runs already",
                hint="leave them out, or leave out --sql-url (unset TAILRACE_SQL_URL)",
            )
        if options.sql_url is None:
            sql_port = ground.choose_port(options.sql_port, "--sql-port", "engine", host=options.sql_host)
        if options.dashboard:
            dashboard_port = ground.choose_port(options.dashboard_port, "--dashboard-port", "dashboard")
        return Addresses(
            sql_url=options.sql_url or f"postgresql://root@{config.HOST}:{sql_port}/dev",
            kafka=options.kafka or f"{config.HOST}:{broker_port}",
            broker_port=broker_port,
            sql_port=sql_port,
            dashboard_port=dashboard_port,
        )

    def _choose_seed(self, data: ground.DataDir) -> int:
        """As asked; else that of the directory's fleet, whose baselines the views hold; else a fresh one."""
        if self._options.seed is not None:
            return self._options.seed
        return data.state.seed if data.state.seed is not None else secrets.randbelow(SEEDS)

    # starting

    def _start(self) -> closing.Baseline:
        services, data = self._services, self._data
        data.remember(
            seed=self._seed, **self._broker_state()
        )  # before there is an engine: a start may be cut off
        kept = "" if data.is_new else " (it holds earlier runs: the views are kept and go on)"
        self._console.print(f"Tailrace: data in {data.path}{kept}", highlight=False, soft_wrap=True)
        with Steps(self._console) as steps:
            self._start_base(steps)
            services.start_dashboard()
            with steps.step("migrate the SQL side") as step:
                self._migrate(step.detail)
            with (
                steps.step("seed devices and limits") as step,
                figures.connect_patiently(services.addresses.sql_url) as connection,
            ):
                rows = seed_registry(
                    connection,
                    self._options.devices,
                    self._seed,
                    on_progress=lambda done: step.detail(f"{done:,} rows"),
                )
                step.detail(f"{rows:,} rows")
            with steps.step("take stock") as step:
                baseline = self._take_stock(step.detail)
            with steps.step("start the monitor"):
                services.start_monitor()
        data.remember(runs=data.state.runs + 1)
        self._memory.start()
        if self._options.loader:
            services.start_loader(self._seed)
        self._setup_s = time.monotonic() - self._began
        self._seconds.update(steps.seconds)
        self._welcome()
        return baseline

    def _broker_state(self) -> dict[str, int]:
        port = self._services.addresses.broker_port
        return {"broker_port": port} if port else {}

    def _start_base(self, steps: Steps) -> None:
        """Broker with topics, and engine, side by side."""
        services = self._services

        def broker() -> None:
            with steps.step("start the broker" if services.broker else "reach the broker"):
                services.start_broker()
            with steps.step("create the topics") as step:
                made = [state.name for state in services.create_topics() if state.created]
                step.detail(", ".join(made) or "all there")

        def engine() -> None:
            with steps.step("start the engine" if services.engine else "reach the SQL side"):
                services.start_engine()
                figures.connect_patiently(services.addresses.sql_url, timeout_s=10.0).close()

        pool = ThreadPoolExecutor(2, thread_name_prefix="start")
        try:
            base = [pool.submit(broker), pool.submit(engine)]
            importlib.import_module(_MIGRATE)  # alembic takes its time, which the two need anyhow
            for running in base:
                running.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _migrate(self, say: Callable[[str], None]) -> None:
        from tailrace import migrate  # long imported, see _start_base

        addresses = self._services.addresses
        done = 0

        def told(progress: migrate.StepProgress) -> None:
            nonlocal done
            done = progress.index
            say(f"{progress.index} of {progress.total}: {progress.name}")

        elsewhere = os.environ.get(KAFKA_FOR_ENGINE) if addresses.broker_port is None else None
        variables = {KAFKA_FOR_ENGINE: elsewhere or addresses.kafka}
        migrate.upgrade(addresses.sql_url, variables=variables, on_progress=told)
        say(f"{done} statements" if done else "up to date")

    def _take_stock(self, say: Callable[[str], None]) -> closing.Baseline:
        """Counts before the run, once the views have what an older topic still holds."""
        addresses = self._services.addresses
        offsets = real_ends(addresses.kafka, config.READINGS.name)
        with figures.connect_patiently(addresses.sql_url) as connection:
            if any(offsets.values()):
                closing.settle(
                    connection, offsets, on_progress=lambda rows: say(f"{rows:,} earlier messages")
                )
            say("counting")
            counts = figures.read_counts(connection)
            views = figures.read_views(connection)
        say(f"{len(views)} views, {counts.messages:,} earlier messages")
        return closing.Baseline(counts, views, offsets, time.time())

    def _welcome(self) -> None:
        addresses = self._services.addresses
        lines = [
            ("ready after", f"{self._setup_s:.1f} s"),
            ("dashboard", addresses.dashboard_url or "off"),
            ("psql", psql_line(addresses.sql_url)),
            ("kafka", addresses.kafka),
            ("seed", f"{self._seed} (--seed {self._seed} repeats the fleet and its faults)"),
        ]
        show_welcome(self._console, lines)

    # while it runs

    def _watch(self, baseline: closing.Baseline) -> None:
        """Until the loader ends, the duration is over (without a loader), or Ctrl-C."""
        self._interrupt_at_once = False
        services, options = self._services, self._options
        self._live.begin(services, baseline.counts)
        with LivePage(self._console) as page:
            while not self._interrupts:
                services.watch()
                page.show(self._live.snapshot("running"))
                if services.loader is not None:
                    code = services.loader.exit_code()
                    if code is not None:
                        services.loader.health = Health.ENDED if code == 0 else Health.DOWN
                        break
                elif options.duration_s is not None and self._live.elapsed_s >= options.duration_s:
                    break
                time.sleep(TICK_S)

    def _keep_going(self) -> None:
        self._console.print("The load is over; all else goes on. Ctrl-C stops it.")
        with LivePage(self._console) as page:
            while not self._interrupts:
                self._services.watch()
                page.show(self._live.snapshot("serving"))
                time.sleep(TICK_S)

    # the end

    def _close(self, baseline: closing.Baseline) -> Report:
        services, options = self._services, self._options
        with Steps(self._console) as steps:
            truth = self._end_loader(steps)
            if truth is not None:
                self._drain(steps, baseline, truth.produced)
                services.stop_monitor()
                topic = self._recount(steps, baseline, truth.produced)
            else:  # only the topic knows what others have sent
                topic = self._recount(steps, baseline, 0)
                self._drain(steps, baseline, topic.messages if isinstance(topic, Recount) else 0)
                services.stop_monitor()
            with steps.step("compare the alerts") as step:
                addresses = services.addresses
                alerts = closing.check_alerts(
                    addresses.sql_url, addresses.kafka, baseline.at_s, on_progress=step.detail
                )
            with steps.step("draw up the account") as step:
                report = closing.draw_up(
                    services.addresses.sql_url,
                    baseline,
                    truth,
                    topic,
                    alerts,
                    freshness=closing.freshness_of(services.freshness, options.burst),
                    details=self._details(truth, {**self._seconds, **steps.seconds}),
                    failures=self._failures,
                    on_progress=step.detail,
                )
        self._write(report)
        return report

    def _drain(self, steps: Steps, baseline: closing.Baseline, produced: int) -> None:
        before = self._interrupts
        with steps.step("wait for the views to have everything") as step:
            stuck = closing.drain(
                self._services.addresses.sql_url,
                baseline.counts,
                produced,
                on_progress=lambda rows: step.detail(f"{rows:,} of {produced:,}"),
                give_up=lambda: self._interrupts > before,
            )
        self._failures += [stuck] if stuck else []

    def _recount(self, steps: Steps, baseline: closing.Baseline, produced: int) -> Recount | Shortened | str:
        services = self._services
        with steps.step("read the topic again") as step:
            return closing.recount_topic(
                services.addresses.kafka,
                baseline.offsets,
                produced,
                lambda count: step.detail(f"{count:,} messages"),
            )

    def _end_loader(self, steps: Steps) -> Truth | None:
        services = self._services
        if services.loader is None:
            return None
        with steps.step("end the loader"):
            code = services.stop_loader()
        if code:
            self._failures.append(str(services.loader_failure(code).message))
        return read_truth(self._data.summary)

    def _details(self, truth: Truth | None, steps: dict[str, float]) -> dict[str, Any]:
        """What else helps to judge a run."""
        return {
            "seed": self._seed,
            "settings": self._options.as_json(),
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "setup_s": round(self._setup_s, 2),
            "duration_s": round(self._live.elapsed_s, 2),
            "steps_s": steps,
            "runs": self._data.state.runs,
            "loader": dict(truth.told) if truth else None,
            "component_restarts": {**self._services.restarts(), **self._live.engine_restarts},
            "events": list(self._live.events),
            "engine_memory_peak_bytes": self._memory.peak_bytes or None,
        }

    def _write(self, report: Report) -> None:
        path = self._options.report_file
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".new")
        beside.write_bytes(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2) + b"\n")
        beside.replace(path)
        show_summary(self._console, report, str(path))

    def _stop(self) -> None:
        """All that is ours, in order; a further Ctrl-C does not leave anything behind."""
        self._interrupt_at_once = False
        self._live.close()
        self._memory.close()
        self._services.stopping = True
        with Steps(self._console) as steps:
            for component in self._services.running():
                with steps.step(f"stop the {component.name}"):
                    component.stop()

    # signals

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def handle(_number: int, _frame: FrameType | None) -> None:
            self._interrupts += 1
            if self._interrupt_at_once:
                raise Interrupted

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [signal.signal(number, handle) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)


def _refuse_moved_broker(data: ground.DataDir, port: int) -> None:
    """The source in the engine names the broker's address: it must not move under an existing directory."""
    known = data.state.broker_port
    if known is not None and known != port:
        raise UpError(
            f"the data in {data.path} reads its topic from port {known}",
            detail=f"wanted the broker on port {known}, got {port}",
            hint=f"--broker-port {known}, or another directory with --data-dir",
        )
