"""The loader's summary, as values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tailrace.up.errors import UpError
from tailrace.up.truth import parse_truth, read_truth
from tailrace.verify.matching import Stream

SUMMARY: dict[str, Any] = {
    "start_time": "2026-11-23T23:00:00.000Z",
    "first_ts": "2026-11-23T23:00:00.001Z",
    "last_ts": "2026-11-23T23:00:30.500Z",
    "produced": 90_000,
    "acknowledged_by_kind": {"valid": 90_000, "duplicates": 0, "malformed": {}, "late": 0},
    "kept_up": True,
    "error": None,
    "faults": [
        {
            "fault_id": "f1",
            "kind": "silent",
            "device_id": "dev-000001",
            "metric": None,
            "starts_at": "2026-11-23T23:00:04.000Z",
            "ends_at": None,
            "rules": ["silent"],
            "event_id": None,
        }
    ],
}
START = 1795474800.0


def test_values() -> None:
    truth = parse_truth(SUMMARY)
    assert (truth.produced, truth.stream, truth.told) == (
        90_000,
        Stream(START, START + 30.5),
        {"kept_up": True},
    )
    (fault,) = truth.faults
    assert (fault.starts_at, fault.ends_at, fault.expected) == (
        START + 4,
        START + 30.5,
        frozenset({"silent"}),
    )


def test_nothing_sent() -> None:
    truth = parse_truth({**SUMMARY, "first_ts": None, "last_ts": None, "produced": 0, "faults": []})
    assert (truth.stream, truth.faults) == (None, ())


def test_no_summary(tmp_path: Path) -> None:
    with pytest.raises(UpError, match="left no summary"):
        read_truth(tmp_path / "missing.json")
