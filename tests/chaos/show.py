"""The run on a terminal: what is done now, a line for each disturbance, and at the end how to repeat it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.run import Outcome, Result


class Screen:
    """`tell` is handed to `run`."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._status = console.status("", spinner="dots")

    def __enter__(self) -> Screen:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def tell(self, doing: str, outcome: Outcome | None) -> None:
        if outcome is None:
            self._status.update(doing)
            return
        self._console.print(
            f"{outcome.step.number:>3}/{self._total}  {outcome.step!s:<60} {_seconds(outcome):>8}  {_verdict(outcome)}",
            highlight=False,
            soft_wrap=True,
        )


def _seconds(outcome: Outcome) -> str:
    return "" if outcome.recovery_s is None else f"{outcome.recovery_s:.2f} s"


def _verdict(outcome: Outcome) -> str:
    colour = "dim" if outcome.skipped else "red" if outcome.findings else "green"
    return f"[{colour}]{outcome.verdict}[/]"


def summary(result: Result) -> Table:
    """Recovery by kind of disturbance."""
    table = Table(title="recovery", title_justify="left")
    table.add_column("disturbance")
    for column in ("times", "median s", "longest s"):
        table.add_column(column, justify="right")
    by_name: dict[str, list[float]] = {}
    for outcome in result.outcomes:
        if outcome.recovery_s is not None:
            by_name.setdefault(outcome.step.name, []).append(outcome.recovery_s)
    for name, seconds in sorted(by_name.items()):
        seconds.sort()
        table.add_row(name, str(len(seconds)), f"{seconds[len(seconds) // 2]:.2f}", f"{seconds[-1]:.2f}")
    return table


def ending(result: Result, again: str, kept: Path | None) -> str:
    done = sum(outcome.skipped is None for outcome in result.outcomes)
    if result.passed:
        return (
            f"[bold green]passed[/]: seed {result.seed}, {done} disturbances, {result.messages:,} messages, "
            f"0 lost, 0 twice, {result.seconds:g} s"
        )
    findings = [finding for outcome in result.outcomes for finding in outcome.findings] + result.findings
    lines = "\n".join(f"  - {finding}" for finding in findings)
    return f"[bold red]failed[/]: seed {result.seed}\n{lines}\nrepeat it: {again}\nlogs and data: {kept}"
