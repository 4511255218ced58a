"""Small files that are replaced as a whole. Callers: everything that keeps state beside the logs."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace `path`: a killed process leaves the old file or the new one; so does a power cut, if `durable`."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    beside.replace(path)
    if durable:
        sync(path.parent)


def sync(path: Path) -> None:
    """Make durable what a file holds, or which names a folder does."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
