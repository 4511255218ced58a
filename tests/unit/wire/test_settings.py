"""Session variables and what a client may ask for when it connects."""

from __future__ import annotations

import pytest

from engine.wire.access import check_host
from engine.wire.protocol import Startup
from engine.wire.settings import Settings, canonical_name, check_value
from engine.wire.startup import plan_login, reported
from tailrace.errors import TailraceError


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("rw_implicit_flush", "ON", "true"),
        ("background_ddl", "0", "false"),
        ("source_rate_limit", " -1".strip(), "-1"),
        ("query_mode", "LOCAL", "local"),
        ("client_encoding", "UTF-8", "utf8"),
        ("streaming_parallelism", "4", "4"),
        ("standard_conforming_strings", "on", "on"),
    ],
)
def test_values(name: str, value: str, kept: str) -> None:
    assert check_value(canonical_name(name), value) == kept


@pytest.mark.parametrize(
    ("name", "value", "sqlstate"),
    [
        ("rw_implicit_flush", "perhaps", "22023"),
        ("source_rate_limit", "fast", "22023"),
        ("query_mode", "both", "22023"),
        ("client_encoding", "LATIN1", "22023"),
        ("bytea_output", "escape", "22023"),
        ("standard_conforming_strings", "off", "22023"),
        ("server_version", "18", "55P02"),
    ],
)
def test_wrong_values(name: str, value: str, sqlstate: str) -> None:
    with pytest.raises(TailraceError) as caught:
        check_value(canonical_name(name), value)
    assert caught.value.sqlstate == sqlstate


def test_reset_goes_back_to_what_was_asked_for_when_connecting() -> None:
    settings = Settings(startup={"query_mode": "local"})
    settings.reset()
    settings.set("query_mode", "distributed")
    settings.set("rw_implicit_flush", "true")
    assert settings.implicit_flush
    settings.reset("query_mode")
    assert settings.get("query_mode") == "local"
    settings.reset()
    assert not settings.implicit_flush
    assert settings.for_flow()["rw_implicit_flush"] == "false"


def test_login() -> None:
    asked = {
        "user": "root",
        "database": "dev",
        "client_encoding": "SQL_ASCII",
        "application_name": "x",
        "options": r"-c rw_implicit_flush=true -csearch_path=a,\ b --tenant=t -c query-mode=local",
        "_pq_.x": "1",
    }
    login = plan_login(Startup(0, asked))
    assert (login.user, login.database, login.unknown_options) == ("root", "dev", ("_pq_.x",))
    assert login.settings.implicit_flush
    assert login.settings.get("query_mode") == "local"
    assert login.parameters["client_encoding"] == "UTF8"
    assert login.parameters["search_path"] == "a, b"
    assert login.parameters["application_name"] == "x"
    assert "transaction_timeout" in login.parameters["options"]
    assert reported({"server_version": "18.6", "TimeZone": "UTC"}) == {
        "server_version": "13.14.0",
        "TimeZone": "UTC",
    }


@pytest.mark.parametrize(
    ("asked", "sqlstate"),
    [
        ({}, "28000"),
        ({"user": "root", "database": "postgres"}, "3D000"),
        ({"user": "root", "database": "template1"}, "3D000"),
        ({"user": "root", "replication": "database"}, "0A000"),
        ({"user": "root", "nonsense": "1"}, "42704"),
        ({"user": "root", "options": "-c transaction_timeout=0"}, "42704"),
        ({"user": "root", "options": "junk"}, "42601"),
    ],
)
def test_refused_logins(asked: dict[str, str], sqlstate: str) -> None:
    with pytest.raises(TailraceError) as caught:
        plan_login(Startup(0, asked))
    assert caught.value.sqlstate == sqlstate


def test_only_loopback_addresses_without_encryption() -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"):
        check_host(host, encrypted=False)
    for host in ("0.0.0.0", "", "::", "192.168.1.5", "example.com"):
        with pytest.raises(TailraceError, match="refusing to listen"):
            check_host(host, encrypted=False)
        check_host(host, encrypted=True)
