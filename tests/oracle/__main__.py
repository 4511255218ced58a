"""`python -m tests.oracle --seed S -n N`, as `make oracle` calls it: N random histories, some queries each.

A round makes the views once and plays several histories over them, one after the other, with all rows taken away in between.
Each round has a seed of its own, one more than the last one's, so that it can be played alone. Exit code 0: no difference. What
differs is made smaller, printed as a case for `kept.yaml`, and counted; the search goes on, so that one run shows all it can
find.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis.control import BuildContext
from hypothesis.errors import StopTest
from hypothesis.internal.conjecture.data import ConjectureData
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.operators.histories import Step, emptied, histories
from tests.oracle.kept import Case, without, written
from tests.oracle.play import Outcome, play
from tests.oracle.queries import Query, queries
from tests.support.flow import FlowUnderTest, running_flow
from tests.support.postgres import PostgresServer, running_postgres

QUERIES = 6
HISTORIES = 5
"""In a round: making a view costs as much as some twenty comparisons."""
RENEWED = 10
"""Rounds on one database: its session keeps the plans of functions that are gone, and looks at all of them at every change."""


class Search:
    """One run: counts, and what was found."""

    def __init__(self, console: Console, keep: Path | None) -> None:
        self.console = console
        self.keep = keep
        self.histories = 0
        self.views = 0
        self.comparisons = 0
        self.differences: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.shapes: Counter[str] = Counter()

    def one(self, engine: FlowUnderTest, history: tuple[Step, ...], drawn: list[Query]) -> None:
        """Play one round; query by query when something differs."""
        self.histories += HISTORIES
        self.shapes.update(query.shape for query in drawn)
        try:
            self._count(play(engine, history, [query.text for query in drawn]))
        except Exception:
            for query in drawn:
                self._alone(engine, history, query)

    def _alone(self, engine: FlowUnderTest, history: tuple[Step, ...], query: Query) -> None:
        try:
            self._count(play(engine, history, [query.text]))
        except Exception as error:
            kind = f"{query.shape}: {_gist(error)}"
            self.differences[kind] += 1
            if self.differences[kind] == 1:
                steps = smaller(engine, history, query.text)
                case = written(Case(f"{query.shape} {len(self.differences)}", query.text, steps))
                self.console.print(f"\n{error}\n", highlight=False, markup=False, style="red")
                if self.keep is not None:
                    with self.keep.open("a") as kept:
                        kept.write(case)
                else:
                    self.console.print(case, highlight=False, markup=False)

    def _count(self, outcome: Outcome) -> None:
        self.views += outcome.views
        self.comparisons += outcome.comparisons
        self.refused.update(reason for _, reason in outcome.refused)


def smaller(engine: FlowUnderTest, steps: tuple[Step, ...], query: str) -> tuple[Step, ...]:
    """The steps with all left out that the failure does not need."""
    size = max(len(steps) // 2, 1)
    while size:
        start = 0
        while start < len(steps):
            fewer = without(steps, start, size)
            if len(fewer) < len(steps) and _fails(engine, fewer, query):
                steps = fewer
            else:
                start += size
        size //= 2
    return steps


def _fails(engine: FlowUnderTest, steps: tuple[Step, ...], query: str) -> bool:
    try:
        play(engine, steps, [query])
    except Exception:
        return True
    return False


def _gist(error: Exception) -> str:
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "".join(c for c in line if not c.isdigit())[:90]


def draw_round(start: int) -> tuple[tuple[Step, ...], list[Query]] | None:
    """The round of a seed, drawn evenly (hypothesis, when it runs tests, repeats and changes what it has drawn before).

    None where more was drawn than hypothesis allows.
    """
    data = ConjectureData(random=random.Random(start))
    try:
        with BuildContext(data, is_final=False, wrapped_test=draw_round):
            steps = list(data.draw(histories()))
            for _ in range(HISTORIES - 1):
                steps += (*emptied(), *(step for step in data.draw(histories()) if not step.create))
            return tuple(steps), [data.draw(queries()) for _ in range(QUERIES)]
    except StopTest:
        return None


def search(server: PostgresServer, found: Search, start: int, number: int, progress: Progress) -> None:
    """`number` histories, in rounds of consecutive seeds."""
    task = progress.add_task("histories", total=number)
    while found.histories < number:
        with running_flow(server) as engine:
            for _ in range(RENEWED):
                if found.histories >= number:
                    break
                if drawn := draw_round(start):
                    found.one(engine, *drawn)
                start += 1
                progress.update(
                    task,
                    completed=found.histories,
                    description=f"histories, {sum(found.differences.values())} differ",
                )


@contextmanager
def _postgres() -> Iterator[PostgresServer]:
    with (
        tempfile.TemporaryDirectory(prefix="tailrace-oracle-") as directory,
        running_postgres(Path(directory)) as server,
    ):
        assert isinstance(server, PostgresServer)
        yield server


def main(arguments: list[str] | None = None) -> int:
    """Run, print, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument(
        "--seed", type=int, help="the same seed gives the same histories (default: a new one, printed)"
    )
    parser.add_argument("-n", "--number", type=int, default=1000, help="histories (1000)")
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="append failing cases there, as kept.yaml has them"
    )
    options = parser.parse_args(arguments)
    start = options.seed if options.seed is not None else secrets.randbelow(1_000_000)
    console = Console()
    console.print(
        f"oracle: seed {start}, {options.number:,} histories, {QUERIES} queries for {HISTORIES} of them"
    )
    found, began = Search(console, options.keep), time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress, _postgres() as server:
        search(server, found, start, options.number, progress)
    counts = f"{found.histories:,} histories, {found.views:,} views, {found.comparisons:,} comparisons"
    took_s = time.monotonic() - began
    console.print(f"{counts} in {took_s:,.0f} s: {found.histories / took_s:.1f} histories a second")
    console.print("shapes: " + ", ".join(f"{name} {count}" for name, count in found.shapes.most_common()))
    for title, kinds in (("refused", found.refused), ("different", found.differences)):
        for what, count in kinds.most_common():
            console.print(f"{title} {count:>5}  {what}", highlight=False, markup=False)
    return 1 if found.differences else 0


if __name__ == "__main__":
    sys.exit(main())
