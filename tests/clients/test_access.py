"""Passwords and encryption at the front door: who gets in, by which proof, and what the others are told."""

from __future__ import annotations

import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from engine import roles
from engine.wire.access import tls_context
from tailrace.errors import TailraceError
from tests.clients.relay import Relay, running_relay
from tests.support.postgres import PostgresServer

USER, PASSWORD = "ann of access", "pässword ☂"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "server.crt"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return path


@pytest.fixture
def user(postgres: PostgresServer, database: str) -> Iterator[str]:
    """A user with a password of its own who may connect to the database."""
    name = conninfo_to_dict(database)["dbname"]
    role = sql.Identifier(USER)
    with psycopg.connect(postgres.layout.dsn(), autocommit=True) as connection:
        roles.make_role(connection, USER, postgres.layout.client_password(), "CREATE ROLE")
        roles.set_password(connection, USER, PASSWORD)
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(str(name)), role)
        )
        yield USER
        connection.execute(
            sql.SQL("REVOKE CONNECT ON DATABASE {} FROM {}").format(sql.Identifier(str(name)), role)
        )
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.fixture
def remote(postgres: PostgresServer, database: str, certificate: Path, tmp_path: Path) -> Iterator[Relay]:
    """A front door that takes every client to be on another machine."""
    layout = postgres.layout
    name = str(conninfo_to_dict(database)["dbname"])
    tls = tls_context(certificate, certificate.with_suffix(".key"))
    arguments = (layout.postgres_endpoint(), layout.client_password(), name, tmp_path)
    with running_relay(*arguments, tls=tls, is_local=lambda _peer: False) as relay:
        yield relay


def connect(relay: Relay, user: str = "root", **options: str) -> psycopg.Connection:
    return psycopg.connect(relay.url, user=user, autocommit=True, **options)


def test_a_password_is_asked_for_and_judged(relay: Relay, user: str) -> None:
    with connect(relay, user, password=PASSWORD) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (USER,)
        assert connection.pgconn.used_password
    with pytest.raises(psycopg.OperationalError, match="password authentication failed") as caught:
        connect(relay, user, password="wrong")
    assert "ALTER USER" in str(caught.value)
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        connect(relay, user)
    with connect(relay) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("root",)


def test_a_password_can_be_taken_away(relay: Relay, postgres: PostgresServer, user: str) -> None:
    with psycopg.connect(postgres.layout.dsn(), autocommit=True) as connection:
        assert roles.has_own_password(connection, user)
        roles.forget_password(connection, user, postgres.layout.client_password())
        assert not roles.has_own_password(connection, user)
    with connect(relay, user) as connection:
        assert not connection.pgconn.used_password


def test_another_machine_has_to_encrypt_and_to_know_a_password(
    remote: Relay, user: str, certificate: Path
) -> None:
    trust = {"sslmode": "verify-full", "sslrootcert": str(certificate)}
    with connect(remote, user, password=PASSWORD, **trust) as connection:
        assert connection.execute("SELECT count(*) FROM generate_series(1, 100000)").fetchone() == (100000,)
        assert connection.pgconn.ssl_in_use
    with pytest.raises(psycopg.OperationalError, match="have to be encrypted"):
        connect(remote, user, password=PASSWORD, sslmode="disable")
    for nobody in ("root", "nobody of access"):
        with pytest.raises(psycopg.OperationalError, match="cannot connect from another machine"):
            connect(remote, nobody, password=PASSWORD, **trust)


def test_what_was_sent_in_the_clear_behind_the_wish_to_encrypt_is_not_believed(remote: Relay) -> None:
    wish = struct.pack("!ii", 8, 80877103)
    with socket.create_connection(("127.0.0.1", remote.port), timeout=10) as raw:
        raw.sendall(wish + b"somebody else's")
        assert b"unencrypted data" in raw.recv(1000)


def test_a_client_that_gives_up_in_the_middle_leaves_nothing(remote: Relay) -> None:
    with socket.create_connection(("127.0.0.1", remote.port), timeout=10) as raw:
        raw.sendall(struct.pack("!ii", 8, 80877103))
        assert raw.recv(1) == b"S"
        raw.sendall(b"no TLS at all, but long enough to look at" * 10)
        raw.recv(1000)
        assert raw.recv(1000) == b""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", remote.port), timeout=10) as raw:
        raw.sendall(struct.pack("!ii", 8, 80877103))
        raw.recv(1)
        with context.wrap_socket(raw, server_hostname="localhost") as encrypted:
            assert encrypted.version() in {"TLSv1.2", "TLSv1.3"}


def test_files_that_will_not_do(certificate: Path, tmp_path: Path) -> None:
    key = certificate.with_suffix(".key")
    (tmp_path / "text").write_text("no key")
    for pair in (
        (certificate, None),
        (certificate, tmp_path / "none"),
        (certificate, tmp_path / "text"),
        (key, certificate),
    ):
        with pytest.raises(TailraceError) as caught:
            tls_context(*pair)
        assert caught.value.hint
