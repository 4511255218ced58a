"""Statements and jobs that change the catalog, each in a barrier of its own; see `Flow.changing`.

Called by `engine.flow.loop` between two barriers. A view that a worker fills (see `engine.backfill`) is begun by its statement
and ended by `finish_backfill`, or taken back by `drop_creating`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from psycopg.types.json import Jsonb

from engine.backfill.pending import count_pending
from engine.catalog.objects import CatalogObject
from engine.ddl import commands
from engine.ddl.context import SEARCH_PATH, DdlContext, Reply
from engine.ddl.drop import drop_one
from engine.ddl.filling import SMALL_ROWS, Filling
from engine.ddl.finish import finish
from engine.flow.barrier import Flow, UnsettledError
from engine.flow.source_input import first_positions, messages_between, read_again, spec_of
from engine.functions.composed import provide
from tailrace.sql.types import ComposedType

T = TypeVar("T")
_ATTEMPTS = 3


@dataclass(slots=True)
class Statements:
    """What changes the catalog of `flow`. `small_rows`: what a statement fills within its own barrier."""

    flow: Flow
    stop_backfill: Callable[[int], None] = lambda _id: None
    """Ends the worker of an object that is being created, and returns when it holds no lock any more."""
    small_rows: int = SMALL_ROWS

    def execute(
        self,
        sql: str,
        user: str = "root",
        *,
        background: bool = False,
        search_path: Sequence[str] = SEARCH_PATH,
        settings: Mapping[str, str] | None = None,
    ) -> Reply:
        """Run one DDL or EXPLAIN statement in its own barrier transaction; raises TailraceError.

        `background` is the client's BACKGROUND_DDL, `search_path` its search path, `settings` its session variables.
        A reply with a `job` is not the end: see `finish_backfill`.
        """
        for attempt in range(_ATTEMPTS):
            self.flow.barrier()
            try:
                return self._in_barrier(
                    sql,
                    user,
                    lambda context: commands.execute(context, self._filling()),
                    background=background,
                    search_path=search_path,
                    settings=settings or {},
                )
            except UnsettledError as error:
                if attempt == _ATTEMPTS - 1 and isinstance(error.__cause__, psycopg.DataError):
                    raise error.__cause__ from None
        raise AssertionError

    def provide(self, types: Iterable[ComposedType]) -> None:
        """Make composed types that a client's query names."""
        with self.flow.connection.transaction():
            provide(self.flow.connection, types)

    def creating(self) -> list[CatalogObject]:
        """Objects that a backfill is filling."""
        return [o for o in self.flow.catalog.objects.values() if o.is_creating]

    def foreground_jobs(self) -> list[int]:
        """Objects being created for a client that waits."""
        rows = self.flow.connection.execute("SELECT object_id FROM engine.backfills WHERE NOT background")
        return [id_ for (id_,) in rows]

    def left_for(self, id_: int) -> int:
        """How many changes wait for an object that is being created, counted up to some tens of thousands."""
        item = self.flow.catalog.objects[id_]
        if item.kind == "index":
            return 0
        return count_pending(self.flow.connection, item, self.flow.catalog.inputs_of(item), 50_000)

    def finish_backfill(self, id_: int) -> None:
        """Take in what has come since the worker's last snapshot, and publish the object: it is live from here on.

        Its worker must be between two passes. Raises psycopg.DataError where the last changes cannot be taken in.
        """
        flow = self.flow
        self._in_barrier("", "root", lambda context: finish(context, flow.catalog.objects[id_], flow.epoch))

    def drop_creating(self, id_: int, why: str) -> None:
        """Remove an object whose backfill was cancelled or has failed, and record why."""
        item = self.flow.catalog.objects[id_]

        def remove(context: DdlContext) -> None:
            drop_one(context, item)
            context.connection.execute(
                "INSERT INTO engine.event_logs (event_type, info) VALUES ('CREATE_STREAM_JOB_FAIL', %s)",
                (Jsonb({"id": id_, "name": item.name, "definition": item.definition, "error": why}),),
            )

        self._in_barrier("", "root", remove)

    def _in_barrier(
        self,
        sql: str,
        user: str,
        work: Callable[[DdlContext], T],
        *,
        background: bool = False,
        search_path: Sequence[str] = SEARCH_PATH,
        settings: Mapping[str, str] | None = None,
    ) -> T:
        flow = self.flow
        with flow.changing() as now:
            context = DdlContext(
                flow.connection,
                flow.catalog,
                user,
                now,
                sql,
                background=background,
                stop_backfill=self.stop_backfill,
                settle=flow.settle,
                search_path=search_path,
                settings=settings or {},
            )
            return work(context)

    def _filling(self) -> Filling:
        flow = self.flow

        def catch_up(source: CatalogObject) -> Iterator[int]:
            assert flow.barrier_time is not None  # noqa: S101 - inside a barrier
            spec = spec_of(flow.catalog, source.id)  # with what the new view wants
            return read_again(flow.connection, source, spec, flow.positions(source.id), flow.barrier_time)

        def behind(source: CatalogObject) -> int:
            end = flow.positions(source.id)
            return messages_between(first_positions(source, end), end)

        return Filling(catch_up, behind, self.small_rows)
