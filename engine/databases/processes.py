"""A database's processes, forked from this one: its flow, and its delivery while it has sinks.

The modules that they need are loaded once, before the first fork, so that a flow is there in the time that its database takes to
be opened, and shares their memory. Assumes that the caller has one thread. A child keeps no descriptor but its own: it says on a
pipe what its parent must know, and ends when its parent does, by the end of another pipe. Called by `engine.databases.host`.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import psycopg

from engine.layout import Layout

log = logging.getLogger("engine.databases")


class Role(Enum):
    """What a process does for its database."""

    FLOW = "flow"
    DELIVERY = "delivery"


class Said(Enum):
    """What a child tells its parent, a byte each."""

    READY = b"r"
    SINKS = b"s"
    NO_SINKS = b"n"


@dataclass(slots=True)
class Process:
    """A forked child; `said` is the descriptor on which it speaks."""

    role: Role
    database: str
    pid: int
    said: int


def load() -> None:
    """Import what the children run, and keep it out of the way of their garbage collectors."""
    import engine.delivery.service
    import engine.flow.process  # noqa: F401 - what a child would import

    gc.collect()
    gc.freeze()


def fork(layout: Layout, role: Role, database: str, alive: int) -> Process:
    """Start a process; `alive` is the reading end of a pipe that ends with this process."""
    reading, writing = os.pipe()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        os.set_blocking(reading, False)
        return Process(role, database, pid, reading)
    code = 1
    try:
        _keep_only(alive, writing)
        threading.Thread(target=_end_with_parent, args=(alive,), name="parent", daemon=True).start()
        code = _run(layout, role, database, lambda said: _say(writing, said))
    except BaseException:
        log.exception("%s of database %s", role.value, database)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _keep_only(*descriptors: int) -> None:
    """Close everything that was inherited but the standard streams and `descriptors`."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    behind = 3
    for descriptor in sorted(descriptors):
        os.closerange(behind, descriptor)
        behind = descriptor + 1
    os.closerange(behind, os.sysconf("SC_OPEN_MAX") if behind < 4096 else behind)


def _end_with_parent(alive: int) -> None:
    os.read(alive, 1)
    os._exit(1)


def _say(descriptor: int, said: Said) -> None:
    try:
        os.write(descriptor, said.value)
    except OSError:
        os._exit(1)  # nobody is there any more


def _run(layout: Layout, role: Role, database: str, say: Callable[[Said], None]) -> int:
    if role is Role.FLOW:
        from engine.flow.process import run_flow

        return run_flow(
            layout,
            database,
            lambda: say(Said.READY),
            lambda has_sinks: say(Said.SINKS if has_sinks else Said.NO_SINKS),
        )
    from engine.delivery.service import Service

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        Service(layout.dsn(dbname=database), stop).run()
    except psycopg.Error as error:
        log.error("delivery of database %s stops: %s", database, str(error).strip())
        return 1
    return 0
