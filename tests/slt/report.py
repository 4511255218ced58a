"""Counts and causes of a run; pure. A record is counted once by (file, line): it passed if it passed wherever it ran.

A file's records count under the directory in which the file lies (the first one below the root), whatever file included it.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.slt.costs import counted
from tests.slt.outcome import Outcome, Status


@dataclass(slots=True)
class Tally:
    """How many of how many."""

    passed: int = 0
    total: int = 0

    def add(self, passed: bool) -> None:
        self.passed += passed
        self.total += 1

    def __str__(self) -> str:
        share = f"{100 * self.passed / self.total:5.1f}%" if self.total else "    -"
        return f"{self.passed:5d} / {self.total:5d} {share}"


@dataclass(slots=True)
class Directory:
    records: Tally = field(default_factory=Tally)
    queries: Tally = field(default_factory=Tally)
    files: Tally = field(default_factory=Tally)


_RANK = {Status.SKIPPED: 0, Status.PASSED: 1, Status.NOT_RUN: 2, Status.FAILED: 3}


@dataclass(frozen=True, slots=True)
class Report:
    """The unique records of a run, the worst outcome of each."""

    root: Path
    records: tuple[Outcome, ...]

    @classmethod
    def of(cls, root: Path, outcomes: Iterable[Outcome]) -> Report:
        worst: dict[object, Outcome] = {}
        for outcome in outcomes:
            known = worst.get(outcome.place)
            if known is None or _RANK[outcome.status] > _RANK[known.status]:
                worst[outcome.place] = outcome
        return cls(root, tuple(worst[place] for place in sorted(worst)))  # type: ignore[type-var]

    @property
    def counted(self) -> Sequence[Outcome]:
        return [record for record in self.records if record.status is not Status.SKIPPED]

    @property
    def failed(self) -> Sequence[Outcome]:
        return [record for record in self.counted if record.status is not Status.PASSED]

    def directories(self) -> dict[str, Directory]:
        found: dict[str, Directory] = defaultdict(Directory)
        files: dict[Path, bool] = {}
        for record in self.counted:
            passed = record.status is Status.PASSED
            directory = found[self.directory(record.place.file)]
            directory.records.add(passed)
            if record.kind == "query":
                directory.queries.add(passed)
            files[record.place.file] = files.get(record.place.file, True) and passed
        for file, passed in files.items():
            found[self.directory(file)].files.add(passed)
        return dict(sorted(found.items()))

    def directory(self, file: Path) -> str:
        """`streaming` for root/streaming/join/a.slt; `../x` for what lies beside the root; `.` for a file in it."""
        parts = Path(os.path.relpath(file.parent, self.root)).parts
        up = sum(part == ".." for part in parts)
        return "/".join(parts[: up + 1]) or "."

    def table(self) -> str:
        directories = self.directories()
        total = Directory()
        for directory in directories.values():
            for tally, part in (
                (total.records, directory.records),
                (total.queries, directory.queries),
                (total.files, directory.files),
            ):
                tally.passed += part.passed
                tally.total += part.total
        width = max([len(name) for name in directories] + [9])
        header = f"{'directory':{width}s} {'records':>21s}  {'queries':>21s}  {'files':>21s}"
        rows = [*directories.items(), ("all", total)]
        return "\n".join(
            [header, *(f"{name:{width}s} {d.records}  {d.queries}  {d.files}" for name, d in rows)]
        )

    def costs(self) -> str:
        """How many views are maintained at which cost, and where the dearest are."""
        dear = [r for r in self.records if r.cost.startswith("O(state)")]
        places = [f"       {os.path.relpath(r.place.file, self.root)}:{r.place.line}  {r.cost}" for r in dear]
        return "\n".join([counted(r.cost for r in self.records), *places])

    def causes(self, limit: int | None = None, examples: int = 3) -> str:
        """Failures grouped by cause, most frequent first, each with some places and what the first one got."""
        groups: dict[str, list[Outcome]] = defaultdict(list)
        for record in self.failed:
            groups[record.cause].append(record)
        ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
        return "\n\n".join(self._group(cause, records, examples) for cause, records in ordered[:limit])

    def _group(self, cause: str, records: list[Outcome], examples: int) -> str:
        direct = [record for record in records if not record.follows] or records
        files = Counter(os.path.relpath(record.place.file, self.root) for record in records)
        lines = [
            f"{len(records):5d}  {cause}   ({len(direct)} directly, "
            f"{sum(r.kind == 'query' for r in records)} queries, {len(files)} files)",
            "       in " + ", ".join(f"{name} ({n})" for name, n in files.most_common(12)),
        ]
        for record in direct[:examples]:
            lines.append(f"       {os.path.relpath(record.place.file, self.root)}:{record.place.line}")
            lines += [f"           {line}" for line in _clipped(record.sql, 6)]
            if record.wanted:
                lines += [f"         - {line}" for line in _clipped(record.wanted, 5)]
            if record.got:
                lines += [f"         + {line}" for line in _clipped(record.got, 5)]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Everything: counts by directory, and every record's outcome."""
        return {
            "directories": {name: asdict(directory) for name, directory in self.directories().items()},
            "records": [
                {
                    "file": os.path.relpath(record.place.file, self.root),
                    "line": record.place.line,
                    "kind": record.kind,
                    "status": record.status.value,
                    "cause": record.cause,
                    "follows": record.follows,
                    "seconds": record.seconds,
                    "cost": record.cost,
                    "sql": record.sql,
                    "wanted": record.wanted,
                    "got": record.got,
                }
                for record in self.records
            ],
        }


def _clipped(text: str, lines: int) -> list[str]:
    found = [line[:220] for line in text.splitlines()]
    return found if len(found) <= lines else [*found[:lines], f"… {len(found) - lines} more lines"]
