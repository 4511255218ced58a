"""`python -m engine.flow --data-dir D`: the flow process. Started by the supervisor; prints `ready` when it works."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import psycopg

from engine.flow.barrier import FencedError, Flow
from engine.flow.clock import wall_clock
from engine.flow.gauges import measure
from engine.flow.jobs import Jobs, worker_command
from engine.flow.loop import Loop, listen
from engine.flow.server import CommandServer
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


def main() -> int:
    """Run until SIGTERM or SIGINT; a lost database ends the process with 1, and the supervisor starts it again."""
    parser = argparse.ArgumentParser(prog="python -m engine.flow", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="the engine's data directory")
    layout = Layout(parser.parse_args().data_dir)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    sys.setswitchinterval(
        0.001
    )  # the barrier's thread answers PostgreSQL at once, although the readers decode
    stop, wake = threading.Event(), threading.Event()

    def end(*_: object) -> None:
        stop.set()
        wake.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        flow = open_flow(layout.dsn())
    except TailraceError as error:
        log.error("cannot start: %s", error)
        return 1
    record_version(layout)
    jobs = Jobs(worker_command(str(layout.data_dir)), wake.set)
    loop = Loop(flow, CommandServer(layout.flow_socket, wake.set), wake, stop, jobs)
    lost: Future[None] = Future()
    lost.add_done_callback(end)
    listener = threading.Thread(
        target=listen, args=(layout.dsn(), loop.changed, lost, stop), name="listen", daemon=True
    )
    listener.start()
    gauges = threading.Thread(
        target=measure, args=(layout.dsn(), lambda: dict(loop.readers), stop), name="gauges", daemon=True
    )
    gauges.start()
    print("ready", flush=True)  # noqa: T201 - the supervisor waits for this line
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


if __name__ == "__main__":
    sys.exit(main())
