"""Rows per second that the Kafka source decodes, without broker or database: `python bench/decode.py [rows]`.

The reading is the pipeline's own (about 133 bytes of JSON). Three sources: the raw one of the pipeline
(ENCODE BYTES with partition, offset and timestamp), the same fields typed by ENCODE JSON, and ENCODE JSON
with 1 message in 100 malformed.
"""

from __future__ import annotations

import sys
import time

from engine.connectors.decode import Decoder
from engine.connectors.formats import Format
from engine.connectors.source import SourceColumn, SourceSpec, source_spec

_OPTIONS = {"connector": "kafka", "topic": "t", "properties.bootstrap.server": "127.0.0.1:9092"}
_CHUNK_ROWS = 1_000


class Recorded:
    """A message with the accessors of confluent_kafka.Message."""

    __slots__ = ("_offset", "_value")

    def __init__(self, offset: int, value: bytes) -> None:
        self._offset = offset
        self._value = value

    def value(self) -> bytes:
        return self._value

    def key(self) -> bytes:
        return b"dev-000123"

    def partition(self) -> int:
        return self._offset % 6

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_795_475_777_000 + self._offset // 50

    def headers(self) -> None:
        return None


def _source(encode: str, *columns: tuple[str, str, str]) -> SourceSpec:
    return source_spec(
        "s", [SourceColumn(*column) for column in columns], _OPTIONS, Format(encode=encode.lower())
    )


_INCLUDED = (("p", "integer", "partition"), ("o", "bigint", "offset"), ("t", "timestamptz", "timestamp"))
_FIELDS = (
    ("event_id", "varchar"),
    ("device_id", "varchar"),
    ("metric", "varchar"),
    ("value", "double precision"),
)
_TYPED = (*((name, type_, "field") for name, type_ in _FIELDS), ("ts", "timestamptz", "field"))


def measure(title: str, spec: SourceSpec, messages: list[Recorded]) -> None:
    """Print the best of three passes."""
    best = float("inf")
    for _ in range(3):
        decoder, rows, begun = Decoder(spec), 0, time.perf_counter()
        for start in range(0, len(messages), _CHUNK_ROWS):
            rows += len(decoder.decode(messages[start : start + _CHUNK_ROWS]).rows)
        best = min(best, time.perf_counter() - begun)
    print(f"{title:<28} {len(messages) / best:>12,.0f} messages/s   {rows:,} rows")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    form = (
        '{"event_id":"01JD-%012d","device_id":"dev-%06d","metric":"temperature","value":21.37,'
        '"ts":"2026-11-23T23:16:17.123Z"}'
    )
    good = [Recorded(n, (form % (n, n % 2000)).encode()) for n in range(count)]
    mixed = [Recorded(n, b"\xff{" if n % 100 == 0 else (form % (n, n % 2000)).encode()) for n in range(count)]
    measure("bytes + p, o, t", _source("BYTES", ("data", "bytea", "field"), *_INCLUDED), good)
    measure("json typed", _source("JSON", *_TYPED), good)
    measure("json typed + p, o, t", _source("JSON", *_TYPED, *_INCLUDED), good)
    measure("json typed, 1% malformed", _source("JSON", *_TYPED), mixed)


if __name__ == "__main__":
    main()
