"""The summary of a run: as JSON for the launcher and tests, as a table for people.

Everything in it is what the broker acknowledged. Pure but for ``write_summary``; called by ``loader.cli``.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
from rich.table import Table

from loader.faults import iso
from loader.outlet import Bucket, Counts, Outlet
from loader.run import Outcome
from loader.settings import StreamSettings

BEHIND_ALLOWED_S = 1.0
"""A run that was never further behind its schedule than this has kept up."""


def summarise(settings: StreamSettings, outlet: Outlet, outcome: Outcome, topic: str) -> dict[str, Any]:
    """The summary as JSON-ready values; docs/loader.md explains each key."""
    counts: Counts = outlet.counts
    stop_ms = settings.start_ms + round(outcome.at_s * 1000)
    return {
        "seed": settings.seed,
        "devices": settings.devices,
        "topic": topic,
        "start_time": iso(settings.start_ms),
        "started_at": iso(outcome.started_ms),
        "ended_at": iso(outcome.ended_ms),
        "first_ts": None if outcome.first_ts_ms is None else iso(outcome.first_ts_ms),
        "last_ts": None if outcome.last_ts_ms is None else iso(outcome.last_ts_ms),
        "target_rate": round(settings.mean_target_rate(), 1),
        "achieved_rate": round(counts.produced / outcome.sending_s, 1) if outcome.sending_s > 0 else 0.0,
        "due": outcome.due,
        "behind_max_s": round(outcome.behind_max_s, 3),
        "kept_up": outcome.behind_max_s <= BEHIND_ALLOWED_S,
        "produced": counts.produced,
        "acknowledged_by_kind": {
            "valid": counts.valid,
            "duplicates": counts.acknowledged[Bucket.DUPLICATE],
            "malformed": counts.malformed,
            "late": counts.acknowledged[Bucket.LATE],
        },
        "truth_produced": counts.acknowledged[Bucket.TRUTH],
        "failed": sum(counts.failed.values()),
        "failed_by_topic": counts.failed,
        "stopped_early": outcome.stopped_early,
        "error": outcome.error,
        "warnings": settings.warnings(),
        "faults": [fault.stopped(stop_ms).to_json() for fault in outlet.faults],
    }


def write_summary(summary: dict[str, Any], path: Path) -> None:
    """Write the summary so that a reader sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2) + b"\n")
    unfinished.replace(path)


def summary_table(summary: dict[str, Any]) -> Table:
    """The summary as a short table."""
    kinds = summary["acknowledged_by_kind"]
    faults = Counter(fault["kind"] for fault in summary["faults"])
    malformed = sum(kinds["malformed"].values())
    reasons = ", ".join(f"{n} {reason}" for reason, n in kinds["malformed"].items() if n)
    pace = "kept up" if summary["kept_up"] else f"fell {summary['behind_max_s']:g} s behind"
    table = Table(title="loader", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    table.add_row("produced", f"{summary['produced']:,} messages acknowledged on {summary['topic']}")
    table.add_row("  valid", f"{kinds['valid']:,}, of them {kinds['late']:,} late")
    table.add_row("  duplicates", f"{kinds['duplicates']:,}")
    table.add_row("  malformed", f"{malformed:,}" + (f" ({reasons})" if reasons else ""))
    table.add_row("failed", f"{summary['failed']:,}")
    table.add_row(
        "rate", f"{summary['achieved_rate']:,.0f}/s, target {summary['target_rate']:,.0f}/s, {pace}"
    )
    table.add_row("faults", ", ".join(f"{n} {kind}" for kind, n in sorted(faults.items())) or "none")
    table.add_row("event time", f"{summary['first_ts']} to {summary['last_ts']}")
    return table
