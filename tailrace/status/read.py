"""Ask the SQL side for its state: plain queries of `rw_catalog`, one for each part of the picture.

Knows nothing of the engine behind the URL. What an engine does not show (RisingWave has no barrier relation and no storage
by relation) is left out, with the reason in `Status.missing`; only a side that does not answer at all is an error.
Caller: the CLI.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final, LiteralString, TypeVar

import psycopg
from psycopg.rows import args_row

from tailrace.refusals import refusal

Row = TypeVar("Row")
Connection = psycopg.Connection[tuple[Any, ...]]

BARRIER: Final = (
    "SELECT epoch, barrier_time, extract(epoch FROM now() - barrier_time)::double precision, previous_ms "
    "FROM rw_catalog.rw_barrier"
)
STORAGE: Final = (
    "SELECT name, relation_type, row_estimate, state_bytes, index_bytes, changelog_bytes "
    "FROM rw_catalog.rw_relation_storage ORDER BY state_bytes + index_bytes DESC, name"
)
STATS: Final = (
    "SELECT r.name, r.relation_type, s.total_key_count, s.total_key_size + s.total_value_size, "
    "NULL::bigint, NULL::bigint FROM rw_catalog.rw_relations AS r "
    "JOIN rw_catalog.rw_table_stats AS s ON s.id = r.id ORDER BY 4 DESC, 1"
)
"""RisingWave's: keys and values of a relation's own table, without what its operators keep."""
LAG: Final = (
    "SELECT s.name, m.partition_id, m.high_watermark, m.latest_offset "
    "FROM rw_catalog.rw_kafka_source_metrics AS m JOIN rw_catalog.rw_sources AS s ON s.id = m.source_id "
    "ORDER BY s.name, length(m.partition_id), m.partition_id"
)
MEMORY: Final = (
    "SELECT process, pid, resident_bytes, private_bytes FROM rw_catalog.rw_process_memory "
    "ORDER BY private_bytes DESC"
)
DISK: Final = "SELECT pg_database_size(current_database())"


@dataclass(frozen=True, slots=True)
class Barrier:
    """The newest barrier: when it was, how long ago, and how long the one before it took."""

    epoch: int
    time: datetime
    age_s: float
    previous_ms: float


@dataclass(frozen=True, slots=True)
class Relation:
    """What one relation takes; None: this engine does not say."""

    name: str
    type: str
    rows: int | None
    state_bytes: int | None
    index_bytes: int | None
    changelog_bytes: int | None


@dataclass(frozen=True, slots=True)
class Partition:
    """How far one partition of a source has been read. `end` is the offset its next message will get."""

    source: str
    partition: str
    end: int | None
    last_read: int | None

    @property
    def lag(self) -> int | None:
        """Messages that wait; None where the end is not known."""
        if self.end is None or self.last_read is None:
            return None
        return max(self.end - self.last_read - 1, 0)


@dataclass(frozen=True, slots=True)
class Process:
    """The memory of one process of the engine; `private_bytes` leaves out what processes share."""

    process: str
    pid: int
    resident_bytes: int
    private_bytes: int


@dataclass(frozen=True, slots=True)
class Status:
    """Everything; `missing` says of each part that could not be had why."""

    version: str
    barrier: Barrier | None = None
    relations: tuple[Relation, ...] = ()
    partitions: tuple[Partition, ...] = ()
    processes: tuple[Process, ...] = ()
    disk_bytes: int | None = None
    missing: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values; `lag` included."""
        document = asdict(self)
        for shown, partition in zip(document["partitions"], self.partitions, strict=True):
            shown["lag"] = partition.lag
        return document


def read_status(url: str) -> Status:
    """Ask everything once. Raises TailraceError when nobody answers, or lets us in."""
    try:
        with psycopg.connect(url, autocommit=True, prepare_threshold=None, connect_timeout=5) as connection:
            return _read(connection)
    except psycopg.Error as error:
        raise refusal(error) or error from error


def _read(connection: Connection) -> Status:
    missing: dict[str, str] = {}

    def ask(part: str, query: LiteralString, make: Callable[..., Row]) -> list[Row]:
        try:
            with connection.cursor(row_factory=args_row(make)) as cursor:
                return cursor.execute(query).fetchall()
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            missing[part] = (error.diag.message_primary or str(error)).splitlines()[0]
            return []

    version = ask("version", "SELECT version()", str)
    barrier = ask("barrier", BARRIER, Barrier)
    relations = ask("storage", STORAGE, Relation)
    if "storage" in missing:
        relations = ask("relations", STATS, Relation)
    partitions = ask("lag", LAG, Partition)
    processes = ask("memory", MEMORY, Process)
    disk = ask("disk", DISK, int)
    return Status(
        version=version[0] if version else "unknown",
        barrier=barrier[0] if barrier else None,
        relations=tuple(relations),
        partitions=tuple(partitions),
        processes=tuple(processes),
        disk_bytes=disk[0] if disk else None,
        missing=missing,
    )
