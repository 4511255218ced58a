"""Telling how a run goes: a bar for people, a line of JSON each second for programs, or nothing.

Called by ``loader.cli``; the modes are the choices of ``--progress``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from loader.run import Progress

MODES = ("auto", "bar", "json", "none")


@contextmanager
def reporting(mode: str, duration_s: float | None, console: Console) -> Iterator[Callable[[Progress], None]]:
    """A function to call with each progress; mode ``auto`` is a bar on a terminal, else nothing."""
    if mode == "json":
        yield _write_json
    elif mode == "bar" or (mode == "auto" and console.is_terminal):
        columns = (TextColumn("loading"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        with Bar(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=duration_s)

            def show(progress: Progress) -> None:
                text = f"{progress.produced:,} acknowledged, {progress.rate:,.0f}/s"
                behind = f", {progress.behind_s:.1f} s behind" if progress.behind_s > 0.5 else ""
                bar.update(task, completed=progress.at_s, description=text + behind)

            yield show
    else:
        yield _ignore


def _write_json(progress: Progress) -> None:
    line = {
        "at_s": round(progress.at_s, 2),
        "produced": progress.produced,
        "rate": round(progress.rate, 1),
        "outstanding": progress.outstanding,
        "failed": progress.failed,
        "behind_s": round(progress.behind_s, 3),
    }
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


def _ignore(progress: Progress) -> None:
    """Tell nothing."""
