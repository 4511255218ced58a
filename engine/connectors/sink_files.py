"""Files as a sink's target: one for each batch, JSON lines or Parquet, named by the sink and the range of its log.

A file appears whole or not at all: it is written under a temporary name, fsynced, renamed, and the folder is fsynced.
A batch that is delivered again has the same range and so replaces its file: nothing twice. Names are
<sink>-<when it was created>-<id>-<first>-<last>.json or .parquet. Used by the delivery process; `check_directory` by the DDL.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from engine.compile.sink import log_columns
from engine.connectors.sink import PARTITIONED, SinkSpec
from engine.connectors.sink_json import row_expression
from engine.connectors.sink_target import Batch, DeliveryError, DeliveryStopped
from engine.operators.base import Column
from tailrace.errors import TailraceError

_PARTS: Final = {"none": "", "day": "%Y-%m-%d", "month": "%Y-%m", "hour": "%Y-%m-%d %H:00"}
"""`path_partition_prefix`, and the folder's name as RisingWave writes it."""


def check_directory(name: str, spec: SinkSpec) -> None:
    """Make the folder; raises TailraceError where that fails."""
    try:
        Path(spec.path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TailraceError(
            f"sink {name}: cannot make the folder {spec.path}: {error.strerror}",
            sqlstate="58030",
            hint="choose another with fs.path, which the engine's user may write",
        ) from error


class FileTarget:
    """One sink's folder. `prefix` tells its files from those of any other sink that writes there."""

    def __init__(self, prefix: str, spec: SinkSpec, columns: Sequence[Column], stop: threading.Event) -> None:
        self.select: Sequence[str]
        self._write: Callable[[BinaryIO, Batch], None]
        self.batch_rows, self.linger_s = spec.max_rows, float(spec.rollover_s)
        self._spec, self._stop = spec, stop
        self._prefix = "".join(c if c.isalnum() or c in "_-" else "_" for c in prefix)
        if spec.encode == "json":
            self.select, self._write = [row_expression(log_columns(columns), spec)], _write_lines
        else:
            from engine.connectors import sink_parquet  # loads 100 MB that few sinks need

            self.select = sink_parquet.select(spec, columns)
            self._write = partial(sink_parquet.write, columns)

    def deliver(self, batch: Batch) -> None:
        """See `Target`."""
        if self._stop.is_set():
            raise DeliveryStopped
        base = Path(self._spec.path)
        folder = base / self._part(batch)
        name = f"{self._prefix}-{batch.first:012d}-{batch.last:012d}.{self._spec.encode}"
        temporary = base / f".{self._prefix}.tmp"  # one for a sink, so that a crash leaves no more than one
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                self._write(file, batch)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(folder / name)
            for changed in {folder, base}:
                _sync(changed)
        except OSError as error:
            raise DeliveryError(f"cannot write {folder / name}: {error}") from error

    def _part(self, batch: Batch) -> str:
        """The folder within fs.path: by the time of the batch's first barrier, which is the same whenever it is written."""
        form = _PARTS[self._spec.options.get(PARTITIONED, "none")]
        return datetime.fromtimestamp(batch.changes[0].at_ms / 1000, UTC).strftime(form)

    def close(self) -> None:
        """Nothing is kept open."""


def _write_lines(file: BinaryIO, batch: Batch) -> None:
    file.write(b"".join(change.values[0].encode() + b"\n" for change in batch.changes))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
