"""One sink's delivery: batch after batch, in order, again after a failure, with back-off; a thread of its own for each sink.

One sink's failure holds no other up. A target that refuses is shown in rw_catalog.rw_sink_backlog and asked again after
0.2 s, then twice that, up to 10 s. A lost PostgreSQL ends the thread by its error: the process is started again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from engine.connectors.sink_target import Batch, DeliveryError, DeliveryStopped, Target
from engine.delivery.sink_log import Connection, SinkLog

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
LOOK_S = 1.0
"""A notification that went astray costs no more than this."""


@dataclass(frozen=True, slots=True)
class Sink:
    """A sink as the catalog has it; `make` opens its target, which gives up when the event is set."""

    id: int
    name: str
    make: Callable[[threading.Event], Target]
    settings: str = ""
    """What the target is made by: one that is made by others takes its place."""
    rate: int | None = None
    """Changes a second at most; None as many as there are, 0 none."""
    connector: str = ""


class Worker:
    """Runs one sink until `stop`, or until it is dropped; `run` raises psycopg.Error when PostgreSQL is gone."""

    def __init__(self, sink: Sink, connect: Callable[[], Connection]) -> None:
        self.sink = sink
        self.rate = sink.rate
        """May be changed while it runs."""
        self._connect = connect
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._target: Target | None = None
        self._free_at = 0.0

    def wake(self) -> None:
        """There is something to deliver."""
        self._wake.set()

    def stop(self) -> None:
        """End soon, without waiting for a target that does not answer."""
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        try:
            with self._connect() as connection:
                sink_log = SinkLog(connection, self.sink.id)
                try:
                    self._deliver_all(sink_log)
                except psycopg.errors.UndefinedTable:
                    if sink_log.exists():
                        raise
        except DeliveryStopped:
            pass
        finally:
            self._close()

    def _close(self) -> None:
        if self._target is not None:
            self._target.close()
            self._target = None

    def _deliver_all(self, sink_log: SinkLog) -> None:
        pause = FIRST_PAUSE_S
        while not self._stop.is_set():
            self._wake.clear()
            try:
                target = self._target = self._target or self.sink.make(self._stop)
                batch = self._next(sink_log, target) if self.rate != 0 else None
                if batch is None:
                    self._wake.wait(LOOK_S)
                    continue
                self._await_turn(len(batch.changes))
                self._deliver(sink_log, target, batch)
            except DeliveryError as error:
                wait = max(pause, error.wait_s)
                log.warning("sink %s: %s; again in %.1f s", self.sink.name, error.message, wait)
                self._close()
                sink_log.failed(error.message, name=self.sink.name, connector=self.sink.connector)
                self._stop.wait(wait)
                pause = min(pause * 2, LONGEST_PAUSE_S)
                continue
            pause = FIRST_PAUSE_S

    def _deliver(self, sink_log: SinkLog, target: Target, batch: Batch) -> None:
        """Deliver and record it; also what was reached before a failure."""
        reached = batch.reached
        try:
            target.deliver(batch)
        except (DeliveryError, DeliveryStopped):
            if reached.upto >= batch.first:
                sink_log.delivered(batch, reached.upto)
            raise
        finally:
            for one in reached.refused:
                log.error("sink %s: row %d set aside: %s", self.sink.name, one.seq, one.error)
        sink_log.delivered(batch)

    def _next(self, sink_log: SinkLog, target: Target) -> Batch | None:
        """A full batch at once, one that is not full when it has waited for `linger_s`."""
        rows = min(target.batch_rows, max(1, self.rate or target.batch_rows))
        wait: dict[str, Any] = {"at_least": rows if target.linger_s else 1}
        until = time.monotonic() + target.linger_s
        while (batch := sink_log.next_batch(target.select, rows, **wait)) is None:
            left = until - time.monotonic()
            if not target.linger_s or self._stop.is_set():
                return None
            if left <= 0:
                return sink_log.next_batch(target.select, rows)
            self._stop.wait(min(left, LOOK_S))
        return batch

    def _await_turn(self, rows: int) -> None:
        """Wait until the rate lets so many changes through, counted from those before; the rate may change meanwhile."""
        while self.rate is not None and not self._stop.is_set():
            left = self._free_at - time.monotonic()
            if self.rate and left <= 0:
                break
            self._stop.wait(min(left, LOOK_S) if self.rate else LOOK_S)
        if self._stop.is_set():
            raise DeliveryStopped
        if self.rate:
            self._free_at = time.monotonic() + rows / self.rate
