"""The delivery of a flow's sinks, in a thread of the test: started, waited for, and ended in order or as by a kill."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine.delivery.service import Service
from tests.support.flow import FlowUnderTest
from tests.support.processes import wait_until


@contextmanager
def delivering(engine: FlowUnderTest) -> Iterator[None]:
    """Deliver until the block ends; an error of the delivery fails the test."""
    stop, errors = threading.Event(), []

    def run() -> None:
        try:
            Service(engine.server.dsn(dbname=engine.database), stop).run()
        except BaseException as error:  # shown where the test can see it
            errors.append(error)

    thread = threading.Thread(target=run, name="delivery")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert not errors, errors


def backlog(engine: FlowUnderTest, sink: str = "s") -> dict[str, Any]:
    """The sink's row of rw_sink_backlog."""
    with engine.client.cursor() as cursor:
        cursor.execute("SELECT * FROM rw_catalog.rw_sink_backlog WHERE sink_name = %s", (sink,))
        assert cursor.description is not None
        row = cursor.fetchone()
        assert row is not None
        return dict(zip([column.name for column in cursor.description], row, strict=True))


def all_delivered(engine: FlowUnderTest, sink: str = "s", timeout_s: float = 20) -> None:
    """Wait until nothing waits in the sink's log."""
    wait_until(lambda: backlog(engine, sink)["rows_waiting"] == 0, timeout_s, f"delivery of {sink}")


def set_aside(engine: FlowUnderTest, sink: str = "s") -> list[tuple[Any, ...]]:
    """Rows that the sink's target has refused, and why."""
    return engine.rows(
        f"SELECT origin, error, sqlstate FROM rw_catalog.rw_poison_rows WHERE source_name = '{sink}' ORDER BY seen_at, origin"
    )
