"""A batch as a Parquet file: numeric, interval, jsonb and arrays as strings, the other types as Parquet's own.

Loaded only where a sink wants it: pyarrow takes seconds and memory to load. Used by `engine.connectors.sink_files`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from engine.compile.sink import log_columns
from engine.connectors.sink import SinkSpec
from engine.connectors.sink_json import value_expression
from engine.connectors.sink_target import Batch, DeliveryError
from engine.operators.base import Column

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


def select(spec: SinkSpec, columns: Sequence[Column]) -> list[str]:
    """The SQL expression of each column's value."""
    return [_value(x, column.type, spec) for x, column in log_columns(columns)]


def write(columns: Sequence[Column], file: BinaryIO, batch: Batch) -> None:
    """Write the batch's rows; raises DeliveryError where they cannot be written."""
    schema = pa.schema([(c.name, _TYPES[c.type][0] if c.type in _TYPES else pa.string()) for c in columns])
    try:
        arrays = [
            pa.array([change.values[number] for change in batch.changes], _carrier(kind.type)).cast(kind.type)
            for number, kind in enumerate(schema)
        ]
        pq.write_table(pa.table(arrays, schema=schema), file)
    except pa.ArrowException as error:
        raise DeliveryError(f"cannot write Parquet: {error}") from error


def _carrier(type_: pa.DataType) -> pa.DataType:
    """What a value arrives as."""
    if pa.types.is_date32(type_):
        return pa.int32()
    return pa.int64() if pa.types.is_time64(type_) or pa.types.is_timestamp(type_) else type_


def _value(x: str, type_: str, spec: SinkSpec) -> str:
    if type_ in _TYPES:
        return _TYPES[type_][1].format(x=x)
    return f"({value_expression(x, type_, spec)})::text"
