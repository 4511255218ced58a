"""PostgreSQL underneath: private, its client roles can do little, its data directory is one engine's."""

from __future__ import annotations

import os
import shutil
import stat
from io import FileIO
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from engine import postgres as engine_postgres
from engine import roles, state
from engine.bounded_log import BoundedLog
from engine.layout import CLIENT_ROLES, Layout
from engine.server_user import choose_server_user, server_uid
from tailrace.errors import TailraceError
from tests.support.postgres import PostgresServer, running_postgres

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")


def test_settings_in_force(postgres: PostgresServer) -> None:
    wanted = {
        "listen_addresses": "",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "wal_level": "replica",
        "max_connections": "120",
        "jit": "off",
        "password_encryption": "scram-sha-256",
        "lc_messages": "C",
    }
    with psycopg.connect(postgres.dsn()) as connection:
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(wanted)]
        ).fetchall()
        assert dict(rows) == wanted
        locale = connection.execute(
            "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert locale == ("b", "C.UTF-8")


def test_engine_role_is_superuser_and_clients_are_not(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.dsn()) as connection:
        rows = connection.execute(
            "SELECT rolname::text, rolsuper, rolcreatedb, rolcreaterole, rolcanlogin FROM pg_roles"
            " WHERE rolname !~ '^pg_' ORDER BY 1"
        ).fetchall()
    assert rows == [
        ("dashboard", False, False, False, True),
        ("root", False, False, False, True),
        ("tailrace_engine", True, True, True, True),
    ]


@pytest.mark.parametrize("role", CLIENT_ROLES)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.t (a int)",
        "CREATE TEMP TABLE t (a int)",
        "CREATE SCHEMA s",
        "CREATE ROLE r",
        "ALTER ROLE tailrace_engine NOLOGIN",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT * FROM pg_authid",
    ],
)
def test_clients_may_not(postgres: PostgresServer, role: str, statement: str) -> None:
    with psycopg.connect(postgres.dsn(role)) as connection:
        connection.execute("SET transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


def test_client_transactions_are_bounded(postgres: PostgresServer) -> None:
    for role, read_only in (("root", "off"), ("dashboard", "on")):
        with psycopg.connect(postgres.dsn(role)) as connection:
            for setting, value in (
                ("idle_in_transaction_session_timeout", "30s"),
                ("transaction_timeout", "30s"),
                ("default_transaction_read_only", read_only),
            ):
                assert connection.execute(f"SHOW {setting}".encode()).fetchone() == (value,)


def test_clients_have_only_their_database(postgres: PostgresServer) -> None:
    for dbname in ("postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(postgres.dsn("root", dbname))


def test_a_password_is_needed(postgres: PostgresServer) -> None:
    for role in ("tailrace_engine", *CLIENT_ROLES):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(conninfo.make_conninfo(postgres.dsn(role), password="guess"))


def test_endpoint_is_the_socket(postgres: PostgresServer) -> None:
    endpoint = postgres.layout.postgres_endpoint()
    assert isinstance(endpoint, str)
    assert stat.S_ISSOCK(Path(endpoint).stat().st_mode)
    assert len(endpoint) < 100


def test_sockets_and_secrets_are_private(postgres: PostgresServer) -> None:
    layout = postgres.layout
    for directory in (layout.runtime_dir, layout.postgres_socket_dir, layout.postgres_dir):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(layout.secrets_path.stat().st_mode) == 0o600


def test_layout_is_the_same_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Layout(Path("state")) == Layout(tmp_path / "state")
    assert Layout(tmp_path / "state").runtime_dir != Layout(tmp_path / "other").runtime_dir


def test_dsn_before_the_first_start(tmp_path: Path) -> None:
    with pytest.raises(TailraceError, match=r"secrets\.json is missing") as raised:
        Layout(tmp_path).dsn()
    assert "python -m engine" in str(raised.value.hint)


def test_data_survives_a_restart(tmp_path: Path) -> None:
    with running_postgres(tmp_path) as server, psycopg.connect(server.dsn()) as connection:
        connection.execute("SET synchronous_commit = on")
        connection.execute("CREATE TABLE kept (a int)")
    with running_postgres(tmp_path) as server, psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.new" / "base").mkdir(parents=True)
    with running_postgres(tmp_path) as server:
        psycopg.connect(server.dsn()).close()
    assert not (tmp_path / "postgres.new").exists()


@AS_ROOT
def test_binaries_below_a_private_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = tmp_path / "home"
    private.mkdir(mode=0o700)
    package = engine_postgres.binaries().parents[1]
    shutil.copytree(package, private / package.name, ignore=shutil.ignore_patterns("include", "*.a"))
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, private / libraries.name)
    monkeypatch.setattr(engine_postgres, "binaries", lambda: private / package.name / "pginstall" / "bin")
    with running_postgres(tmp_path / "state") as server, psycopg.connect(server.dsn()) as connection:
        directory = connection.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()
    assert directory == (str(private / package.name / "pginstall" / "bin"),)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@AS_ROOT
def test_server_user_that_cannot_reach_the_binaries(tmp_path: Path) -> None:
    uid, gid = server_uid(tmp_path / "none")
    assert uid != 0
    with pytest.raises(TailraceError, match="cannot reach") as raised:
        choose_server_user(tmp_path / "missing", tmp_path, uid, gid)
    assert "TAILRACE_POSTGRES_DSN" in str(raised.value.hint)


def test_squatted_socket_directory_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "state")
    os.close(state.claim(layout, minimum_free_bytes=0))
    layout.runtime_dir.mkdir()
    layout.runtime_dir.chmod(0o777)
    try:
        with pytest.raises(TailraceError, match="not a private directory of ours"):
            engine_postgres.prepare(layout)
    finally:
        layout.runtime_dir.rmdir()


