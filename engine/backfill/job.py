"""What the workers of all jobs have in common: a step that is repeated until the flow may finish the object.

A view's worker (`engine.backfill.worker`) makes pass after pass; an index's (`engine.backfill.index_builder`) is done after one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import psycopg

LEFT_ROWS = 2_000
"""So few changes waiting may be taken in by a barrier of the flow."""
_NICE = 10


class NotCreatingError(Exception):
    """There is nothing to do: the object is gone, or it is done."""


class Job(Protocol):
    """One object that is being created."""

    def advance(self) -> int:
        """Do what there is to do, committed; returns how many changes wait behind it."""
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


def run(job: Job, ready: Callable[[], bool]) -> None:
    """Step after step; `ready` is asked whether to go on whenever little is left."""
    while True:
        waiting = job.advance()
        if waiting <= LEFT_ROWS and not ready():
            return


def application_name(object_id: int) -> str:
    """How a worker's sessions are called in PostgreSQL."""
    return f"tailrace backfill {object_id}"


def yield_to_barriers(connection: psycopg.Connection[Any]) -> None:
    """The worker and its backend take the processor that others leave; where that is not allowed, they share it."""
    _be_nice(0)
    row = connection.execute("SELECT pg_backend_pid(), inet_server_addr() IS NULL").fetchone()
    if row is not None and row[1]:  # a unix socket: the backend is a process of this machine
        _be_nice(row[0])


def _be_nice(pid: int) -> None:
    """Lower the priority of a process, 0 for this one, and of its session where it is alone in it.

    Linux with autogroup scheduling shares the processor out among sessions; each backend of PostgreSQL has one of its own, and
    its nice value then counts for nothing (sched(7)).
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, _NICE)
    with suppress(OSError):
        if os.getsid(pid) == pid:
            Path(f"/proc/{pid}/autogroup").write_text(str(_NICE))
