"""A disk that fails at a chosen moment: everything the broker does to its files goes through here, counted.

`kill` is kill -9 between two system calls or in the middle of a write: what was done stays done, nothing is done
afterwards, not even by an `except` or `finally`. `full` is a disk without room from some moment on: nothing grows
and nothing is made, while files can still be deleted, renamed and cut.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch


class Killed(SystemExit):
    """The process has ended here; no code may catch it (asyncio lets it through too)."""


class Disk:
    """`at` is the number of the first operation that fails, None for none; `how` is "kill" or "full"."""

    def __init__(self, how: str = "kill", at: int | None = None) -> None:
        self.how = how
        self.at = at
        self.operations = 0
        self.growing: list[int] = []
        """Which of the operations need room."""

    @property
    def fails(self) -> bool:
        return self.at is not None and self.operations >= self.at

    def step(self, *, grows: bool) -> bool:
        """Count an operation; whether it is the very first to fail (a write is then half done)."""
        first = self.operations == self.at
        failing = self.fails
        if grows:
            self.growing.append(self.operations)
        self.operations += 1
        if failing and not first:
            self.refuse(grows=grows)
        return failing and first

    def refuse(self, *, grows: bool) -> None:
        if self.how == "kill":
            raise Killed(9)
        if grows:
            raise OSError(errno.ENOSPC, "No space left on device")

    def plain(self, name: str, call: Callable[..., Any], *, grows: bool) -> Callable[..., Any]:
        def stepped(*arguments: Any, **options: Any) -> Any:
            if name == "open" and (not arguments[1] & os.O_CREAT or Path(arguments[0]).exists()):
                return call(*arguments, **options)
            if self.step(grows=grows):
                self.refuse(grows=grows)
            return call(*arguments, **options)

        return stepped

    def write(self, call: Callable[..., int], data: bytes, *rest: Any) -> int:
        if not self.step(grows=True):
            return call(data, *rest)
        done = call(data[: len(data) // 2], *rest)
        if self.how == "kill":
            raise Killed(9)
        return done

    def positioned(self, descriptor: int, data: Any, position: int) -> int:
        whole = b"".join(data) if isinstance(data, list) else bytes(data)
        return self.write(lambda part, at: _pwrite(descriptor, part, at), whole, position)

    def opened(self, path: Any, mode: str = "r", buffering: int = -1, *arguments: Any, **options: Any) -> Any:
        if not set(mode) & set("wax+"):
            return _open(path, mode, buffering, *arguments, **options)
        if not Path(path).exists() and self.step(grows=True):
            self.refuse(grows=True)
        return _File(self, _open(path, mode, 0, *arguments, **options), all_or_error=buffering != 0)


class _File:
    """A file opened for writing, without a buffer: what was written is there when it was written."""

    def __init__(self, disk: Disk, file: Any, *, all_or_error: bool) -> None:
        self._disk, self._file, self._all_or_error = disk, file, all_or_error

    def write(self, data: bytes) -> int:
        written = self._disk.write(self._file.write, data)
        if written < len(data) and self._all_or_error:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(written)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


_pwrite, _open = os.pwrite, builtins.open


@contextmanager
def failing_disk(disk: Disk) -> Iterator[Disk]:
    """While it lasts, files are written by way of `disk`."""
    names = {"mkdir": True, "open": True, "rename": False, "replace": False, "unlink": False, "rmdir": False}
    names |= {"ftruncate": False, "truncate": False}
    changed = {name: disk.plain(name, getattr(os, name), grows=grows) for name, grows in names.items()}
    changed |= {"pwritev": disk.positioned, "pwrite": disk.positioned}
    with patch.multiple(os, **changed), patch.object(io, "open", disk.opened):
        yield disk
