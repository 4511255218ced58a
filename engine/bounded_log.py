"""A log file that cannot fill the disk, and the last lines of it for a report.

Assumes one writer. Used by the supervisor for what each of its children writes.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

LIMIT_BYTES = 8 << 20
_TAIL_LINES = 12
_LINE_BYTES = 16 << 10


class BoundedLog:
    """Appends lines to `path`; beyond `limit_bytes` the file becomes `path`.1, in place of the one before."""

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self.path = path
        self._limit_bytes = limit_bytes
        self._file = path.open("ab")
        self._size_bytes = self._file.tell()
        self._partial = b""
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def feed(self, data: bytes) -> list[str]:
        """Write what a pipe gave; returns the lines that it completes, without their ends."""
        *complete, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > _LINE_BYTES:
            complete.append(self._partial)
            self._partial = b""
        lines = [line.decode("utf-8", "replace").rstrip("\r") for line in complete]
        for line in complete:
            self._write(line + b"\n")
        if complete:
            self._file.flush()
        self._tail.extend(line for line in lines if line.strip())
        return lines

    def tail(self) -> list[str]:
        """The last lines since `forget`, oldest first."""
        return list(self._tail)

    def forget(self) -> None:
        """Start the tail anew, for a new process that writes to the same file."""
        if self._partial:
            self.feed(b"\n")
        self._tail.clear()

    def close(self) -> None:
        self._file.close()

    def _write(self, line: bytes) -> None:
        if self._size_bytes + len(line) > self._limit_bytes and self._size_bytes > 0:
            self._file.close()
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._file = self.path.open("ab")
            self._size_bytes = 0
        self._file.write(line)
        self._size_bytes += len(line)
