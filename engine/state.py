"""The engine's claim on its data directory: one engine at a time, of the right version, with room to write.

Assumes a local file system with flock. Called once by the supervisor before anything is started; the lock
is held until its process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from engine.layout import Layout
from tailrace.errors import TailraceError

STATE_VERSION = 3
"""What this code writes. It goes up with `engine.catalog.versions.VERSION` and with whatever else changes on disk."""
OLDEST_VERSION = 1
"""What this code can still bring up to date."""
POSTGRES_MAJOR = 18
MINIMUM_FREE_BYTES = 1 << 30


class StateError(TailraceError):
    """A data directory that this engine cannot use as it is."""

    sqlstate = "58000"


def claim(layout: Layout, *, minimum_free_bytes: int = MINIMUM_FREE_BYTES) -> int:
    """Make the data directory, lock it, check version and room; returns the lock's descriptor: keep it open.

    Raises StateError when another engine holds it, when another version wrote it or when the disk is nearly
    full.
    """
    _make_data_dir(layout)
    lock = _lock(layout)
    try:
        _check_version(layout)
        _check_room(layout, minimum_free_bytes)
        _make_secrets(layout)
    except BaseException:
        os.close(lock)
        raise
    return lock


def record_version(layout: Layout) -> None:
    """Note that the state is of this version now. Called by the flow once the database is; older code refuses it then.

    Between the database's upgrade and this a crash does no harm: the next start comes here again.
    """
    found = read_json(layout.version_path) or {}
    if found.get("state_version") != STATE_VERSION:
        wanted = {"state_version": STATE_VERSION, "postgres_major": POSTGRES_MAJOR}
        write_atomically(layout.version_path, {**found, **wanted, "engine": metadata.version("tailrace")})


def write_atomically(path: Path, content: dict[str, Any], *, mode: int = 0o644, durable: bool = True) -> None:
    """Replace the JSON file at `path`: a reader sees the old or the new content, never a part.

    `durable` waits for the disk, so that it holds after a power cut too.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.write("\n")
        file.flush()
        if durable:
            os.fsync(file.fileno())
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; None when the file is missing or not one."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return cast("dict[str, Any]", content) if isinstance(content, dict) else None


def _make_data_dir(layout: Layout) -> None:
    # Under root the server runs as another user, who has to pass through; the passwords below are 0600
    # anyhow.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        layout.data_dir.mkdir(mode=mode, parents=True, exist_ok=True)
        layout.log_dir.mkdir(exist_ok=True)
    except OSError as error:
        raise StateError(
            f"cannot write the data directory {layout.data_dir}: {error.strerror}",
            hint="choose another with --data-dir, or run as the user that owns it",
        ) from error


def _lock(layout: Layout) -> int:
    try:
        descriptor = os.open(layout.lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StateError(
            f"cannot open {layout.lock_path}: {error.strerror}",
            hint="choose another with --data-dir, or run as the user that owns it",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise StateError(
            f"another engine (pid {holder}) uses the data directory {layout.data_dir}",
            sqlstate="55006",
            hint=f"stop it (kill {holder}), or choose another directory with --data-dir",
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor


def _check_version(layout: Layout) -> None:
    wanted = {"state_version": STATE_VERSION, "postgres_major": POSTGRES_MAJOR}
    found = read_json(layout.version_path)
    if found is None:
        if layout.postgres_dir.exists():
            raise StateError(
                f"{layout.data_dir} holds a PostgreSQL cluster but no readable {layout.version_path.name}",
                hint=f"choose another directory with --data-dir, or remove it: rm -r {layout.data_dir}",
            )
        write_atomically(layout.version_path, {**wanted, "engine": metadata.version("tailrace")})
        return
    version = found.get("state_version")
    upgradable = isinstance(version, int) and OLDEST_VERSION <= version <= STATE_VERSION
    differences = [
        f"{key} {found.get(key)}, wanted {value}"
        for key, value in wanted.items()
        if found.get(key) != value and not (key == "state_version" and upgradable)
    ]
    if differences:
        newer = isinstance(version, int) and version > STATE_VERSION
        cure = "use the Tailrace that wrote it or a newer one, " if newer else ""
        raise StateError(
            f"the state in {layout.data_dir} was written by another version (engine {found.get('engine')}):"
            f" it has {'; '.join(differences)}",
            hint=f"{cure}choose another directory with --data-dir, or remove it: rm -r {layout.data_dir}",
        )


def _check_room(layout: Layout, minimum_free_bytes: int) -> None:
    free_bytes = shutil.disk_usage(layout.data_dir).free
    if free_bytes < minimum_free_bytes:
        raise StateError(
            f"too little disk space for {layout.data_dir}: {free_bytes / 2**20:,.0f} MiB free,"
            f" at least {minimum_free_bytes / 2**20:,.0f} MiB wanted",
            sqlstate="53100",
            hint="make room, or choose a directory on another disk with --data-dir",
        )


def _make_secrets(layout: Layout) -> None:
    """Random passwords, made once; and PostgreSQL's DSN, where TAILRACE_POSTGRES_DSN names one."""
    known = read_json(layout.secrets_path)
    if known is None and layout.postgres_dir.exists():
        raise StateError(
            f"{layout.data_dir} holds a PostgreSQL cluster but no readable {layout.secrets_path.name}",
            hint=f"restore the file, or give the state up: rm -r {layout.data_dir}",
        )
    known = known or {
        "engine": secrets.token_urlsafe(32),
        "client": secrets.token_urlsafe(32),
    }
    external = os.environ.get("TAILRACE_POSTGRES_DSN")
    wanted = {key: value for key, value in known.items() if key != "postgres_dsn"}
    if external:
        wanted["postgres_dsn"] = external
    if wanted != known or not layout.secrets_path.exists():
        write_atomically(layout.secrets_path, wanted, mode=0o600)
