"""The worker that fills one view: passes, each a transaction over one snapshot of its inputs.

The first pass takes in everything the snapshot shows; each later one takes in what the flow kept since the pass before.
A pass commits as a whole with the epoch it stands at, so a worker that is killed begins again behind the last
commit; the first one commits step by step (`engine.backfill.stepwise`) unless that would cost too much: where an operator
works through all that is stored at each step. The passes get shorter; the flow ends the job when little is left.

A snapshot fits when no table input has changes that no barrier has taken yet: its content would show them, and a later
barrier would bring them once more.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from engine.backfill.copies import are_lost, drop_copies, fill_function, make_copies
from engine.backfill.fill import fill, free_planner, reads, stored_rows
from engine.backfill.index_builder import build
from engine.backfill.job import LEFT_ROWS, NotCreatingError, application_name, yield_to_barriers
from engine.backfill.pending import count_pending, forget_pending, load_pending
from engine.backfill.stepwise import Stepwise
from engine.catalog.objects import CatalogObject, load, state_tables
from engine.compile.program import borrowed_indexes
from engine.connectors.source import SourceSpec
from engine.ddl.create_source import reader_spec
from engine.flow.session import SETTINGS, make_temporaries
from engine.flow.source_input import first_positions, messages_between, positions, read_again

Connection = psycopg.Connection[tuple[Any, ...]]

_SNAPSHOT_TRIES = 100
_SNAPSHOT_PAUSE_S = 0.02
_HELD_S = 5.0
_PROGRESS_S = 0.5


@dataclass(slots=True)
class Worker:
    """Fills object `view_id`. `passes` is what it does; the two connections are its own."""

    connection: Connection
    side: Connection
    view: CatalogObject
    inputs: list[CatalogObject]
    sources: list[CatalogObject]
    specs: dict[int, SourceSpec]
    _done_rows: int = 0
    _told_at: float = 0.0

    @staticmethod
    def open(dsn: str, view_id: int) -> Worker:
        """Connect and read the catalog; raises NotCreatingError."""
        name = application_name(view_id)
        with ExitStack() as opened:
            side: Connection = opened.enter_context(
                closing(psycopg.connect(dsn, autocommit=True, application_name=f"{name} progress"))
            )
            catalog = load(side)
            view = catalog.objects.get(view_id)
            if view is None or not view.is_creating or view.kind == "index":
                raise NotCreatingError(f"no view {view_id} is being created")
            connection: Connection = opened.enter_context(
                closing(psycopg.connect(dsn, autocommit=True, application_name=name))
            )
            inputs = catalog.inputs_of(view)
            _prepare(connection, (*inputs, view))
            opened.pop_all()
        sources = [i for i in inputs if i.kind == "source"]
        programs = [p for v in catalog.of_kind("materialized view", "sink") if (p := v.program) is not None]
        specs = {s.id: reader_spec(s, programs) for s in sources}
        return Worker(connection, side, view, inputs, sources, specs)

    def close(self) -> None:
        self.connection.close()
        self.side.close()

    def advance(self) -> int:
        """One pass; returns how many changes wait behind it. Raises psycopg.Error and the reader's errors."""
        program = self.view.program
        for name, on in borrowed_indexes(program, self.view.id).items() if program else ():
            build(self.connection, name, on)
        row = self.side.execute(
            "SELECT filled_epoch, filled_time, source_fill FROM engine.backfills WHERE object_id = %s",
            (self.view.id,),
        ).fetchone()
        if row is None:
            raise NotCreatingError(f"object {self.view.id} is not being created")
        filled, last, begun = row
        if filled is None and program is not None and program.stepwise:
            self._fill_stepwise(Stepwise.from_json(begun) if begun else None)
        else:
            with self._snapshot() as (epoch, now):
                if filled is None:
                    self._fill(now)
                else:
                    self._take_in(epoch, now, last)
                self._stands_at(epoch, now)
        self._analyze()
        return count_pending(self.connection, self.view, self.inputs, LEFT_ROWS * 10)

    def _stands_at(self, epoch: int, now: datetime) -> None:
        """Record, in the transaction that makes it so, that the view has everything up to `epoch`."""
        for item in self.inputs:
            forget_pending(self.connection, self.view, item, epoch)
        self.connection.execute(
            "UPDATE engine.backfills SET filled_epoch = %s, filled_time = %s, source_fill = NULL WHERE object_id = %s",
            (epoch, now, self.view.id),
        )

    def _fill_stepwise(self, begun: Stepwise | None) -> None:
        if begun is not None and are_lost(self.connection, self.view.id, begun.copies):
            self._empty()
            begun = None
        if begun is None:
            begun = self._begin_stepwise()
        self._expect(begun.left_rows)
        begun.run_copies(self.connection, self.view, self._progress)
        for source in self._sources_read:
            begun.run_source(self.connection, self.view, source, self.specs[source.id], self._progress)
        with self.connection.transaction():
            for statement in drop_copies(self.view.id, [c.input_id for c in begun.copies]):
                self.connection.execute(statement)
            self._stands_at(begun.epoch, begun.now)

    @property
    def _sources_read(self) -> list[CatalogObject]:
        program = self.view.program
        return [s for s in self.sources if program is not None and reads(program.function, s)]

    def _begin_stepwise(self) -> Stepwise:
        program = self.view.program
        stored = [i for i in self.inputs if program and i.kind != "source" and reads(program.function, i)]
        with self._snapshot() as (epoch, now):
            begun = Stepwise(epoch, now, f"engine.step_{self.view.id}")
            if stored:
                begun.step = fill_function(self.view.id)
                with free_planner(self.connection):
                    begun.copies = make_copies(self.connection, self.view, stored)
            begun.read_to(self.connection, self._sources_read)
            begun.advance(self.connection, initial=True)
            begun.save(self.connection, self.view)
        return begun

    def _empty(self) -> None:
        """Forget what a fill has done so far."""
        with self.connection.transaction():
            for table in state_tables(self.connection, self.view.id):
                self.connection.execute(f"TRUNCATE {table}")
            for statement in drop_copies(self.view.id, [i.id for i in self.inputs]):
                self.connection.execute(statement)

    def _expect(self, rows: int) -> None:
        """Tell how much there is to do."""
        self.side.execute(
            "UPDATE engine.backfill_progress SET done_rows = 0, total_rows = %s WHERE object_id = %s",
            (max(rows, 1), self.view.id),
        )

    def _fill(self, now: datetime) -> None:
        ends = {s.id: positions(self.connection, s.id) for s in self.sources}
        total = sum(stored_rows(self.connection, i) for i in self.inputs if i.kind != "source")
        total += sum(messages_between(first_positions(s, ends[s.id]), ends[s.id]) for s in self.sources)
        self._expect(total)

        def catch_up(source: CatalogObject) -> Iterator[int]:
            return read_again(self.connection, source, self.specs[source.id], ends[source.id], now)

        fill(self.connection, self.view, self.inputs, now=now, catch_up=catch_up, progress=self._progress)

    def _take_in(self, epoch: int, now: datetime, last: datetime) -> None:
        for item in self.inputs:
            load_pending(self.connection, self.view, item, epoch)
        self.connection.execute(f"SELECT engine.step_{self.view.id}(%s, %s, false, false)", (now, last))

    def _progress(self, rows: int) -> None:
        self._done_rows += rows
        if time.monotonic() - self._told_at > _PROGRESS_S:
            self._told_at = time.monotonic()
            self.side.execute(
                "UPDATE engine.backfill_progress SET done_rows = least(done_rows + %s, total_rows) WHERE object_id = %s",
                (self._done_rows, self.view.id),
            )
            self._done_rows = 0

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[int, datetime]]:
        """A transaction whose snapshot is exactly what a barrier has left: (its epoch, its time)."""
        found = self._begin()
        try:
            yield found
        except BaseException:
            if not self.connection.broken:
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def _begin(self) -> tuple[int, datetime]:
        tables = [i for i in self.inputs if i.kind == "table"]
        for attempt in range(_SNAPSHOT_TRIES * 2):
            with self._held_still(tables) if attempt >= _SNAPSHOT_TRIES else nullcontext():
                self.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                found = _settled(self.connection, tables)
                if found is not None:
                    return found
                self.connection.execute("ROLLBACK")
            for table in tables:
                self.side.execute("SELECT pg_notify('tailrace_changes', %s)", (str(table.id),))
            time.sleep(_SNAPSHOT_PAUSE_S)
        raise TimeoutError(f"no barrier takes the changes of {', '.join(t.name for t in tables)}")

    @contextmanager
    def _held_still(self, tables: list[CatalogObject]) -> Iterator[None]:
        """Let clients' writes to the tables wait until the barriers have caught up with them."""
        with self.side.transaction():
            for table in tables:
                self.side.execute(f"LOCK TABLE engine.table_{table.id} IN SHARE MODE")
            deadline = time.monotonic() + _HELD_S
            while time.monotonic() < deadline and _settled(self.side, tables) is None:
                time.sleep(_SNAPSHOT_PAUSE_S)
            yield

    def _analyze(self) -> None:
        """The state is full now: later steps must not be planned for empty tables."""
        for table in state_tables(self.connection, self.view.id):
            self.connection.execute(f"ANALYZE {table}")


def _settled(connection: Connection, tables: list[CatalogObject]) -> tuple[int, datetime] | None:
    """(epoch, time) of the last barrier if it has taken every change of `tables` that is visible, else None."""
    row = connection.execute("SELECT epoch, barrier_time FROM engine.barrier").fetchone()
    waiting = any(
        connection.execute(f"SELECT EXISTS (SELECT 1 FROM engine.changes_{t.id})").fetchone() == (True,)
        for t in tables
    )
    return None if waiting or row is None else (row[0], row[1])


def _prepare(connection: Connection, relations: Iterable[CatalogObject]) -> None:
    """Settings and delta tables of the worker's session."""
    # a statement of a worker that was killed ends within a second, and with it its locks
    settings = {**SETTINGS, "client_connection_check_interval": "1s", "synchronous_commit": "on"}
    for key, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, false)", (key, value))
    make_temporaries(connection, relations, wide=True)
    yield_to_barriers(connection)
