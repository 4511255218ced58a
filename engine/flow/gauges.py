"""What the engine measures of itself while it runs: ends of topics and memory of processes, for `rw_catalog`.

A thread and a connection of its own, so that figures stay right while a barrier is long: the lag is largest just then. Ends
are asked from the broker, since what a consumer has fetched says nothing once its queue is full. It writes some ten small
rows a second at most; a figure that cannot be had is left as it was, with the time it was taken. Called by the flow process.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import psycopg

from engine.connectors.sources import Reader
from tailrace.errors import TailraceError

Connection = psycopg.Connection[tuple[Any, ...]]
ENDS_EVERY_S = 0.5
MEMORY_EVERY_S = 5.0
SWEEP_EVERY_S = 60.0
_PROC = Path("/proc")

log = logging.getLogger(__name__)


def measure(dsn: str, readers: Callable[[], Mapping[int, Reader]], stop: threading.Event) -> None:
    """Measure until `stop` is set; a lost connection is made again, since whoever owns the flow hears of it elsewhere."""
    while not stop.is_set():
        try:
            with psycopg.connect(dsn, autocommit=True, application_name="tailrace gauges") as connection:
                _measure(connection, readers, stop)
        except psycopg.Error as error:
            log.debug("gauges: %s", error)
            stop.wait(1.0)


def _measure(
    connection: Connection, readers: Callable[[], Mapping[int, Reader]], stop: threading.Event
) -> None:
    connection.execute("SET synchronous_commit = off")
    local = connection.info.host.startswith("/")
    memory_at = sweep_at = 0.0
    while not stop.is_set():
        if time.monotonic() >= sweep_at:
            connection.execute(
                "DELETE FROM engine.source_ends WHERE source_id NOT IN (SELECT id FROM engine.objects)"
            )
            sweep_at = time.monotonic() + SWEEP_EVERY_S
        for source_id, reader in readers().items():
            record_ends(connection, source_id, reader)
        if local and time.monotonic() >= memory_at:
            record_memory(connection)
            memory_at = time.monotonic() + MEMORY_EVERY_S
        stop.wait(ENDS_EVERY_S)


def record_ends(connection: Connection, source_id: int, reader: Reader) -> None:
    """Ask the broker where the partitions of a source end now, and write it down."""
    try:
        ends = reader.ends()
    except TailraceError:
        return  # the reader itself tells that the broker is away
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO engine.source_ends SELECT id, %s, %s, %s, now() FROM engine.objects WHERE id = %s "
            "ON CONFLICT (source_id, partition) DO UPDATE SET topic_id = EXCLUDED.topic_id, "
            "high_watermark = EXCLUDED.high_watermark, seen_at = EXCLUDED.seen_at",
            [(partition, topic_id, end, source_id) for partition, (topic_id, end) in ends.items()],
        )


def record_memory(connection: Connection) -> None:
    """Write down what this process and PostgreSQL's on this machine hold; where there is no /proc nothing is known."""
    running = connection.execute(
        "SELECT pid, CASE WHEN backend_type = 'client backend' THEN coalesce(nullif(application_name, ''), 'client') "
        "ELSE backend_type END FROM pg_stat_activity"
    ).fetchall()
    processes = [(os.getpid(), "flow"), *((pid, f"postgres: {name}") for pid, name in running)]
    rows = list(_measured(processes))
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM engine.process_memory WHERE pid <> ALL (%s)", ([pid for _, pid, *_ in rows],)
        )
        cursor.executemany(
            "INSERT INTO engine.process_memory VALUES (%s, %s, %s, %s, now()) ON CONFLICT (pid) DO UPDATE SET "
            "process = EXCLUDED.process, resident_bytes = EXCLUDED.resident_bytes, "
            "private_bytes = EXCLUDED.private_bytes, measured_at = EXCLUDED.measured_at",
            rows,
        )


def _measured(processes: Iterable[tuple[int, str]]) -> Iterable[tuple[str, int, int, int]]:
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    for pid, name in processes:
        try:
            _, resident, shared, *_ = (_PROC / str(pid) / "statm").read_text(encoding="ascii").split()
        except (OSError, ValueError):
            continue  # it has ended meanwhile
        yield name, pid, int(resident) * page_bytes, (int(resident) - int(shared)) * page_bytes
