"""`make slt PATHS="dir file ..." [URL=postgresql://...] [OUT=report.json]`: run sqllogictest files against a server.

Every file runs in a database of its own. Without a URL an embedded engine is started for the run. A directory stands for
all its `.slt` files; `.slt.part` files run where they are included, and count under the directory in which they lie.
The exit code is 0 when all passed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.slt.databases import Databases
from tests.slt.execute import FileRun, Options
from tests.slt.outcome import Outcome, Status, kind_of
from tests.slt.parser import ParseError, load
from tests.slt.records import Item, Let, Place, Query, Statement, System
from tests.slt.report import Report
from tests.support.engine import running_engine

_NOT_INCLUDED = "no file that was run includes this one"


@dataclass(frozen=True, slots=True)
class Files:
    """What was asked for: files to run, parts that some of them should include, and the folder that names are relative to."""

    run: tuple[Path, ...]
    parts: tuple[Path, ...]
    root: Path

    @classmethod
    def under(cls, paths: Sequence[Path], excluded: Sequence[str] = ()) -> Files:
        run: list[Path] = []
        parts: list[Path] = []
        for path in (path.resolve() for path in paths):
            if path.is_dir():
                run += path.rglob("*.slt")
                parts += path.rglob("*.slt.part")
            elif path.is_file():
                run.append(path)
            else:
                raise FileNotFoundError(f"no such file or directory: {path}")
        parents = [path.resolve().parent if path.is_dir() else path.resolve().parent.parent for path in paths]

        def kept(found: list[Path]) -> tuple[Path, ...]:
            return tuple(
                path for path in sorted(set(found)) if not any(path.match(pattern) for pattern in excluded)
            )

        return cls(kept(run), kept(parts), Path(os.path.commonpath(parents)))


def run_file(file: Path, url: str, options: Options) -> list[Outcome]:
    """Run one file on a database that holds nothing."""
    try:
        items = load(file)
    except (ParseError, OSError, UnicodeDecodeError) as error:
        return [Outcome(Place(file, 0), "file", Status.NOT_RUN, f"cannot be read: {error}")]
    return list(FileRun(url, options).run(items))


def run_files(files: Files, databases: Databases, options: Options, jobs: int = 1) -> Report:
    """Run all; progress on stderr, one line a file."""

    def run(file: Path) -> list[Outcome]:
        started = time.monotonic()
        try:
            with databases.fresh(file) as url:
                outcomes = run_file(file, url, options)
        except psycopg.Error as error:
            outcomes = _not_run(file, f"no database: {error}")
        counted = [o for o in outcomes if o.status is not Status.SKIPPED]
        passed = sum(o.status is Status.PASSED for o in counted)
        name = os.path.relpath(file, files.root)
        sys.stderr.write(f"{passed:5d} / {len(counted):5d}  {time.monotonic() - started:6.1f} s  {name}\n")
        return outcomes

    with ThreadPoolExecutor(jobs if databases.separate else 1) as pool:
        outcomes = [outcome for found in pool.map(run, files.run) for outcome in found]
    reached = {outcome.place.file for outcome in outcomes}
    for part in files.parts:
        if part not in reached:
            outcomes += _not_run(part, _NOT_INCLUDED)
    return Report.of(files.root, outcomes)


def _not_run(file: Path, cause: str) -> list[Outcome]:
    try:
        items: list[Item] = load(file)
    except (ParseError, OSError, UnicodeDecodeError) as error:
        return [Outcome(Place(file, 0), "file", Status.NOT_RUN, f"cannot be read: {error}")]
    return [
        Outcome(item.place, kind_of(item), Status.NOT_RUN, cause)
        for item in items
        if isinstance(item, Statement | Query | Let | System) and item.place.file == file
    ]


@contextlib.contextmanager
def server(url: str | None) -> Iterator[str]:
    """The given server, or an embedded engine for the time being."""
    if url:
        yield url
        return
    with (
        tempfile.TemporaryDirectory(prefix="slt-engine-") as folder,
        running_engine(Path(folder) / "state") as engine,
    ):
        yield engine.url


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the engine of its own is ended too
    labels = {"postgres", *given.label, *([] if given.url else ["tailrace"])}
    options = Options(
        frozenset(labels),
        given.system,
        given.record_limit,
        given.file_limit,
        given.patience,
        given.explain,
    )
    try:
        files = Files.under(given.paths, given.exclude)
    except FileNotFoundError as error:
        sys.stderr.write(f"slt: {error}\n")
        return 2
    with server(given.url) as url:
        databases = Databases.of(url)
        if not databases.separate:
            sys.stderr.write("slt: this server makes no databases: one file at a time, emptied in between\n")
        report = run_files(files, databases, options, given.jobs)
    print(report.causes(given.causes, given.examples))
    if given.explain:
        print("\n" + report.costs())
    print("\n" + report.table())
    if given.json:
        given.json.write_text(json.dumps(report.as_json(), indent=1))
    return 1 if report.failed or not report.counted else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.slt.runner", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, help="files, or directories of .slt files")
    parser.add_argument(
        "--url", help="PostgreSQL URL of the server; without one an embedded engine is started"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every record's outcome there")
    parser.add_argument(
        "--jobs", type=int, default=1, help="files side by side, where the server makes databases"
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        help="for onlyif and skipif; repeatable (an engine of its own has 'tailrace')",
    )
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="GLOB", help="leave out these files"
    )
    parser.add_argument(
        "--system", action="store_true", help="run the `system` records: commands of the shell"
    )
    parser.add_argument(
        "--record-limit", type=float, default=30, metavar="S", help="seconds for a record (30)"
    )
    parser.add_argument("--file-limit", type=float, default=300, metavar="S", help="seconds for a file (300)")
    parser.add_argument(
        "--patience", type=float, default=30, metavar="S", help="seconds of a record's retries (30)"
    )
    parser.add_argument(
        "--explain", action="store_true", help="EXPLAIN each materialized view and count the classes of cost"
    )
    parser.add_argument("--causes", type=int, metavar="N", help="show only the N most frequent causes")
    parser.add_argument(
        "--examples", type=int, default=3, metavar="N", help="examples shown of each cause (3)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
