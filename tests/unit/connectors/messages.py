"""Messages without a broker, and sources over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.connectors.formats import Format
from engine.connectors.source import SourceColumn, SourceSpec, source_spec

OPTIONS = {"connector": "kafka", "topic": "t", "properties.bootstrap.server": "127.0.0.1:9092"}


@dataclass(frozen=True)
class Recorded:
    """A message with the accessors of confluent_kafka.Message."""

    given_value: bytes | None
    given_offset: int = 0
    given_partition: int = 0
    given_key: bytes | None = None
    millisecond: int = 1_795_475_777_123
    given_headers: tuple[tuple[str, bytes | None], ...] = ()

    def value(self) -> bytes | None:
        return self.given_value

    def key(self) -> bytes | None:
        return self.given_key

    def partition(self) -> int:
        return self.given_partition

    def offset(self) -> int:
        return self.given_offset

    def timestamp(self) -> tuple[int, int]:
        return 1, self.millisecond

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.given_headers) or None


def source(encode: str, *columns: tuple[str, str, str], **options: str) -> SourceSpec:
    """A source of columns given as (name, type, origin)."""
    return source_spec(
        "s", [SourceColumn(*each) for each in columns], {**OPTIONS, **options}, Format(encode=encode.lower())
    )


def changing(format_: Format, key: Sequence[str], *columns: tuple[str, str, str]) -> SourceSpec:
    """A source of messages that are changes."""
    return source_spec("s", [SourceColumn(*each) for each in columns], OPTIONS, format_, key=key)