def test_two_engines_on_one_data_directory(tmp_path: Path) -> None:
    lock = state.claim(Layout(tmp_path), minimum_free_bytes=0)
    with pytest.raises(state.StateError, match=f"another engine \\(pid {os.getpid()}\\)") as raised:
        state.claim(Layout(tmp_path), minimum_free_bytes=0)
    assert "--data-dir" in str(raised.value.hint)
    os.close(lock)
    os.close(state.claim(Layout(tmp_path), minimum_free_bytes=0))


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            {"state_version": 0, "postgres_major": 18, "engine": "0.0.9"},
            f"state_version 0, wanted {state.STATE_VERSION}",
        ),
        ({"state_version": 1, "postgres_major": 17, "engine": "0.1.0"}, "postgres_major 17, wanted 18"),
        ({}, f"state_version None, wanted {state.STATE_VERSION}"),
    ],
)
def test_state_of_another_version(tmp_path: Path, found: dict[str, object], told: str) -> None:
    state.write_atomically(tmp_path / "version.json", found)
    with pytest.raises(state.StateError, match=told) as raised:
        state.claim(Layout(tmp_path), minimum_free_bytes=0)
    assert f"rm -r {tmp_path}" in str(raised.value.hint)


def test_cluster_without_version(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    with pytest.raises(state.StateError, match=r"no readable version\.json"):
        state.claim(Layout(tmp_path), minimum_free_bytes=0)


def test_cluster_without_passwords(tmp_path: Path) -> None:
    os.close(state.claim(Layout(tmp_path), minimum_free_bytes=0))
    (tmp_path / "postgres").mkdir()
    (tmp_path / "secrets.json").unlink()
    with pytest.raises(state.StateError, match=r"no readable secrets\.json"):
        state.claim(Layout(tmp_path), minimum_free_bytes=0)


def test_too_little_disk(tmp_path: Path) -> None:
    with pytest.raises(state.StateError, match=r"too little disk space .* MiB free") as raised:
        state.claim(Layout(tmp_path), minimum_free_bytes=1 << 60)
    assert "--data-dir" in str(raised.value.hint)


def test_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(state.StateError, match="cannot write the data directory"):
        state.claim(Layout(tmp_path / "file" / "state"), minimum_free_bytes=0)


def test_postgres_given_by_dsn(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_postgres(tmp_path / "theirs") as theirs:
        monkeypatch.setenv("TAILRACE_POSTGRES_DSN", theirs.dsn(dbname="postgres"))
        layout = Layout(tmp_path / "ours")
        os.close(state.claim(layout, minimum_free_bytes=0))
        engine_postgres.check_external(theirs.dsn(dbname="postgres"))
        roles.bootstrap(layout)
        with psycopg.connect(layout.dsn("root")) as connection:
            assert connection.execute("SELECT current_user::text").fetchone() == ("root",)
        assert layout.postgres_endpoint() == theirs.layout.postgres_endpoint()


def test_postgres_given_by_dsn_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(TailraceError, match="cannot reach the PostgreSQL that TAILRACE_POSTGRES_DSN names"):
        engine_postgres.check_external(f"host={tmp_path}")


def test_postgres_given_by_dsn_with_a_powerless_role(postgres: PostgresServer) -> None:
    with pytest.raises(TailraceError, match="may not create databases and roles"):
        engine_postgres.check_external(postgres.dsn("root"))


def test_postgres_given_by_dsn_that_is_too_old(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_postgres, "POSTGRES_MAJOR", 99)
    with pytest.raises(TailraceError, match="is version 18, at least 99 is wanted"):
        engine_postgres.check_external(postgres.dsn())


def test_environment_has_nothing_that_postgres_listens_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("LC_MESSAGES", "de_DE.UTF-8")
    environment = engine_postgres.environment()
    assert "PGPORT" not in environment
    assert "LC_MESSAGES" not in environment


def test_log_is_bounded(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "x.log", limit_bytes=1000)
    for number in range(1000):
        log.feed(f"line {number}\nhalf".encode())
    log.close()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= 1000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_log_of_a_full_disk_drops_lines_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that raises stops whoever collects a child's output, and with it the child, once its pipe is full."""
    path = tmp_path / "x.log"
    log = BoundedLog(path)
    log.feed(b"before\n")
    with FileIO("/dev/full", "ab") as full, monkeypatch.context() as patched:
        patched.setattr(log, "_file", full)
        assert log.feed(b"one\ntwo\nready\n") == ["one", "two", "ready"]
    log.feed(b"after\n")
    log.close()
    assert log.tail()[-2:] == ["ready", "after"]
    assert path.read_text() == "before\n(3 lines are missing: they could not be written)\nafter\n"


def test_log_lines_come_whole(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "x.log")
    assert log.feed(b"rea") == []
    assert log.feed(b"dy\n\xff\r\nmore") == ["ready", "\N{REPLACEMENT CHARACTER}"]
    assert log.tail() == ["ready", "\N{REPLACEMENT CHARACTER}"]
    log.forget()
    assert log.tail() == []
    log.close()
    assert (tmp_path / "x.log").read_bytes() == b"ready\n\xff\r\nmore\n"
