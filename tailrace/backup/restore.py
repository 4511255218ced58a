"""Make a data directory of a back-up file.

Everything is checked before it counts: what made the file, the platform, the room, the end of the archive, PostgreSQL's own
manifest. The directory appears under its name only when it is complete. Caller: the CLI.
"""

from __future__ import annotations

import json
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tailrace.backup.archive import (
    BROKER,
    END,
    ENGINE,
    FORMAT,
    HEAD,
    BackupError,
    engine_description,
    run_engine,
)

SPARE_BYTES: Final = 1 << 28
Progress = Callable[[int, int], None]


def restore(
    source: Path, data_dir: Path, on_progress: Progress = lambda _done, _total: None
) -> dict[str, Any]:
    """Unpack `source` into the new directory `data_dir`; returns the file's head. Raises BackupError, and leaves nothing."""
    target = data_dir.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(
            f"{target} exists and is not empty",
            sqlstate="42P07",
            hint="choose another directory with --data-dir; nothing is overwritten",
        )
    partial = target.with_name(target.name + ".partial")
    if partial.exists():
        raise BackupError(
            f"{partial} is there, from a restore that was interrupted or still runs",
            sqlstate="42P07",
            hint=f"if none runs, remove it: rm -r {partial}",
        )
    try:
        with tarfile.open(source, mode="r:gz") as archive:
            head = _head(source, archive)
            _check(source, head, target)
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.mkdir()
            try:
                _unpack(source, archive, head, partial, on_progress)
                if ENGINE in head["parts"]:
                    run_engine("adopt", str(partial / ENGINE))
                if target.exists():
                    target.rmdir()
                partial.rename(target)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        reason = (
            (getattr(error, "strerror", None) or str(error)) if isinstance(error, OSError) else str(error)
        )
        raise BackupError(
            f"{source} cannot be restored: {reason}", hint="is it a whole file that tailrace backup made?"
        ) from error
    return head


def _head(source: Path, archive: tarfile.TarFile) -> dict[str, Any]:
    first = archive.next()
    content = archive.extractfile(first) if first is not None and first.name == HEAD else None
    if content is None:
        raise BackupError(f"{source} is not a back-up", hint="name a file that tailrace backup made")
    head: dict[str, Any] = json.loads(content.read())
    return head


def _check(source: Path, head: dict[str, Any], target: Path) -> None:
    if head["format"] != FORMAT:
        raise BackupError(
            f"{source} is of format {head['format']}, wanted {FORMAT}",
            hint=f"it was made by Tailrace {head['tailrace']}: use that or a newer one",
        )
    made, here = head["engine"], engine_description()
    for key, fits in (
        ("platform", made["platform"] == here["platform"]),
        ("postgres_major", made["postgres_major"] == here["postgres_major"]),
        ("state_version", made["state_version"] <= here["state_version"]),
    ):
        if not fits and ENGINE in head["parts"]:
            raise BackupError(
                f"{source} does not fit here: its {key} is {made[key]}, this engine's {here[key]}",
                hint=f"it was made by Tailrace {head['tailrace']} on {made['platform']}: restore it there",
            )
    folder = next(path for path in target.parents if path.exists())
    free, wanted = shutil.disk_usage(folder).free, head["bytes"] + SPARE_BYTES
    if free < wanted:
        raise BackupError(
            f"too little disk at {folder}",
            sqlstate="53100",
            detail=f"wanted {wanted / 2**20:,.0f} MiB free, got {free / 2**20:,.0f} MiB",
            hint="make room, or restore to another disk",
        )


def _unpack(
    source: Path, archive: tarfile.TarFile, head: dict[str, Any], folder: Path, on_progress: Progress
) -> None:
    files = unpacked = 0
    end: dict[str, Any] | None = None
    for member in archive:
        if member.name == HEAD:
            continue
        if member.name == END:
            content = archive.extractfile(member)
            end = json.loads(content.read()) if content is not None else None
            continue
        archive.extract(member, folder, filter="data")
        if member.name.startswith((f"{ENGINE}/", f"{BROKER}/")):
            files += 1
            unpacked += member.size
            on_progress(unpacked, max(unpacked, head["bytes"]))
    if end != {"files": files, "bytes": unpacked}:
        raise BackupError(
            f"{source} is not complete: {files} files with {unpacked:,} bytes, its end says {end}",
            hint="take it again, or use another",
        )
