"""A log file that cannot fill the disk, and the last lines of it for a report.

Where the disk is full already, lines are dropped and counted: whoever writes them through a pipe must not be
stopped by it. Assumes one writer. Used by the supervisor for what each of its children writes.
"""

from __future__ import annotations

import errno
from collections import deque
from io import FileIO
from pathlib import Path

LIMIT_BYTES = 8 << 20
_TAIL_LINES = 12
_LINE_BYTES = 16 << 10


class BoundedLog:
    """Appends lines to `path`; beyond `limit_bytes` the file becomes `path`.1, in place of the one before."""

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self.path = path
        self._limit_bytes = limit_bytes
        self._file = self._open()
        self._size_bytes = self._file.tell()
        self._dropped = 0
        self._partial = b""
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def feed(self, data: bytes) -> list[str]:
        """Write what a pipe gave; returns the lines that it completes, without their ends."""
        *complete, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > _LINE_BYTES:
            complete.append(self._partial)
            self._partial = b""
        lines = [line.decode("utf-8", "replace").rstrip("\r") for line in complete]
        if complete:
            self._try_to_write(complete)
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

    def _try_to_write(self, lines: list[bytes]) -> None:
        missing = (
            [b"(%d lines are missing: they could not be written)" % self._dropped] if self._dropped else []
        )
        try:
            self._write(b"".join(line + b"\n" for line in [*missing, *lines]))
        except OSError:
            self._dropped += len(lines)
        else:
            self._dropped = 0

    def _write(self, data: bytes) -> None:
        if self._size_bytes + len(data) > self._limit_bytes and self._size_bytes > 0:
            self._file.close()
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._size_bytes = 0
        if self._file.closed:
            self._file = self._open()
        written = self._file.write(data) or 0
        self._size_bytes += written
        if written < len(data):
            raise OSError(errno.ENOSPC, "no room for the whole line", str(self.path))

    def _open(self) -> FileIO:
        return FileIO(
            self.path, "ab"
        )  # without a buffer, which would keep what could not be written and fail again
