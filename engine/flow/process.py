"""One database's flow as a process: opens it, listens for changes and commands, runs the loop until it is told to stop.

Called by `python -m engine.flow` for the first database, and by `engine.databases` in a process of its own for each other.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import psycopg

from engine.flow.barrier import Flow
from engine.flow.clock import wall_clock
from engine.flow.gauges import measure
from engine.flow.jobs import Jobs, worker_command
from engine.flow.loop import Loop, listen
from engine.flow.server import CommandServer
from engine.flow.session import FencedError
from engine.layout import Layout
from engine.state import record_version
from tailrace.errors import TailraceError

log = logging.getLogger("engine.flow")
_START_S = 30.0


def open_flow(dsn: str) -> Flow:
    """Connect, waiting for PostgreSQL to come up and for a flow before this one to lose its lock."""
    deadline = time.monotonic() + _START_S
    while True:
        try:
            return Flow.open(dsn, wall_clock(os.environ))
        except (psycopg.OperationalError, FencedError) as error:
            if time.monotonic() > deadline:
                raise
            log.info("waiting: %s", str(error).strip().splitlines()[-1])
            time.sleep(0.1)


def run_flow(
    layout: Layout,
    database: str,
    ready: Callable[[], None],
    delivers: Callable[[bool], None] = lambda _has_sinks: None,
) -> int:
    """Run until SIGTERM or SIGINT; a lost database ends it with 1, and whoever started it starts it again.

    `ready` is called when it takes commands; `delivers` then and after each statement with whether the database has sinks that
    a delivery has to serve. The caller's process is the flow's alone: signals are handled here.
    """
    sys.setswitchinterval(
        0.001
    )  # the barrier's thread answers PostgreSQL at once, although the readers decode
    stop, wake = threading.Event(), threading.Event()
    dsn = layout.dsn(dbname=database)

    def end(*_: object) -> None:
        stop.set()
        wake.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        flow = open_flow(dsn)
    except TailraceError as error:
        log.error("cannot start: %s", error)
        return 1
    record_version(layout)
    jobs = Jobs(worker_command(str(layout.data_dir), database), wake.set)
    server = CommandServer(layout.flow_socket_of(database), wake.set)
    loop = Loop(flow, server, wake, stop, jobs, delivers=delivers)
    lost: Future[None] = Future()
    lost.add_done_callback(end)
    for name, target, arguments in (
        ("listen", listen, (dsn, loop.changed, lost, stop)),
        ("gauges", measure, (dsn, lambda: dict(loop.readers), stop)),
    ):
        threading.Thread(target=target, args=arguments, name=name, daemon=True).start()
    ready()
    try:
        loop.run()
    except (psycopg.Error, FencedError) as error:
        log.error("stopping: %s", str(error).strip())
        return 1
    finally:
        stop.set()
        loop.close()
        flow.connection.close()
    if lost.done():
        log.error("stopping: the listener lost PostgreSQL: %s", lost.exception())
        return 1
    return 0
