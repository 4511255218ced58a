"""Where a batch's file is put: by the time of its first barrier, however often it is written."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from engine.connectors.sink import SinkSpec, SinkType
from engine.connectors.sink_files import FileTarget
from engine.connectors.sink_target import Batch, Change
from engine.operators.base import Column

AT_MS = 1_798_759_800_000
"""2026-12-31T23:30:00Z."""


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [("none", "."), ("day", "2026-12-31"), ("month", "2026-12"), ("hour", "2026-12-31 23:00")],
)
def test_partitions(tmp_path: Path, prefix: str, folder: str) -> None:
    options = {"path_partition_prefix": prefix}
    spec = SinkSpec("fs", SinkType.APPEND_ONLY, "json", path=str(tmp_path), options=options)
    target = FileTarget("s-1", spec, (Column("v", "integer"),), threading.Event())
    rows = [Change(3, 1, AT_MS, ('{"v":1}',)), Change(4, 1, AT_MS + 3_600_000, ('{"v":2}',))]
    for _ in range(2):
        target.deliver(Batch(3, 4, rows))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == [tmp_path / folder / "s-1-000000000003-000000000004.json"]
    assert files[0].read_text() == '{"v":1}\n{"v":2}\n'
