"""How `tailrace up` speaks: a live screen on a terminal, plain lines elsewhere.

Job: show steps while they run, the live page, and the summary at the end. Assumes rich. The launcher calls
it from its main thread, except `Steps`, whose steps may run in several threads. Without a terminal nothing
is ever overwritten.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from tailrace.errors import TailraceError
from tailrace.up.report import Report
from tailrace.up.screen import account_text, clock_text, render
from tailrace.up.snapshot import Snapshot

PLAIN_EVERY_S: Final = 5.0


class Step:
    """A step that runs: `detail` says how far it has come."""

    def __init__(self, steps: Steps, name: str, task: TaskID | None) -> None:
        self._steps = steps
        self.name = name
        self.task = task
        self.last = ""

    def detail(self, text: str) -> None:
        """Show progress within the step."""
        self.last = text
        self._steps.show_detail(self, text)


class Steps:
    """The steps of starting or finishing, timed; use as a context manager around them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self.seconds: dict[str, float] = {}
        self._progress = (
            Progress(
                SpinnerColumn(finished_text="[green]✓"),
                TextColumn("{task.description}"),
                TextColumn("[dim]{task.fields[detail]}"),
                TimeElapsedColumn(),
                console=console,
            )
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time a step and say when it is done; an exception passes through."""
        task = self._progress.add_task(name, total=1, detail="") if self._progress else None
        step = Step(self, name, task)
        began = time.monotonic()
        yield step
        took_s = time.monotonic() - began
        with self._lock:
            self.seconds[name] = round(took_s, 3)
        if self._progress is not None and task is not None:
            self._progress.update(task, completed=1)
        else:
            said = f": {step.last}" if step.last else ""
            self._console.print(
                f"[{took_s:5.1f} s] {name}{said}", markup=False, highlight=False, soft_wrap=True
            )

    def show_detail(self, step: Step, text: str) -> None:
        """Called by the step."""
        if self._progress is not None and step.task is not None:
            self._progress.update(step.task, detail=text)


class LivePage:
    """The page while readings flow; use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False) if console.is_terminal else None
        self._said_at = 0.0
        self._events = 0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Draw, or without a terminal say a line every few seconds, and each event at once."""
        if self._live is not None:
            self._live.update(render(snapshot), refresh=True)
            return
        for event in snapshot.events[self._events :]:
            _say(self._console, f"  ! {event}")
        self._events = len(snapshot.events)
        if time.monotonic() >= self._said_at + PLAIN_EVERY_S:
            self._said_at = time.monotonic()
            _say(self._console, plain_line(snapshot))


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def plain_line(snapshot: Snapshot) -> str:
    """The page in one line."""
    freshness = snapshot.freshness
    fresh = "-" if freshness.p50 is None else f"{freshness.p50:.0f}/{freshness.p99 or 0:.0f} ms"
    return (
        f"{clock_text(snapshot.elapsed_s)} {snapshot.phase}: {snapshot.produced_rate:,.0f} produced/s, "
        f"{snapshot.ingested_rate:,.0f} ingested/s, freshness p50/p99 {fresh}, "
        f"anomalies {snapshot.stages.get('anomalies', 0):,}; {account_text(snapshot.account)}"
    )


def show_welcome(console: Console, lines: list[tuple[str, str]]) -> None:
    """Where everything is, once it is up."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in lines:
        table.add_row(name, Text(value))
    console.print(table)


def show_summary(console: Console, report: Report, report_file: str) -> None:
    """The end: counts, rules, freshness, and what differs."""
    counts, fresh = report.counts, report.freshness
    table = Table(title="Tailrace: this run", title_justify="left", show_header=False, min_width=60)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    accounted = (
        f"{counts.ingested:,} ingested + {counts.rejected:,} rejected + {counts.duplicates:,} duplicates"
    )
    said = "acknowledged by the broker" if report.sent_by_kind else "found in the topic"
    table.add_row("produced", f"{report.produced:,} {said}")
    table.add_row("accounted for", f"{accounted} = {counts.ingested + counts.rejected + counts.duplicates:,}")
    recounted = f"{report.recount.messages:,} messages" if report.recount else "could not be read"
    table.add_row("topic, read again", recounted)
    table.add_row("late", f"{counts.late:,} of the ingested")
    for rule, result in report.scores.items():
        table.add_row(
            f"rule {rule}",
            f"{result.found} of {result.expected} faults found, {result.false_alarms} false alarms",
        )
    table.add_row("alerts", _alerts_text(report))
    table.add_row("freshness", _freshness_text(fresh))
    table.add_row("views", ", ".join(f"{name} {rows:,}" for name, rows in report.views.items()))
    table.add_row("report", report_file)
    table.add_row(
        "reconciled", Text("yes", style="bold green") if report.reconciled else Text("no", style="bold red")
    )
    console.print(table)
    for problem in report.problems:
        console.print(Text(f"  differs: {problem}", style="red"), soft_wrap=True)


def _alerts_text(report: Report) -> str:
    alerts = report.alerts
    if alerts is None:
        return "not compared"
    return f"{alerts.keys - alerts.earlier:,} on the topic for {alerts.anomalies:,} anomalies, {alerts.messages:,} messages"


def _freshness_text(fresh: Any) -> str:
    if not fresh.get("samples"):
        return "not measured"
    return f"p50 {fresh['p50']:.0f} ms, p99 {fresh['p99']:.0f} ms over {fresh['samples']:,} samples"


def show_error(console: Console, error: TailraceError) -> None:
    """What failed, wanted and got, the next step, and the log to read."""
    body = Text(error.message, style="bold")
    if error.detail:
        body.append(f"\n\n{error.detail}", style="not bold")
    if error.hint:
        body.append("\n\nNext: ", style="bold green")
        body.append(error.hint, style="not bold")
    log_path = getattr(error, "log_path", None)
    if log_path is not None:
        body.append(f"\nLog:  {log_path}", style="dim not bold")
    console.print(Panel(body, title="tailrace", title_align="left", border_style="red", expand=False))
