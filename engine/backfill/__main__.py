"""`python -m engine.backfill --data-dir D --object ID`: the worker process of one job. Started by the flow.

It says on stdout, a JSON object a line: {"ready": true} when little is left, {"failed": {...}} when the object cannot be
filled, {"trying_again": reason} when the moment is to blame. After "ready" it waits for a line on stdin: anything means
another pass. When stdin closes it ends, whatever it is doing: its flow is gone or has finished the job.
"""

from __future__ import annotations

import argparse
import logging
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any

import orjson
import psycopg

from engine.backfill.index_builder import IndexBuilder
from engine.backfill.job import Job, NotCreatingError, run
from engine.backfill.worker import Worker
from engine.layout import DATABASE, Layout
from tailrace.errors import TailraceError

_JOBS: dict[str, type[Worker | IndexBuilder]] = {"view": Worker, "index": IndexBuilder}
_MOMENTARY = ("08", "40", "53", "55", "57")
"""SQLSTATE classes that another try may not meet: connection, serialization, resources, locks, shutdown."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


def main() -> int:
    """Run to the end of the job; 0 also when there is nothing to do."""
    parser = argparse.ArgumentParser(prog="python -m engine.backfill", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="the engine's data directory")
    parser.add_argument("--database", default=DATABASE, help="the database it belongs to (dev)")
    parser.add_argument("--object", type=int, required=True, help="id of the object that is being created")
    parser.add_argument("--kind", choices=list(_JOBS), default="view", help="what it is (view)")
    given = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(answers,), name="stdin", daemon=True).start()

    def ready() -> bool:
        _say({"ready": True})
        return bool(answers.get())

    pause_s = _FIRST_PAUSE_S
    dsn = Layout(given.data_dir).dsn(dbname=given.database)
    while True:
        try:
            job: Job = _JOBS[given.kind].open(dsn, given.object)
            try:
                run(job, ready)
            finally:
                job.close()
        except NotCreatingError:
            return 0
        except (psycopg.Error, TailraceError, TimeoutError) as error:
            if not _is_momentary(error):
                _say({"failed": _shown(error)})
                return 1
            _say({"trying_again": str(error).strip().splitlines()[0]})
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        else:
            return 0


def _is_momentary(error: Exception) -> bool:
    if isinstance(error, psycopg.OperationalError | TimeoutError):
        return True
    return (getattr(error, "sqlstate", None) or "").startswith(_MOMENTARY)


def _shown(error: Exception) -> dict[str, Any]:
    if isinstance(error, TailraceError):
        return {
            "sqlstate": error.sqlstate,
            "message": error.message,
            "detail": error.detail,
            "hint": error.hint,
        }
    message = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return {"sqlstate": getattr(error, "sqlstate", None) or "XX000", "message": message or str(error)}


def _say(what: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(what) + b"\n")
    sys.stdout.buffer.flush()


def _listen(answers: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        answers.put(line)
    os._exit(0)  # from a thread: the other one may be in the middle of a long statement


if __name__ == "__main__":
    sys.exit(main())
