"""What the views hold, all in one snapshot, and the account of it against the topic.

`glance` asks as a client does, cheaply, while the load goes on. `examine` reads everything, beside the front door: every message
by its origin, and every view whose query means something as a batch against that batch. Left out there are views over a
source (the topic is no table) and over `FOR SYSTEM_TIME AS OF PROCTIME()`: what the other side said when a row came is recorded
nowhere else. `readings`, which is one, is accounted for by origin instead.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg import IsolationLevel, sql

from tailrace.config import READINGS
from tests.chaos.account import Contents, Message, differences, gaps, unaccounted
from tests.chaos.stack import Stack
from tests.support.flow import as_batch

_ORIGIN = "kafka_partition, kafka_offset, (extract(epoch FROM kafka_timestamp) * 1000)::bigint"
_SOURCE = "readings_raw"
_HEAD = re.compile(r"(?s)^.*?CREATE MATERIALIZED VIEW \S+(?: WITH \([^)]*\))? AS\s")


def glance(stack: Stack) -> list[str]:
    """Counts in one READ ONLY transaction through the front door.

    Of messages only those since the last glance: telling millions apart takes longer than a client may. All of them once a
    topic has been made again, since its offsets begin anew.
    """
    closed = stack.truth.closed()
    since = {p: 0 if any(closed.values()) else stack.glanced.get(p, 0) for p in range(READINGS.partitions)}
    with stack.connect() as connection:
        connection.execute("BEGIN READ ONLY")
        try:
            ask = lambda query: connection.execute(query).fetchall()  # noqa: E731
            positions = dict(
                ask(
                    "SELECT partition, next_offset FROM rw_catalog.rw_kafka_source_progress "
                    f"WHERE source_name = '{_SOURCE}'"
                )
            )
            there = {
                partition: (count, distinct)
                for partition, count, distinct in connection.execute(
                    "SELECT kafka_partition, count(*), count(DISTINCT (kafka_offset, kafka_timestamp)) FROM messages "
                    "JOIN unnest(%s::int[], %s::bigint[]) AS s (partition, since) "
                    "ON kafka_partition = partition AND kafka_offset >= since GROUP BY kafka_partition",
                    (list(since), list(since.values())),
                ).fetchall()
            }
            stages = dict(ask("SELECT stage, rows FROM pipeline_counts"))
            ((samples, readings),) = ask(
                "SELECT (SELECT sum(samples)::bigint FROM readings_10s), (SELECT count(*) FROM readings)"
            )
            ((poison,),) = ask("SELECT count(*) FROM rw_catalog.rw_poison_rows")
        finally:
            connection.execute("COMMIT")
    found = []
    for partition in range(READINGS.partitions):
        due = closed[partition] + positions.get(partition, 0) - since[partition]
        count, distinct = there.get(partition, (0, 0))
        if (count, distinct) != (due, due):
            found.append(
                f"messages: partition {partition} was read up to offset {positions.get(partition)}, {due:,} in all; "
                f"there are {count:,} rows, {distinct:,} of them distinct"
            )
    parts = stages["readings"] + stages["rejects"] + stages["duplicates"]
    if stages["messages"] != parts or stages["messages"] != sum(closed.values()) + sum(positions.values()):
        found.append(f"pipeline_counts: does not add up: {stages}, {positions} and {closed} before")
    if not samples == readings == stages["readings"]:
        found.append(
            f"readings_10s: {samples} samples of {readings} readings (counted as {stages['readings']})"
        )
    if poison:
        found.append(f"poison rows: {poison} were set aside")
    if not found:
        stack.glanced = positions
    return found


def examine(stack: Stack) -> list[str]:
    """The full account, in one snapshot; the load may go on."""
    with psycopg.connect(stack.layout.dsn(), autocommit=False) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        positions = _positions(connection)
        stack.truth.read_on()
        current = [m for m in stack.truth.generations[-1] if m.offset < positions.get(m.partition, 0)]
        topic = [m for generation in stack.truth.generations[:-1] for m in generation] + current
        found = gaps(stack.truth.generations[-1])
        found += unaccounted(topic, _contents(connection))
        found += _as_batches(connection)
    return found


def _positions(connection: psycopg.Connection[Any]) -> dict[int, int]:
    return dict(
        connection.execute(
            "SELECT partition, next_offset FROM rw_catalog.rw_kafka_source_progress WHERE source_name = %s",
            (_SOURCE,),
        ).fetchall()
    )


def _contents(connection: psycopg.Connection[Any]) -> Contents:
    def read(rest: str) -> list[Message]:
        with connection.cursor(binary=True) as cursor:
            return [Message(*row) for row in cursor.execute(f"SELECT {_ORIGIN}, {rest}")]

    whole = "CASE WHEN reject_reason IS NULL THEN event_id END, reject_reason FROM messages"
    return Contents(
        read(whole),
        read("event_id, NULL::text FROM readings"),
        read("NULL::text, reject_reason FROM rejects"),
        dict(connection.execute("SELECT event_id, copies FROM duplicates").fetchall()),
    )


def _as_batches(connection: psycopg.Connection[Any]) -> list[str]:
    """Each view against its query, now() being the time of the barrier that the snapshot shows."""
    row = connection.execute("SELECT barrier_time FROM rw_catalog.rw_barrier").fetchone()
    assert row is not None
    found = []
    for name, definition in connection.execute(
        "SELECT name, definition FROM rw_catalog.rw_materialized_views ORDER BY name"
    ):
        if "SYSTEM_TIME" in definition or _SOURCE in definition:
            continue
        query = _HEAD.sub("", definition, count=1)
        with connection.cursor(binary=True) as cursor:
            view = cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))).fetchall()
            found += differences(name, view, cursor.execute(as_batch(query, row[0])).fetchall())
    return found
