"""The loader's own account of a run, read from its summary file.

Assumes the summary of `loader.summary`: counts of what the broker acknowledged, the stream's first and last
event time, and the injected faults with the rules that must find them. Caller: the launcher.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from tailrace.up.errors import UpError
from tailrace.verify.matching import Fault, Stream

TOLD = ("achieved_rate", "target_rate", "behind_max_s", "kept_up", "failed", "stopped_early", "warnings")
"""What the report repeats of the summary."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What was sent: `produced` messages acknowledged, by kind, with these faults in this stream."""

    produced: int
    by_kind: Mapping[str, Any]
    stream: Stream | None
    faults: tuple[Fault, ...]
    told: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


def read_truth(path: Path) -> Truth:
    """Read the summary. Raises UpError when the loader left none."""
    try:
        return parse_truth(orjson.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UpError(
            "the loader left no summary that can be read, so its readings cannot be accounted for",
            detail=f"{path}: {error!r}",
            hint="see the loader's log beside the data, and run again",
        ) from error


def parse_truth(summary: Mapping[str, Any]) -> Truth:
    """The summary's document as values."""
    stream = None
    if summary["first_ts"] is not None:
        stream = Stream(_seconds(summary["start_time"]), _seconds(summary["last_ts"]))
    return Truth(
        produced=int(summary["produced"]),
        by_kind=summary["acknowledged_by_kind"],
        stream=stream,
        faults=tuple(_fault(each, stream) for each in summary["faults"]) if stream else (),
        told={key: summary[key] for key in TOLD if key in summary},
        error=summary.get("error"),
    )


def _fault(told: Mapping[str, Any], stream: Stream) -> Fault:
    ends_at = told["ends_at"]
    return Fault(
        kind=told["kind"],
        device_id=told["device_id"],
        metric=told["metric"],
        starts_at=_seconds(told["starts_at"]),
        ends_at=stream.ends_at if ends_at is None else _seconds(ends_at),
        expected=frozenset(told["rules"]),
    )


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()
