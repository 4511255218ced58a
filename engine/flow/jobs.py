"""The backfill jobs as the flow sees them: a worker process each, at most `MOST_WORKERS` at a time, oldest first.

A worker that dies is started again and goes on behind its last commit. The flow's loop asks between barriers who is ready
and who has failed; threads only read what the workers say. Workers end with the flow: they watch their stdin.
"""

from __future__ import annotations

import logging
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg

from engine.backfill.job import application_name
from engine.catalog.objects import CatalogObject
from tailrace.errors import TailraceError

log = logging.getLogger(__name__)
MOST_WORKERS = 2
_RESTART_S = 1.0
_END_S = 10.0


@dataclass(slots=True)
class _Job:
    process: subprocess.Popen[bytes]
    is_ready: bool = False


@dataclass(slots=True)
class Jobs:
    """`command` makes a worker's command line from an object; `wake` is called when a worker has said something."""

    command: Callable[[CatalogObject], Sequence[str]]
    wake: Callable[[], None]
    _jobs: dict[int, _Job] = field(default_factory=dict)
    _said: queue.SimpleQueue[tuple[int, _Job, dict[str, Any] | None]] = field(
        default_factory=queue.SimpleQueue
    )
    _not_before: dict[int, float] = field(default_factory=dict)

    def arrange(self, creating: Iterable[CatalogObject]) -> None:
        """Start workers for objects that have none, as far as there is room."""
        for item in creating:
            if len(self._jobs) >= MOST_WORKERS:
                return
            if item.id not in self._jobs and time.monotonic() >= self._not_before.get(item.id, 0):
                self._start(item)

    def heard(self) -> tuple[list[int], dict[int, TailraceError]]:
        """(objects that are ready to be finished, objects that cannot be filled and why)."""
        failed: dict[int, TailraceError] = {}
        while True:
            try:
                id_, job, said = self._said.get_nowait()
            except queue.Empty:
                break
            if self._jobs.get(id_) is not job:
                continue  # from a worker that was stopped
            if said is None:
                log.warning("the worker of object %d ended (%s)", id_, job.process.wait())
                self._jobs.pop(id_)
                self._not_before[id_] = time.monotonic() + _RESTART_S
            elif "failed" in said:
                reason = said["failed"]
                failed[id_] = TailraceError(
                    reason["message"],
                    sqlstate=reason["sqlstate"],
                    detail=reason.get("detail"),
                    hint=reason.get("hint"),
                )
            elif "ready" in said:
                job.is_ready = True
            else:
                log.warning("backfill of object %d tries again: %s", id_, said.get("trying_again"))
        return [i for i, job in self._jobs.items() if job.is_ready], failed

    def again(self, id_: int) -> None:
        """Too much has come since the worker was ready: let it make another pass."""
        job = self._jobs[id_]
        job.is_ready = False
        assert job.process.stdin is not None  # noqa: S101 - a pipe
        try:
            job.process.stdin.write(b"again\n")
            job.process.stdin.flush()
        except OSError:
            log.warning("the worker of object %d is gone", id_)

    def stop(self, id_: int) -> None:
        """End an object's worker, if it has one, at once."""
        job = self._jobs.pop(id_, None)
        if job is not None:
            job.process.kill()
            job.process.wait(_END_S)
            if job.process.stdin is not None:
                job.process.stdin.close()

    def close(self) -> None:
        """End all workers."""
        for id_ in list(self._jobs):
            self.stop(id_)

    def _start(self, item: CatalogObject) -> None:
        process = subprocess.Popen(list(self.command(item)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        job = self._jobs[item.id] = _Job(process)
        name = f"backfill {item.id}"
        threading.Thread(target=self._read, args=(item.id, job), name=name, daemon=True).start()

    def _read(self, id_: int, job: _Job) -> None:
        assert job.process.stdout is not None  # noqa: S101 - a pipe
        with job.process.stdout as lines:
            for line in lines:
                self._said.put((id_, job, orjson.loads(line)))
                self.wake()
        self._said.put((id_, job, None))
        self.wake()


def worker_command(data_dir: str, database: str) -> Callable[[CatalogObject], Sequence[str]]:
    """The command line of a worker on the engine's data directory."""
    start = (sys.executable, "-m", "engine.backfill", "--data-dir", data_dir, "--database", database)
    return lambda item: (
        *start, "--object", str(item.id), "--kind", "index" if item.kind == "index" else "view",
    )  # fmt: skip


def end_sessions(connection: psycopg.Connection[Any], id_: int) -> None:
    """Wait until no session of an object's worker is left in PostgreSQL: a killed worker's statement may still run."""
    name = application_name(id_)
    deadline = time.monotonic() + _END_S
    while time.monotonic() < deadline:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        left = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name IN (%s, %s)",
            (name, f"{name} progress"),
        ).fetchall()
        if not left:
            return
        time.sleep(0.02)
    raise TailraceError(f"the worker of object {id_} does not end", sqlstate="55006", hint="try again")
