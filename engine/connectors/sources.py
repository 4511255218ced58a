"""Sources of every connector behind one door, as the flow uses them: check, where to start, read for ever, read a range."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from engine.connectors import datagen, kafka, source
from engine.connectors.external import ExternalSchema
from engine.connectors.formats import Format
from engine.connectors.generator import (
    GENERATORS,
    GeneratorReader,
    first_positions,
    generated_spec,
    read_generated,
)
from engine.connectors.source import Batch, Composites, Maps, Position, SourceColumn, SourceSpec
from engine.connectors.topic import Topic


class Reader(Protocol):
    """A thread that reads ahead of the flow."""

    spec: SourceSpec

    def start(self) -> None:
        """Begin reading."""

    def stop(self) -> None:
        """End reading and wait for the thread; what was not taken is read again."""

    def take(self, max_rows: int) -> Batch | None:
        """What waits, up to `max_rows` rows; None when nothing does."""

    def ends(self, timeout_s: float = 1.0) -> dict[int, tuple[str, int]]:
        """By partition, the topic's id and where it ends now. Raises TailraceError when that cannot be told."""


def source_spec(
    name: str,
    columns: Sequence[SourceColumn],
    options: Mapping[str, str],
    format_: Format | None,
    *,
    composites: Composites | None = None,
    maps: Maps | None = None,
    key: Sequence[str] = (),
    schema: ExternalSchema | None = None,
) -> SourceSpec:
    """Check CREATE SOURCE and gather it. `format_` is None where there is none, `key` the columns that a message must have,
    `schema` what ENCODE AVRO and PROTOBUF read by. Raises TailraceError, naming the option.
    """
    connector = next((v for k, v in options.items() if k.strip().lower() == "connector"), "").lower()
    if connector in GENERATORS:
        name_, encode = (format_.name, format_.encode) if format_ else ("NATIVE", "NATIVE")
        return generated_spec(name, columns, options, name_, encode, composites=composites)
    return source.source_spec(
        name, columns, options, format_ or Format(), composites=composites, maps=maps, key=key, schema=schema
    )


def check_client(spec: SourceSpec) -> None:
    """Raises TailraceError where the client takes no such settings. No broker is asked."""
    if spec.connector not in GENERATORS:
        Topic(spec)


def start_positions(spec: SourceSpec) -> dict[int, Position]:
    """Where a new source starts; asks the broker, where there is one."""
    return first_positions(spec) if spec.connector in GENERATORS else kafka.start_positions(spec)


def idle_options(spec: SourceSpec) -> list[str]:
    """Notices about options that do nothing."""
    return datagen.idle_options(spec) if spec.connector == "datagen" else []


def read_range(
    spec: SourceSpec, start: Mapping[int, Position], end: Mapping[int, Position], chunk_rows: int
) -> Iterator[Batch]:
    """Rows between two positions, in batches; the last one's positions reach `end`."""
    read = read_generated if spec.connector in GENERATORS else kafka.read_range
    return read(spec, start, end, chunk_rows)


def open_reader(spec: SourceSpec, positions: Mapping[int, Position], wake: threading.Event) -> Reader:
    """A reader that goes on from `positions`, to be started."""
    if spec.connector in GENERATORS:
        return GeneratorReader(spec, positions, wake=wake)
    return kafka.KafkaReader(spec, positions, wake=wake)
