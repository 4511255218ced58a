"""How messages of a source get into its delta table, live or read again from the topic.

Used by the barrier, by the fill of a small view in a DDL statement, and by backfill's worker on its own connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg

from engine.catalog.objects import Catalog, CatalogObject
from engine.connectors.intervals import teach_intervals
from engine.connectors.source import Batch, Position, SourceSpec
from engine.connectors.sources import read_range
from engine.ddl import create_source as sources
from engine.ddl.composites import register
from engine.operators.base import names

Connection = psycopg.Connection[tuple[Any, ...]]
CATCH_UP_ROWS = 20_000


def spec_of(catalog: Catalog, source_id: int) -> SourceSpec:
    """What the reader of a source must deliver for the programs of this catalog, in the order of COPY."""
    readers = sorted(catalog.read_by_views(source_id))
    programs = [p for v in readers if (p := catalog.objects[v].program) is not None]
    return sources.reader_spec(catalog.objects[source_id], programs)


def copy_rows(
    connection: Connection, source: CatalogObject, spec: SourceSpec, rows: Sequence[tuple[Any, ...]]
) -> None:
    """COPY decoded messages into the source's input."""
    if spec.composites or spec.maps:
        register(connection, spec)
    columns = names([c.name for c in spec.columns])
    statement = f"COPY {sources.input_name(source)} ({columns}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        teach_intervals(cursor)
        copy.set_types(spec.types())
        write = copy.write_row
        for row in rows:
            write(row)


def positions(connection: Connection, source_id: int) -> dict[int, Position]:
    """Where the shared reader of a source stands in this snapshot, by partition."""
    rows = connection.execute(
        "SELECT partition, topic_id, next_offset FROM engine.source_positions WHERE source_id = %s",
        (source_id,),
    )
    return {partition: Position(topic_id, partition, offset) for partition, topic_id, offset in rows}


def first_positions(source: CatalogObject, end: Mapping[int, Position]) -> dict[int, Position]:
    """Where reading again begins, for each partition of `end`: the source's start, or 0 in a later generation."""
    start = sources.start_of(source)
    return {
        p: start[p] if p in start and start[p].topic_id == at.topic_id else Position(at.topic_id, p, 0)
        for p, at in end.items()
    }


def messages_between(begin: Mapping[int, Position], end: Mapping[int, Position]) -> int:
    """How many offsets lie between two positions."""
    return sum(max(0, at.offset - begin[p].offset) for p, at in end.items())


def read_again(
    connection: Connection,
    source: CatalogObject,
    spec: SourceSpec,
    end: Mapping[int, Position],
    now: datetime,
) -> Iterator[int]:
    """Put the messages from the source's start to `end` into its delta table, chunk by chunk; the caller empties it."""
    begin = first_positions(source, end)
    for put_in, batch in read_chunks(connection, source, spec, begin, end, now=now):
        put_in()
        yield len(batch.rows)


def read_chunks(
    connection: Connection,
    source: CatalogObject,
    spec: SourceSpec,
    begin: Mapping[int, Position],
    end: Mapping[int, Position],
    *,
    now: datetime,
) -> Iterator[tuple[Callable[[], None], Batch]]:
    """The messages between two positions in chunks, each with the call that puts it into the source's delta table."""
    if not messages_between(begin, end):
        return
    for batch in read_range(spec, begin, end, CATCH_UP_ROWS):

        def put_in(batch: Batch = batch) -> None:
            copy_rows(connection, source, spec, batch.rows)
            if source.body.get("program"):
                step = f"SELECT engine.step_{source.id}(%s, %s, true, true)"
                connection.execute(step, (now, now))

        yield put_in, batch


def record_positions(connection: Connection, batches: Mapping[int, Batch]) -> None:
    """Write down how far the batches (by source id) have come, what was skipped in them, and topics made anew."""
    with connection.cursor() as cursor:
        for source_id, batch in batches.items():
            for generation in batch.new_generations:
                cursor.execute(
                    "INSERT INTO engine.source_generations (source_id, topic_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                    (source_id, generation.new_id),
                )
            if batch.skipped:
                cursor.execute(
                    "INSERT INTO engine.source_skipped AS s VALUES (%s, %s) ON CONFLICT (source_id) DO UPDATE "
                    "SET messages = s.messages + EXCLUDED.messages",
                    (source_id, batch.skipped),
                )
            if batch.rejects:  # by the table's name, where a table's connector reads them
                cursor.executemany(
                    "INSERT INTO engine.poison_rows (source_id, origin, error, sqlstate) "
                    "SELECT coalesce((body ->> 'feeds')::integer, id), %s, %s, '22P03' FROM engine.objects WHERE id = %s",
                    [
                        (f"partition {r.partition}, offset {r.offset}", r.reason, source_id)
                        for r in batch.rejects
                    ],
                )
            cursor.executemany(
                "INSERT INTO engine.source_positions VALUES (%s, %s, %s, %s) ON CONFLICT (source_id, partition) "
                "DO UPDATE SET topic_id = EXCLUDED.topic_id, next_offset = EXCLUDED.next_offset",
                [(source_id, p.partition, p.topic_id, p.offset) for p in batch.positions.values()],
            )
