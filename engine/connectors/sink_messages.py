"""From logged changes to Kafka messages: FORMAT PLAIN, UPSERT and DEBEZIUM. Pure.

PLAIN gives each row that comes. UPSERT gives the new row under its key, and a tombstone where a row has gone. DEBEZIUM gives an
envelope with both sides, and a tombstone behind a delete (RisingWave's docs, "Sink to Kafka"; Debezium's PostgreSQL
connector, change events). Values arrive as JSON text (`engine.connectors.sink_json`) and are put together as text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from engine.compile.sink import DELETE, UPDATE_DELETE, UPDATE_INSERT, log_columns
from engine.connectors.sink import SinkSpec, SinkType
from engine.connectors.sink_json import row_expression
from engine.connectors.sink_target import Change
from engine.connectors.source import Composites
from engine.operators.base import Column

Message = tuple[bytes | None, bytes | None]
"""Key and value; a value of None is a tombstone."""
_DATABASE = "dev"
_LOGICAL = {
    "smallint": ("int16", None),
    "integer": ("int32", None),
    "bigint": ("int64", None),
    "boolean": ("boolean", None),
    "real": ("float", None),
    "double precision": ("double", None),
    "bytea": ("bytes", None),
    "date": ("int32", "org.apache.kafka.connect.data.Date"),
    "time without time zone": ("int64", "org.apache.kafka.connect.data.Time"),
    "timestamp without time zone": ("int64", "org.apache.kafka.connect.data.Timestamp"),
    "timestamp with time zone": ("string", "io.debezium.time.ZonedTimestamp"),
    "interval": ("string", "io.debezium.time.Interval"),
    "jsonb": ("string", "io.debezium.data.Json"),
}


def select(spec: SinkSpec, columns: Sequence[Column]) -> list[str]:
    """The SQL expressions of a change's values: its key (or NULL) and its row, as text or bytes."""
    listed = log_columns(columns)
    row = listed[0][0] if spec.encode == "bytes" else row_expression(listed, spec)
    return [key_expression(spec, columns), row]


def key_expression(spec: SinkSpec, columns: Sequence[Column]) -> str:
    """The SQL expression of a change's key: text or bytes, or NULL."""
    listed = log_columns(columns)
    if not spec.primary_key or spec.key_encode == "avro":
        return "NULL"
    if spec.key_encode == "json":
        return row_expression([next(i for i in listed if i[1].name == k) for k in spec.primary_key], spec)
    (name,) = (name for name, column in listed if column.name == spec.primary_key[0])
    return name if spec.key_encode == "bytes" else f"{name}::text"


def messages(
    spec: SinkSpec, columns: Sequence[Column], table: str
) -> Callable[[Iterable[Change]], Iterator[Message]]:
    """How the changes of this sink become messages; `table` is what Debezium's envelope names as their origin."""
    if spec.type is not SinkType.DEBEZIUM:
        return _rows
    envelope = _Envelope(spec, columns, table)
    return envelope.messages


def _rows(changes: Iterable[Change]) -> Iterator[Message]:
    """PLAIN and UPSERT; the log of a PLAIN sink holds inserts only."""
    for change in changes:
        key, row = change.values
        if change.op == UPDATE_DELETE:
            continue  # the new row follows under the same key
        yield _bytes(key), None if change.op == DELETE else _bytes(row)


class _Envelope:
    def __init__(self, spec: SinkSpec, columns: Sequence[Column], table: str) -> None:
        self._table = json.dumps(table)
        self._wrap_key = spec.key_encode == "json"
        prefix = f"RisingWave.{_DATABASE}.{table}"
        fields = [_field(c.name, c.type, spec.composites) for c in columns]
        types = {c.name: c.type for c in columns}
        keys = [_field(name, types[name], spec.composites) for name in spec.primary_key]
        self._key_schema = _compact(
            {"type": "struct", "fields": keys, "optional": False, "name": f"{prefix}.Key"}
        )
        self._schema = _compact(
            {
                "type": "struct",
                "fields": [
                    {
                        "type": "struct",
                        "fields": fields,
                        "optional": True,
                        "field": "before",
                        "name": f"{prefix}.Key",
                    },
                    {
                        "type": "struct",
                        "fields": fields,
                        "optional": True,
                        "field": "after",
                        "name": f"{prefix}.Key",
                    },
                    {
                        "type": "struct",
                        "optional": False,
                        "name": f"{prefix}.Source",
                        "fields": [
                            {"type": "string", "optional": False, "field": "db"},
                            {"type": "string", "optional": True, "field": "table"},
                            {"type": "int64", "optional": False, "field": "ts_ms"},
                        ],
                        "field": "source",
                    },
                    {"type": "string", "optional": False, "field": "op"},
                    {"type": "int64", "optional": False, "field": "ts_ms"},
                ],
                "optional": False,
                "name": f"{prefix}.Envelope",
            }
        )

    def messages(self, changes: Iterable[Change]) -> Iterator[Message]:
        before = "null"
        for change in changes:
            key, row = change.values
            if change.op == UPDATE_DELETE:
                before = row
                continue
            key = (
                f'{{"schema":{self._key_schema},"payload":{key}}}'.encode() if self._wrap_key else _bytes(key)
            )
            if change.op == DELETE:
                yield key, self._event("d", row, "null", change.at_ms)
                yield key, None
            elif change.op == UPDATE_INSERT:
                yield key, self._event("u", before, row, change.at_ms)
            else:
                yield key, self._event("c", "null", row, change.at_ms)
            before = "null"

    def _event(self, op: str, before: str, after: str, at_ms: int) -> bytes:
        source = f'{{"db":"{_DATABASE}","table":{self._table},"ts_ms":{at_ms}}}'
        payload = f'{{"before":{before},"after":{after},"op":"{op}","ts_ms":{at_ms},"source":{source}}}'
        return f'{{"schema":{self._schema},"payload":{payload}}}'.encode()


def _field(name: str, type_: str, composites: Composites) -> dict[str, object]:
    return {"field": name, "optional": True, **_kind(type_, composites)}


def _kind(type_: str, composites: Composites) -> dict[str, object]:
    """A type as Kafka Connect's schemas describe it."""
    if type_.endswith("[]"):
        return {"type": "array", "items": {"optional": True, **_kind(type_.removesuffix("[]"), composites)}}
    if type_ in composites:
        return {"type": "struct", "fields": [_field(n, t, composites) for n, t in composites[type_]]}
    kind, logical = _LOGICAL.get(type_, ("string", None))
    return {"type": kind, **({"name": logical} if logical else {})}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
