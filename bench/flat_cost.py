"""Does a barrier cost what changed? `python bench/flat_cost.py [--sizes 100000,1000000] [--groups fixed,growing] [--views ...]`.

For each view: the tables start empty and the view is made over them; then they are filled to each size in turn, in the same
process, and barriers of 1,000 changed rows are timed (500 inserts, 250 updates, 250 deletes of random rows). Shown are the
medians in ms and how much the last size costs more than the first. Only the barrier is timed, not the client's statements.
Beside it stand the pages that a barrier looked at (shared buffers hit or read), which are the same on a machine that others use
too, and on Linux the processor's time that it took in PostgreSQL.

With `fixed` groups there are 1,000 of them however many rows there are, with `growing` ones one for every ten rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from engine.flow.statistics import analyze_grown, shorten_logs
from engine.memory import memory_bytes
from engine.postgres import by_memory
from tests.support.flow import FlowUnderTest, running_flow
from tests.support.postgres import TEST_SETTINGS, running_postgres

VIEWS = {
    "sums": "SELECT g, count(*) AS n, sum(v) AS s, avg(v) AS a FROM t GROUP BY g",
    "extremes": "SELECT g, min(v) AS low, max(v) AS high FROM t GROUP BY g",
    "extremes of all": "SELECT min(v) AS low, max(v) AS high FROM t",
    "distinct": "SELECT DISTINCT g, v % 7 AS k FROM t",
    "count distinct": "SELECT g, count(DISTINCT v % 100) AS n FROM t GROUP BY g",
    "join": "SELECT t.id, t.v, u.name FROM t JOIN u ON t.g = u.g",
    "top 3": "SELECT * FROM (SELECT id, g, v, row_number() OVER (PARTITION BY g ORDER BY v DESC) AS n FROM t) AS q WHERE n <= 3",
    "rows frame": "SELECT id, sum(v) OVER (PARTITION BY g ORDER BY at ROWS 2 PRECEDING) AS s FROM t",
    "lag": "SELECT id, v - lag(v) OVER (PARTITION BY g ORDER BY at) AS d FROM t",
    "first value": "SELECT g, last_value(v ORDER BY at) AS last FROM t GROUP BY g",
}
_CHUNK = 50_000
_SETTINGS = {**TEST_SETTINGS, **by_memory(memory_bytes())}
_GROUPS = 1_000
_ROWS_A_GROUP = 10


@dataclass(frozen=True, slots=True)
class Result:
    """Medians of a barrier by rows stored: its duration, ms, that of the processor (0: not known), and the pages it looked at."""

    view: str
    groups: str
    medians_ms: dict[int, float]
    cpu_ms: dict[int, float]
    pages: dict[int, float]

    @property
    def growth(self) -> float:
        return growth(self.medians_ms)


def growth(values: dict[int, float]) -> float:
    """How much the last one is over the first; 1 where there is nothing."""
    found = list(values.values())
    return found[-1] / found[0] if found[0] else 1.0


def cpu_ms(engine: FlowUnderTest) -> float:
    """The processor's time that the flow's session in PostgreSQL has taken so far; 0 where the system does not tell."""
    figures = Path(f"/proc/{engine.flow.connection.info.backend_pid}/schedstat")
    return int(figures.read_text().split()[0]) / 1e6 if figures.exists() else 0.0


def pages_seen(engine: FlowUnderTest) -> int:
    """The pages of tables and indexes that the flow's session has looked at so far."""
    engine.flow.connection.execute("SELECT pg_stat_force_next_flush()")
    row = engine.flow.connection.execute(
        "SELECT sum(hits + read_bytes / 8192)::bigint FROM pg_stat_get_backend_io(pg_backend_pid()) WHERE object = 'relation'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def measure(engine: FlowUnderTest, view: str, groups: str, sizes: list[int], barriers: int) -> Result:
    """One view, from empty to the largest size."""
    engine.clear()
    engine.ddl(
        "CREATE TABLE t (id bigint PRIMARY KEY, g int, v int, at timestamptz)",
        "CREATE TABLE u (g int PRIMARY KEY, name varchar)",
        f"CREATE MATERIALIZED VIEW measured AS {VIEWS[view]}",
    )
    group = f"(i * 7919 % {_GROUPS})" if groups == "fixed" else f"(i / {_ROWS_A_GROUP})"
    row = (
        f"i, {group}::int, (i * 104729 % 1000003)::int, '2026-01-01Z'::timestamptz + i * interval '1 second'"
    )
    last, medians, cpu, pages = 0, {}, {}, {}
    for size in sizes:
        while last < size:
            end = min(last + _CHUNK, size)
            engine.settle(
                f"INSERT INTO t SELECT {row} FROM generate_series({last + 1}::bigint, {end}) AS i",
                f"INSERT INTO u SELECT DISTINCT {group}::int, 'n' FROM generate_series({last + 1}::bigint, {end}) AS i",
            )
            last = end
        pages_seen(engine)  # statistics are told
        with psycopg.connect(engine.server.dsn(dbname=engine.database), autocommit=True) as beside:
            shorten_logs(beside)  # as the engine does beside its barriers
            analyze_grown(beside)
        durations, busy, looked_at = [], [], []
        for step in range(barriers + 2):
            chosen = f"SELECT {size} * random(1, 1000000)::bigint / 1000000 FROM generate_series(1, 250)"
            engine.run(
                f"INSERT INTO t SELECT {row} FROM generate_series({last + 1}::bigint, {last + 500}) AS i"
            )
            engine.run(f"UPDATE t SET v = v + 1 WHERE id IN ({chosen})")
            engine.run(f"DELETE FROM t WHERE id IN ({chosen})")
            last += 500
            before, busy_before = pages_seen(engine), cpu_ms(engine)
            took, busy_for = engine.flow.barrier().duration_ms, cpu_ms(engine) - busy_before
            if step > 1:  # the first ones plan
                durations.append(took)
                busy.append(busy_for)
                looked_at.append(pages_seen(engine) - before)
        medians[size], cpu[size] = statistics.median(durations), statistics.median(busy)
        pages[size] = statistics.median(looked_at)
    return Result(view, groups, medians, cpu, pages)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="100000,1000000", help="rows stored, rising, comma-separated")
    parser.add_argument("--groups", default="fixed,growing")
    parser.add_argument("--views", default=",".join(VIEWS), help="names, comma-separated")
    parser.add_argument("--barriers", type=int, default=9, help="timed barriers at each size")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    sizes = sorted(int(s) for s in options.sizes.split(","))
    results = []
    console = Console()
    with tempfile.TemporaryDirectory() as folder, running_postgres(Path(folder), _SETTINGS) as server:
        for groups in options.groups.split(","):
            for view in options.views.split(","):
                with running_flow(server) as engine:
                    results.append(measure(engine, view, groups, sizes, options.barriers))
                result = results[-1]
                console.print(
                    f"{view} ({groups}): {result.growth:.2f}x, cpu {growth(result.cpu_ms):.2f}x, "
                    f"pages {growth(result.pages):.2f}x",
                    style="dim",
                )
                if options.json:
                    options.json.write_text(json.dumps([asdict(r) for r in results], indent=1))
    measures = [("ms", "medians_ms", ".1f"), ("cpu ms", "cpu_ms", ".1f"), ("pages", "pages", ",.0f")]
    for title, measured, form in measures:
        table = Table("view", "groups", *(f"{s:,}" for s in sizes), "growth", title=f"{title} a barrier")
        for result in results:
            values = getattr(result, measured)
            shown = [format(values[s], form) for s in sizes]
            table.add_row(result.view, result.groups, *shown, f"{growth(values):.2f}x")
        console.print(table)


if __name__ == "__main__":
    main()
