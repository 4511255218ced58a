"""Files as a sink's target: one for each batch, JSON lines or Parquet, named by the sink and the range of its log.

A file appears whole or not at all: it is written under a temporary name, fsynced, renamed, and the folder is fsynced.
A batch that is delivered again has the same range and so replaces its file: nothing twice. Names are
<sink>-<id>-<first>-<last>.json. Parquet keeps numeric, interval, jsonb and arrays as strings, the other types as its own.
Used by the delivery process; `check_directory` by the DDL.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engine.compile.sink import log_columns
from engine.connectors.sink import SinkSpec
from engine.connectors.sink_json import row_expression, value_expression
from engine.connectors.sink_target import Batch, DeliveryError, DeliveryStopped
from engine.operators.base import Column
from tailrace.errors import TailraceError

_FINITE = "CASE WHEN isfinite({x}) THEN {form} END"
_TYPES: dict[str, tuple[pa.DataType, str]] = {
    "boolean": (pa.bool_(), "{x}"),
    "smallint": (pa.int16(), "{x}"),
    "integer": (pa.int32(), "{x}"),
    "bigint": (pa.int64(), "{x}"),
    "real": (pa.float32(), "{x}"),
    "double precision": (pa.float64(), "{x}"),
    "bytea": (pa.binary(), "{x}"),
    "date": (pa.date32(), _FINITE.format(x="{x}", form="{x} - DATE '1970-01-01'")),
    "time without time zone": (pa.time64("us"), "(extract(epoch FROM {x}) * 1000000)::bigint"),
    "timestamp without time zone": (
        pa.timestamp("us"),
        _FINITE.format(x="{x}", form="(extract(epoch FROM {x}) * 1000000)::bigint"),
    ),
    "timestamp with time zone": (
        pa.timestamp("us", "UTC"),
        _FINITE.format(x="{x}", form="(extract(epoch FROM {x}) * 1000000)::bigint"),
    ),
}
"""Type -> Parquet's type and the SQL expression of its value; date and times as whole numbers of their unit."""


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
    """One sink's folder."""

    def __init__(
        self, name: str, id_: int, spec: SinkSpec, columns: Sequence[Column], stop: threading.Event
    ) -> None:
        self.select: Sequence[str]
        self.batch_rows, self.linger_s = spec.max_rows, float(spec.rollover_s)
        self._spec, self._stop = spec, stop
        self._prefix = f"{''.join(c if c.isalnum() or c in '_-' else '_' for c in name)}-{id_}"
        self._schema = pa.schema([(c.name, _arrow(c.type)) for c in columns])
        listed = log_columns(columns)
        if spec.encode == "json":
            self.select = [row_expression(listed, spec)]
        else:
            self.select = [_parquet_value(x, c.type, spec) for x, c in listed]

    def deliver(self, batch: Batch) -> None:
        """See `Target`."""
        if self._stop.is_set():
            raise DeliveryStopped
        folder = Path(self._spec.path)
        name = f"{self._prefix}-{batch.first:012d}-{batch.last:012d}.{self._spec.encode}"
        temporary = folder / f".{self._prefix}.tmp"  # one for a sink, so that a crash leaves no more than one
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                self._write(file, batch)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(folder / name)
            _sync(folder)
        except (OSError, pa.ArrowException) as error:
            raise DeliveryError(f"cannot write {folder / name}: {error}") from error

    def close(self) -> None:
        """Nothing is kept open."""

    def _write(self, file: object, batch: Batch) -> None:
        if self._spec.encode == "json":
            lines = b"".join(change.values[0].encode() + b"\n" for change in batch.changes)
            file.write(lines)  # type: ignore[attr-defined]
            return
        rows = [change.values for change in batch.changes]
        arrays = [
            pa.array([row[number] for row in rows], _carrier(kind.type)).cast(kind.type)
            for number, kind in enumerate(self._schema)
        ]
        pq.write_table(pa.table(arrays, schema=self._schema), file)


def _arrow(type_: str) -> pa.DataType:
    return _TYPES[type_][0] if type_ in _TYPES else pa.string()


def _carrier(type_: pa.DataType) -> pa.DataType:
    """What a value arrives as."""
    if pa.types.is_date32(type_):
        return pa.int32()
    return pa.int64() if pa.types.is_time64(type_) or pa.types.is_timestamp(type_) else type_


def _parquet_value(x: str, type_: str, spec: SinkSpec) -> str:
    if type_ in _TYPES:
        return _TYPES[type_][1].format(x=x)
    return f"({value_expression(x, type_, spec)})::text"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
