"""Take a back-up of a data directory: the launcher's state, then the engine, then the broker, in this order.

The order makes it consistent: the topics are copied after the engine, so that they hold everything that the engine had read,
and what they hold beyond it is read after the restore as if the engine had been away for a moment. Works while `tailrace
up` runs and when nothing does. Caller: the CLI.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import IO, Final

from tailrace.backup.archive import (
    BROKER,
    END,
    ENGINE,
    FORMAT,
    HEAD,
    STATE_FILES,
    BackupError,
    engine_description,
    failure,
    size_of,
)

COMPRESSION: Final = 1
"""gzip's fastest: the data shrinks to a quarter, and the disk remains the limit."""
LEAST_SHARE: Final = 2
"""At least the size divided by this must be free: how well data compresses is known only afterwards."""

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes expected in all."""


def back_up(data_dir: Path, target: Path, on_progress: Progress = lambda _done, _total: None) -> int:
    """Write the back-up to the new file `target`; returns its size in bytes. Raises BackupError; no part of a file is left."""
    source = data_dir.absolute()
    if not (source / "state.json").is_file():
        raise BackupError(
            f"{source} is not a data directory of `tailrace up`", hint="name another with --data-dir"
        )
    if target.exists():
        raise BackupError(
            f"{target} exists",
            sqlstate="42P07",
            hint="choose another name, or remove it; nothing is overwritten",
        )
    expected = size_of(source / ENGINE) + size_of(source / BROKER)
    _check_room(target, expected)
    partial = target.with_name(target.name + ".partial")
    try:
        with partial.open("wb") as file:
            _Writer(source, file, lambda done: on_progress(done, max(done, expected))).write(expected)
        partial.rename(target)
    except OSError as error:
        raise BackupError(
            f"{target} cannot be written: {error.strerror or error}",
            sqlstate="53100",
            hint="make room, or choose another disk",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return target.stat().st_size


def _check_room(target: Path, expected: int) -> None:
    folder = target.absolute().parent
    if not folder.is_dir():
        raise BackupError(
            f"there is no directory {folder}", sqlstate="58P01", hint="make it, or name another"
        )
    free = shutil.disk_usage(folder).free
    if free < expected // LEAST_SHARE:
        raise BackupError(
            f"too little disk at {folder}",
            sqlstate="53100",
            detail=f"wanted {expected // LEAST_SHARE / 2**20:,.0f} MiB free, got {free / 2**20:,.0f} MiB",
            hint="make room, or write to another disk",
        )


class _Writer:
    """One back-up in the making."""

    def __init__(self, source: Path, file: IO[bytes], on_bytes: Callable[[int], None]) -> None:
        self._source = source
        self._archive = tarfile.open(fileobj=file, mode="w:gz", compresslevel=COMPRESSION)  # noqa: SIM115
        self._on_bytes = on_bytes
        self._bytes = 0
        self._files = 0

    def write(self, expected: int) -> None:
        with self._archive:
            parts = [part for part in (ENGINE, BROKER) if (self._source / part).is_dir()]
            head = {
                "format": FORMAT,
                "tailrace": metadata.version("tailrace"),
                "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "bytes": expected,
                "parts": parts,
                "engine": engine_description(),
            }
            self._document(HEAD, head)
            for name in STATE_FILES:
                if (self._source / name).is_file():
                    self._archive.add(self._source / name, name)
            if ENGINE in parts:
                self._part(ENGINE, "engine.backup", "write", str(self._source / ENGINE))
            if BROKER in parts:
                self._part(BROKER, "broker.backup", str(self._source / BROKER))
            self._document(END, {"files": self._files, "bytes": self._bytes})

    def _document(self, name: str, content: dict[str, object]) -> None:
        data = json.dumps(content, indent=2).encode() + b"\n"
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self._archive.addfile(member, io.BytesIO(data))

    def _part(self, part: str, module: str, *arguments: str) -> None:
        """Run the part's own program and take its tar stream in, below the part's name."""
        with subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None and process.stderr is not None  # noqa: S101
            try:
                with tarfile.open(fileobj=process.stdout, mode="r|") as stream:
                    for member in stream:
                        self._member(part, stream, member)
                while process.stdout.read(1 << 16):
                    pass  # the blocks behind the archive's end
            except (tarfile.TarError, EOFError) as error:
                process.kill()
                raise failure(f"the {part}'s part", process.stderr.read() or str(error).encode()) from error
            except BaseException:
                process.kill()
                raise
            told = process.stderr.read()
            if process.wait() != 0:
                raise failure(f"the {part}'s part", told)

    def _member(self, part: str, stream: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        content = stream.extractfile(member) if member.isreg() else None
        member.name = f"{part}/{member.name}"
        self._archive.addfile(member, content)
        self._files += 1
        self._bytes += member.size
        self._on_bytes(self._bytes)
