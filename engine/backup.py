"""`python -m engine.backup`: the engine's part of a back-up, as a tar stream, and what a restore needs of the engine.

    write DIR      the state in DIR to stdout; the engine may run or not
    adopt DIR      make extracted state in DIR fit to start: verified, owned by the right user
    describe       what this engine writes, as JSON: versions and platform

A running PostgreSQL is copied by pg_basebackup, with the WAL that makes the copy consistent: it holds everything that
had been committed when the copy ended. A stopped one is copied as it lies, under the engine's lock, so that nobody can
start it meanwhile. Called by `tailrace backup` and `tailrace restore`, which know nothing of what is inside.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from psycopg import conninfo

from engine.layout import ENGINE_ROLE, Layout
from engine.postgres import binaries, environment
from engine.server_user import server_uid
from engine.state import POSTGRES_MAJOR, STATE_VERSION, read_json
from tailrace.errors import TailraceError, UnsupportedFeature

_LEFT_OUT = {"postmaster.pid", "postmaster.opts", "pg_internal.init"}
_CLUSTER = "postgres"


class BackupError(TailraceError):
    """The engine's state could not be copied, or is not fit to be used."""

    sqlstate = "58000"


def describe() -> dict[str, Any]:
    """What a cluster of this engine needs to be used elsewhere: PostgreSQL's files differ between platforms."""
    return {
        "state_version": STATE_VERSION,
        "postgres_major": POSTGRES_MAJOR,
        "platform": f"{platform.system()} {platform.machine()}",
    }


def write(layout: Layout, out: IO[bytes]) -> None:
    """Write the state of `layout` to `out`. Raises TailraceError."""
    secrets = read_json(layout.secrets_path)
    if secrets is None or read_json(layout.version_path) is None:
        raise BackupError(f"no engine has been started in {layout.data_dir}", hint="nothing to back up there")
    if "postgres_dsn" in secrets:
        raise UnsupportedFeature(
            "a back-up of the PostgreSQL that TAILRACE_POSTGRES_DSN names",
            hint="back it up with its own tools, pg_dump or pg_basebackup",
        )
    with tarfile.open(fileobj=out, mode="w|") as archive:
        with _stopped(layout) as stopped:
            if stopped:
                archive.add(layout.postgres_dir, _CLUSTER, filter=_wanted)
            else:
                _copy_running(layout, archive)
        for path in (layout.secrets_path, layout.version_path):
            archive.add(path, path.name)


def adopt(layout: Layout) -> None:
    """Check the extracted cluster against its manifest, and give it the modes and the owner PostgreSQL insists on."""
    cluster = layout.postgres_dir
    if not (cluster / "PG_VERSION").is_file() or read_json(layout.secrets_path) is None:
        raise BackupError(f"{layout.data_dir} does not hold an engine's state", hint="take another back-up")
    manifest = cluster / "backup_manifest"
    if manifest.exists():
        command = [str(binaries() / "pg_verifybackup"), "--quiet", "--exit-on-error", str(cluster)]
        checked = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        if checked.returncode != 0:
            raise BackupError(
                f"the copy of PostgreSQL's files is damaged: {checked.stderr.strip()}",
                hint="restore from another back-up",
            )
        manifest.unlink()
    layout.secrets_path.chmod(0o600)
    layout.data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
    uid, gid = server_uid(cluster)
    for path in (cluster, *cluster.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        if os.geteuid() == 0:
            os.chown(path, uid, gid)


@contextmanager
def _stopped(layout: Layout) -> Iterator[bool]:
    """True, and the engine's lock held, when no engine runs there."""
    descriptor = os.open(layout.lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(member.name).name in _LEFT_OUT else member


def _copy_running(layout: Layout, archive: tarfile.TarFile) -> None:
    """Pass pg_basebackup's stream on, one file after the other."""
    parameters: dict[str, Any] = dict(conninfo.conninfo_to_dict(layout.dsn()))
    password = str(parameters.pop("password"))
    parameters.pop("dbname")
    command = [
        str(binaries() / "pg_basebackup"),
        f"--dbname={conninfo.make_conninfo('', **parameters)}",
        "--pgdata=-",
        "--format=tar",
        "--wal-method=fetch",
        "--checkpoint=fast",
        "--no-password",
    ]
    with subprocess.Popen(
        command,
        env={**environment(), "PGPASSWORD": password, "PGUSER": ENGINE_ROLE},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101
        broken: Exception | None = None
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as stream:
                for member in stream:
                    content = stream.extractfile(member) if member.isreg() else None
                    member.name = f"{_CLUSTER}/{member.name}"
                    archive.addfile(member, content)
            shutil.copyfileobj(process.stdout, _Nowhere())  # the blocks behind the archive's end
        except (tarfile.TarError, OSError) as error:
            broken = error
            process.kill()
        told = process.stderr.read().decode(errors="replace").strip()
        if process.wait() != 0 or broken is not None:
            raise BackupError(
                f"PostgreSQL could not be copied: {told or broken}",
                hint=f"try again; if it keeps failing see {layout.log_dir}",
            )


class _Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; an error is one JSON object on stderr, for the caller."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.backup", description="The engine's part of a back-up."
    )
    parser.add_argument("verb", choices=("write", "adopt", "describe"))
    parser.add_argument("data_dir", type=Path, nargs="?", help="the engine's data directory")
    given = parser.parse_args(arguments)
    if given.verb != "describe" and given.data_dir is None:
        parser.error(f"{given.verb} wants a directory")
    try:
        if given.verb == "describe":
            sys.stdout.write(json.dumps(describe()) + "\n")
        elif given.verb == "write":
            write(Layout(given.data_dir), sys.stdout.buffer)
        else:
            adopt(Layout(given.data_dir))
    except TailraceError as error:
        told = {"message": error.message, "sqlstate": error.sqlstate, "hint": error.hint}
        sys.stderr.write(json.dumps(told) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
