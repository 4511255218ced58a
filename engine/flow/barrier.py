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
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import psycopg

from engine.catalog.objects import Catalog, CatalogObject, load, update
from engine.catalog.versions import bring_up_to_date
from engine.connectors.source import Batch, Position, SourceSpec
from engine.ddl.create_table import take_changes
from engine.ddl.retention import EXPIRING
from engine.flow.blame import STOPPED, StepFailedError, record
from engine.flow.components import Component
from engine.flow.deltas import Deltas
from engine.flow.graph import Graph, Walks
from engine.flow.heard import Heard, waiting
from engine.flow.into_table import apply_waiting
from engine.flow.poison import PoisonSearch
from engine.flow.retention import clean, expire
from engine.flow.session import STEPPED, Connection, FencedError, connect, empty_temporaries, lock, unlock
from engine.flow.source_input import copy_rows, positions, record_positions, spec_of
from engine.flow.walk import Step

log = logging.getLogger(__name__)

_SLOW_MS = 500.0


class UnsettledError(Exception):
    """A row came after the barrier before a statement and raised a data exception, the cause: the next barrier sets it aside."""


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
    fed: set[int] = field(default_factory=set)
    """Tables that sinks have changed behind the last barrier: the next one has to take their changes."""
    _rows_seen: int = 0
    _replan_at: int = 10_000
    _last_ms: float = 0.0
    _graph: Graph = field(default_factory=Graph)
    _walks: Walks = field(default_factory=Walks)
    deltas: Deltas = field(default_factory=Deltas)
    _heard: Heard = field(default_factory=Heard)
    _unfed: set[int] = field(default_factory=set)
    """Sinks INTO tables whose logs may hold rows."""
    _spent: dict[int, float] = field(default_factory=dict)
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
        flow._heard.listen(connection)
        flow.reload()
        return flow

    def reload(self) -> None:
        """Read the catalog and the barrier's position, and look which tables have changed."""
        with self.connection.transaction():
            self.catalog = load(self.connection)
            row = self.connection.execute("SELECT epoch, barrier_time FROM engine.barrier").fetchone()
            if row is not None:
                self.epoch, self.barrier_time = row
            self._heard.add(waiting(self.connection, [t.id for t in self.catalog.of_kind("table")]))
        self._unfed = {s.id for s in self.catalog.of_kind("sink")}
        self._arrange()

    def renew_session(self) -> None:
        """Go on in a new session of PostgreSQL, between two barriers: what the old one has gathered goes with it.

        The old one lets go of the lock when the new one is ready for the next barrier; raises FencedError if another flow was
        quicker. Clients see nothing of it. Raises psycopg.Error, and goes on in the old one, where no other is to be had.
        Cost: delta tables and plans are made anew when they are wanted, some milliseconds for each view.
        """
        old, new = self.connection, connect(self.dsn)
        try:
            self._heard.listen(new)
            self._heard.ask(old)  # what the new one has not heard
            unlock(old)
            lock(new)
        except BaseException:
            new.close()
            raise
        self.connection = new
        self._walks.lost()
        self.deltas.restore({})
        old.close()

    def _widen(self) -> None:
        """Make the delta tables anew, for rows of any size."""
        log.warning("a row over 8 kB has come: delta tables take rows of any size now, barriers cost more")
        self.connection.execute("DISCARD TEMP")
        self.deltas.wide = True
        self.deltas.restore({})
        self._walks.lost()

    # --- the barrier ------------------------------------------------------------------------------------------------

    def barrier(
        self, batches: Mapping[int, Batch] | None = None, tables: Iterable[int] | None = None
    ) -> BarrierResult:
        """Run one barrier over the sources' batches (by source id) and the tables that have changed.

        `tables`: those of which the caller has heard, beside what this session has heard itself; None: it asks.
        """
        batches = dict(batches or {})
        if tables is None:
            self._heard.ask(self.connection)
        changed = self._heard.take().union(tables or ())
        moving = self._graph.moving(changed | batches.keys())
        started = time.perf_counter()
        self._spent = {}
        saved = self.deltas.saved()
        try:
            with self.connection.transaction():
                now = self._begin(sum(len(b.rows) for b in batches.values()))
                self._advance(batches, moving, changed, now)
                record_positions(self.connection, batches)
        except psycopg.errors.ProgramLimitExceeded:
            self._restore(saved, changed)
            if self.deltas.wide:
                raise
            self._widen()
            return self.barrier(batches, changed)
        except psycopg.DataError as error:
            log.warning(
                "barrier failed on data (%s: %s), looking for the row",
                error.sqlstate,
                error.diag.message_primary,
            )
            self._restore(saved, changed)
            try:
                now = self._barrier_in_pieces(batches, moving)
            except StepFailedError as failed:
                self._stop(failed)
                return self.barrier(batches, changed)
        except BaseException:
            self._restore(saved, changed)
            raise
        self.barrier_time = now
        self._last_ms = (time.perf_counter() - started) * 1000
        rows = sum(len(b.rows) for b in batches.values())
        if self._last_ms > _SLOW_MS:
            self._tell_slow(rows)
        self._replan(rows)
        self._feed()
        return BarrierResult(self.epoch, now, rows, self._last_ms)

    def _barrier_in_pieces(self, batches: Mapping[int, Batch], moving: Sequence[Component]) -> datetime:
        """The same barrier, one transaction, without the rows that raise a data exception; see `engine.flow.poison`."""
        before, saved = self.barrier_time, self.deltas.saved()
        tables = [t for c in moving for t in c.tables]
        try:
            with self.connection.transaction():
                now = self._begin(sum(len(b.rows) for b in batches.values()))
                self._prepare(moving, {*batches, *tables})  # the search takes back much of what it does
                clear = partial(empty_temporaries, self.connection)
                search = PoisonSearch(
                    self.connection, self.spec, self._walk, self._walk_to, clear, now, self.catalog.objects
                )
                search.take_changes_of([self.catalog.objects[t] for t in tables])
                self.barrier_time = now  # for the pieces to come the time has advanced
                for source_id, batch in batches.items():
                    search.take_messages_of(self.catalog.objects[source_id], batch.rows)
                record_positions(self.connection, batches)
        except BaseException:
            self.barrier_time = before
            self._restore(saved, tables)
            raise
        return now

    def _walk_to(self, changed: set[int], now: datetime, id_: int) -> None:
        """As `_walk`, but no further than to the step before that of object `id_`; of that one alone if nothing has changed."""
        for step in self._graph.upto(changed, id_) if changed else [Step(id_, (), always=False, emits=True)]:
            self.connection.execute(
                f"SELECT engine.step_{step.id}(%s, %s, false, true)", (now, self.barrier_time or now)
            )

    def _stop(self, failed: StepFailedError) -> None:
        """Leave out the step of a relation that fails by itself, and all that is built on it, for good: others go on."""
        item, error = self.catalog.objects[failed.id_], failed.error
        message = f"{error.diag.message_primary} ({error.sqlstate})"
        log.error(
            "%s %s is stopped, its step fails and no row is to blame: please report this; DROP and CREATE make it anew: %s\n%s",
            item.kind, item.name, message, error.diag.context,
        )  # fmt: skip
        stopped = replace(item, body={**item.body, STOPPED: message})
        with self.connection.transaction():
            update(self.connection, stopped)
            record(self.connection, "STREAM_JOB_FAIL", item, error)
        self.catalog.objects[item.id] = stopped
        self._arrange()

    def _feed(self) -> None:
        """Let the sinks INTO tables whose logs may hold rows change them."""
        self.fed = set()
        for id_ in sorted(self._unfed):
            sink = self.catalog.objects.get(id_)
            if sink is not None and sink.body["into"] and not sink.is_creating:
                done = apply_waiting(self.connection, sink)
                if done is None:
                    continue  # it has to wait
                if done:
                    self.fed.add(sink.body["into"]["table"])
            self._unfed.discard(id_)

    def _begin(self, rows: int, *, later: bool = True) -> datetime:
        """Advance the epoch, and the time as well if it is `later` than at the last barrier; returns the barrier's time."""
        self.connection.execute("SET LOCAL synchronous_commit = off")
        now = self.barrier_time
        if now is None or later:
            wall = self.clock()
            now = wall if now is None else max(now, wall)
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
        most = sorted(self._spent.items(), key=lambda item: -item[1])[:5]
        rest = self._last_ms - sum(self._spent.values())
        where = ", ".join(f"{self.catalog.objects[id_].name} {ms:.0f}" for id_, ms in most)
        log.warning(
            "slow barrier: %d rows in %.0f ms (%s; input and commit %.0f)", rows, self._last_ms, where, rest
        )

    def _restore(self, deltas: dict[int, int], changed: Iterable[int] = ()) -> None:
        """After a failed transaction: all is as it was before; `changed` are tables whose changes wait again."""
        if not self.connection.broken and not self.connection.closed:
            row = self.connection.execute("SELECT epoch FROM engine.barrier").fetchone()
            self.epoch = row[0] if row else 0
        self._walks.lost()
        self.deltas.restore(deltas)
        self._heard.add(changed)

    def _advance(
        self, batches: Mapping[int, Batch], moving: Sequence[Component], heard: set[int], now: datetime
    ) -> None:
        """Fill the input deltas and run each view's step whose inputs changed."""
        changed = self._take(moving, heard)
        for source_id, batch in batches.items():
            if batch.rows:
                source = self.catalog.objects[source_id]
                self.deltas.want(self.connection, [source])
                copy_rows(self.connection, source, self.spec(source_id), batch.rows)
                changed.add(source_id)
        self._walk(changed, now)

    def _take(self, moving: Iterable[Component], heard: set[int]) -> set[int]:
        """Move the logged changes of these components' tables into their delta tables; the tables that had any.

        Of those that nobody has `heard` of a look tells, since another commit may have come just before the snapshot.
        """
        tables = [t for c in moving for t in c.tables]
        others = [t for t in tables if t not in heard]
        changed = heard.intersection(tables).union(waiting(self.connection, others) if others else ())
        items = [self.catalog.objects[t] for t in tables if t in changed]
        self.deltas.want(self.connection, items)
        return {t.id for t in items if self.connection.execute(take_changes(t.id, t.columns)).rowcount > 0}

    def _walk(self, changed: set[int], now: datetime) -> None:
        """Run the steps of what is built on `changed`, in order of dependency, in one call; see `engine.flow.walk`."""
        moving = self._graph.moving(changed)
        if moving:
            self._prepare(moving, changed)
            last = self.barrier_time or now
            self._spent = self._walks.run(
                self.connection, moving, changed, now=now, last=last, epoch=self.epoch
            )

    def _prepare(self, moving: Sequence[Component], changed: Iterable[int]) -> None:
        """Make what a walk over `moving` needs that begins with `changed`."""
        wanted = dict.fromkeys(changed)
        for step in (s for c in moving for s in c.reached(wanted)):
            wanted |= dict.fromkeys((*step.inputs, step.id))
            if self.catalog.objects[step.id].body.get("into"):
                self._unfed.add(step.id)
        self.deltas.want(self.connection, (self.catalog.objects[i] for i in wanted))
        self._walks.make(self.connection, moving, self.catalog.objects)

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
        """A barrier whose body changes the catalog, at the time of the last one; gives that time.

        The body waits at most 50 ms for a lock, and its commit is durable. If it fails, the catalog is as it was. What clients
        have committed is taken in where the body settles it.
        """
        objects, schemas = dict(self.catalog.objects), dict(self.catalog.schemas)
        saved = self.deltas.saved()
        try:
            with self.connection.transaction():
                now = self.barrier_time = self._begin(0, later=False)
                self.connection.execute("SET LOCAL synchronous_commit = on")
                self.connection.execute("SET LOCAL lock_timeout = '50ms'")
                yield now
                self.deltas.forget([i for i, o in objects.items() if self.catalog.objects.get(i) is not o])
                new = (o for i, o in self.catalog.objects.items() if i not in objects and o.kind in STEPPED)
                self.deltas.want(self.connection, new)
                self.deltas.shed(self.connection, self.catalog.objects)
        except BaseException:
            self.catalog.objects, self.catalog.schemas = objects, schemas
            self._restore(saved)
            self._arrange()
            raise
        self._unfed |= {o.id for o in self.catalog.of_kind("sink") if objects.get(o.id) is not o}
        self._arrange()
        self._feed()

    def settle(self, items: Iterable[CatalogObject]) -> None:
        """Inside a statement's transaction: take in what these relations' tables hold of changes, with all that is built on them,
        so that what the transaction sees of them is what a barrier has left. Their delta tables are there and empty.
        """
        items = list(items)
        moving = self._graph.moving(i.id for i in items)
        if any(
            step.id not in self.catalog.objects for c in moving for step in c.steps
        ):  # dropped by the statement
            self._arrange()
            moving = self._graph.moving(i.id for i in items)
        try:
            changed = self._take(moving, set())
            if changed:
                self._walk(changed, self.barrier_time or self.clock())
                empty_temporaries(self.connection)
        except psycopg.DataError as error:
            raise UnsettledError from error
        self.deltas.forget(i.id for i in items)  # the statement may have dropped some
        self.deltas.want(self.connection, items)

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
        return [s for s in self.catalog.of_kind("source") if s.id in self._graph.read]

    @property
    def uses_now(self) -> bool:
        """True when some view changes with time alone."""
        return self._graph.uses_now

    def _arrange(self) -> None:
        """Work out once per catalog what follows from it for barriers."""
        self._specs = {}
        self._graph = Graph.of(self.catalog)
        self._walks.arrange(self._graph)


def furnish(dsn: str) -> None:
    """Put into a database what a flow brings with it, so that databases made from it are opened at once."""
    with closing(psycopg.connect(dsn, autocommit=True, application_name="tailrace flow")) as connection:
        bring_up_to_date(connection)
