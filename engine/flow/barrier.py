"""The barrier: one PostgreSQL transaction that takes the new input, walks the views in order of dependency and commits.

`Flow` owns the connection and the catalog. It has no loop, clock or thread of its own, so that tests drive it barrier by
barrier; `engine.flow.loop` does it in production, and `engine.flow.statements` changes the catalog between two barriers. Every
error of PostgreSQL reaches the caller except data exceptions: `engine.flow.poison` finds the rows that raise them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import psycopg

from engine.catalog.objects import Catalog, CatalogObject, load
from engine.catalog.versions import bring_up_to_date
from engine.connectors.source import Batch, Position, SourceSpec
from engine.ddl.create_table import take_changes
from engine.ddl.retention import EXPIRING
from engine.flow.into_table import apply_waiting
from engine.flow.poison import PoisonSearch
from engine.flow.retention import clean, expire
from engine.flow.session import (
    Connection,
    FencedError,
    connect,
    empty_temporaries,
    lock,
    make_temporaries,
    unlock,
)
from engine.flow.source_input import copy_rows, positions, record_positions, spec_of
from engine.flow.walk import Walk

log = logging.getLogger(__name__)

_SLOW_MS = 500.0


@dataclass(slots=True)
class BarrierResult:
    """What one barrier did."""

    epoch: int
    barrier_time: datetime
    input_rows: int
    duration_ms: float


@dataclass(slots=True)
class Flow:
    """The engine's state and how it moves; see the module's text. `clock` gives the wall clock, aware, UTC."""

    dsn: str
    connection: Connection
    clock: Callable[[], datetime]
    catalog: Catalog = field(default_factory=Catalog)
    epoch: int = 0
    barrier_time: datetime | None = None
    wide: bool = False
    """True once a row over 8 kB has come: the delta tables of this session take rows of any size from then on."""
    fed: set[int] = field(default_factory=set)
    """Tables that sinks have changed behind the last barrier: the next one has to take their changes."""
    _rows_seen: int = 0
    _replan_at: int = 10_000
    _last_ms: float = 0.0
    _walk: Walk = field(default_factory=Walk)
    _specs: dict[int, SourceSpec] = field(default_factory=dict)

    @staticmethod
    def open(dsn: str, clock: Callable[[], datetime]) -> Flow:
        """Connect, take the engine's lock (raises FencedError if another flow has it) and recover from the catalog."""
        connection = connect(dsn)
        try:
            lock(connection)
            bring_up_to_date(connection)
        except BaseException:
            connection.close()
            raise
        flow = Flow(dsn, connection, clock)
        flow.reload(new_session=True)
        return flow

    def reload(self, *, new_session: bool = False) -> None:
        """Read the catalog and the barrier's position anew; in a new session the delta tables are made, too."""
        with self.connection.transaction():
            self.catalog = load(self.connection)
            row = self.connection.execute("SELECT epoch, barrier_time FROM engine.barrier").fetchone()
            if row is not None:
                self.epoch, self.barrier_time = row
            if new_session:
                make_temporaries(self.connection, self.catalog.objects.values(), wide=self.wide)
        self._arrange()

    def renew_session(self) -> None:
        """Go on in a new session of PostgreSQL, between two barriers: what the old one has gathered goes with it.

        The old one lets go of the lock when the new one is ready for the next barrier; raises FencedError if another flow was
        quicker. Clients see nothing of it. Raises psycopg.Error, and goes on in the old one, where no other is to be had.
        Cost: delta tables and plans are made anew, some milliseconds for each view.
        """
        old, new = self.connection, connect(self.dsn)
        try:
            with new.transaction():
                make_temporaries(new, self.catalog.objects.values(), wide=self.wide)
            unlock(old)
            lock(new)
        except BaseException:
            new.close()
            raise
        self.connection = new
        self._walk.forget()
        old.close()

    def _widen(self) -> None:
        """Make the delta tables anew, for rows of any size."""
        log.warning("a row over 8 kB has come: delta tables take rows of any size now, barriers cost more")
        self.wide = True
        self.connection.execute("DISCARD TEMP")
        self.reload(new_session=True)

    # --- the barrier ------------------------------------------------------------------------------------------------

    def barrier(
        self, batches: Mapping[int, Batch] | None = None, tables: Iterable[int] | None = None
    ) -> BarrierResult:
        """Run one barrier over the sources' batches (by source id) and the tables that may have changed (None: all)."""
        batches = dict(batches or {})
        touched = [o for o in self.catalog.of_kind("table") if tables is None or o.id in set(tables)]
        started = time.perf_counter()
        self._walk.spent_ms.clear()
        try:
            with self.connection.transaction():
                now = self._begin(sum(len(b.rows) for b in batches.values()))
                self._advance(batches, touched, now)
                record_positions(self.connection, batches)
        except psycopg.errors.ProgramLimitExceeded:
            self._restore()
            if self.wide:
                raise
            self._widen()
            return self.barrier(batches, tables)
        except psycopg.DataError as error:
            log.warning(
                "barrier failed on data (%s: %s), looking for the row",
                error.sqlstate,
                error.diag.message_primary,
            )
            self._restore()
            now = self._barrier_in_pieces(batches, touched)
        except BaseException:
            self._restore()
            raise
        self.barrier_time = now
        self._last_ms = (time.perf_counter() - started) * 1000
        rows = sum(len(b.rows) for b in batches.values())
        if self._last_ms > _SLOW_MS:
            self._tell_slow(rows)
        self._replan(rows)
        self._feed()
        return BarrierResult(self.epoch, now, rows, self._last_ms)

    def _barrier_in_pieces(self, batches: Mapping[int, Batch], tables: Sequence[CatalogObject]) -> datetime:
        """The same barrier, one transaction, without the rows that raise a data exception; see `engine.flow.poison`."""
        before = self.barrier_time
        try:
            with self.connection.transaction():
                now = self._begin(sum(len(b.rows) for b in batches.values()))
                self._walk.make(self.connection)  # the search takes back much of what it does
                clear = partial(empty_temporaries, self.connection)
                search = PoisonSearch(self.connection, self.spec, self._run_walk, clear, now)
                search.take_changes_of(tables)
                self.barrier_time = now  # for the pieces to come the time has advanced
                for source_id, batch in batches.items():
                    search.take_messages_of(self.catalog.objects[source_id], batch.rows)
                record_positions(self.connection, batches)
        except BaseException:
            self.barrier_time = before
            self._restore()
            raise
        return now

    def _feed(self) -> None:
        """Let the sinks INTO tables change them."""
        self.fed = {
            sink.body["into"]["table"]
            for sink in self.catalog.of_kind("sink")
            if sink.body["into"] and not sink.is_creating and apply_waiting(self.connection, sink)
        }

    def _begin(self, rows: int) -> datetime:
        self.connection.execute("SET LOCAL synchronous_commit = off")
        wall = self.clock()
        now = wall if self.barrier_time is None else max(self.barrier_time, wall)
        done = self.connection.execute(
            "UPDATE engine.barrier SET epoch = epoch + 1, barrier_time = %s, input_rows = input_rows + %s, previous_ms = %s "
            "WHERE epoch = %s",
            (now, rows, self._last_ms, self.epoch),
        )
        if done.rowcount != 1:
            raise FencedError("another flow has advanced the epoch")
        self.epoch += 1
        return now

    def _tell_slow(self, rows: int) -> None:
        """Say where a slow barrier's time went."""
        spent_ms = self._walk.spent_ms
        most = sorted(spent_ms.items(), key=lambda item: -item[1])[:5]
        rest = self._last_ms - sum(spent_ms.values())
        where = ", ".join(f"{self.catalog.objects[id_].name} {ms:.0f}" for id_, ms in most)
        log.warning(
            "slow barrier: %d rows in %.0f ms (%s; input and commit %.0f)", rows, self._last_ms, where, rest
        )

    def _restore(self) -> None:
        """After a failed transaction: the epoch in memory is the one in PostgreSQL again. The walk may be gone."""
        if not self.connection.broken and not self.connection.closed:
            row = self.connection.execute("SELECT epoch FROM engine.barrier").fetchone()
            self.epoch = row[0] if row else 0
        self._walk.forget()

    def _advance(self, batches: Mapping[int, Batch], tables: Sequence[CatalogObject], now: datetime) -> bool:
        """Fill the input deltas and run each view's step whose inputs changed; False if nothing could change."""
        changed: set[int] = set()
        for source_id, batch in batches.items():
            if batch.rows:
                source = self.catalog.objects[source_id]
                copy_rows(self.connection, source, self.spec(source_id), batch.rows)
                changed.add(source_id)
        for table in tables:
            if self.connection.execute(take_changes(table.id, table.columns)).rowcount > 0:
                changed.add(table.id)
        self._run_walk(changed, now)
        return bool(changed) or self._walk.always

    def _run_walk(self, changed: set[int], now: datetime) -> None:
        """Run the steps of what is built on `changed`, in order of dependency."""
        self._walk.run(self.connection, changed, now, self.barrier_time or now, self.epoch)

    def _replan(self, rows: int) -> None:
        """Plans are made anew each time ten times as much has been seen as when they were made."""
        self._rows_seen += rows
        if self._rows_seen >= self._replan_at:
            self._replan_at *= 10
            self.connection.execute("DISCARD PLANS")

    def expire(self) -> int:
        """Delete rows that have outlived their retention; see `engine.flow.retention`. In transactions of their own."""
        return self._expire() + clean(self.connection, self.catalog)

    def _expire(self) -> int:
        with self.connection.transaction():
            self.connection.execute("SET LOCAL synchronous_commit = off")
            self.connection.execute(f"SET LOCAL {EXPIRING} = 'on'")
            if self.connection.execute("SELECT epoch FROM engine.barrier").fetchone() != (self.epoch,):
                raise FencedError("another flow has advanced the epoch")
            return expire(self.connection, self.catalog, max(self.clock(), self.barrier_time or self.clock()))

    @contextmanager
    def changing(self) -> Iterator[datetime]:
        """A barrier whose body changes the catalog, behind everything that was committed before it; gives its time.

        The body waits at most 50 ms for a lock, and its commit is durable. If it fails, the catalog is read anew.
        """
        try:
            with self.connection.transaction():
                # what was committed since the last barrier is seen by this transaction: a new view starts behind it
                now = self._begin(0)
                if self._advance({}, list(self.catalog.of_kind("table")), now):
                    empty_temporaries(self.connection)
                self.barrier_time = now
                self.connection.execute("SET LOCAL synchronous_commit = on")
                self.connection.execute("SET LOCAL lock_timeout = '50ms'")
                yield now
        except BaseException:
            if not self.connection.broken and not self.connection.closed:
                self.reload()
            raise
        self._arrange()
        self._feed()

    # --- what is asked of it ----------------------------------------------------------------------------------------

    def positions(self, source_id: int) -> dict[int, Position]:
        """Where the shared reader of a source stands, by partition."""
        return positions(self.connection, source_id)

    def spec(self, source_id: int) -> SourceSpec:
        """What the reader of a source must deliver, in the order of COPY."""
        found = self._specs.get(source_id)
        if found is None:
            found = self._specs[source_id] = spec_of(self.catalog, source_id)
        return found

    def active_sources(self) -> list[CatalogObject]:
        """Sources that some view reads."""
        return [s for s in self.catalog.of_kind("source") if s.id in self._walk.read]

    @property
    def uses_now(self) -> bool:
        """True when some view changes with time alone."""
        return self._walk.uses_now

    def _arrange(self) -> None:
        """Work out once per catalog what the barriers need of it."""
        self._specs = {}
        self._walk = Walk.over(self.catalog)


def furnish(dsn: str) -> None:
    """Put into a database what a flow brings with it, so that databases made from it are opened at once."""
    with closing(psycopg.connect(dsn, autocommit=True, application_name="tailrace flow")) as connection:
        bring_up_to_date(connection)
