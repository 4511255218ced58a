"""What a client asks for when it connects, made into what PostgreSQL is asked for and the session's first
settings. Pure.

Called by `engine.wire.session` with the decoded start-up packet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.wire.commands import IDLE_IN_TRANSACTION, IDLE_IN_TRANSACTION_MS
from engine.wire.protocol import Startup
from engine.wire.settings import POSTGRES_SETTINGS, SERVER_VERSION, Settings, canonical_name, check_value
from tailrace.errors import TailraceError, UnsupportedFeature

STATEMENT_MS = 30_000
TRANSACTION_MS = 32_000
"""A little more than a statement may take, so that a long statement is cancelled rather than its session ended."""

_LIMITS = (
    f"-c {IDLE_IN_TRANSACTION}={IDLE_IN_TRANSACTION_MS}"
    f" -c transaction_timeout={TRANSACTION_MS} -c statement_timeout={STATEMENT_MS}"
)
_HIDDEN_DATABASES = frozenset({"postgres", "template0", "template1"})
_OPTION = re.compile(r"(?:-c\s*|--)([A-Za-z_.-]+)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Login:
    """`parameters` are for PostgreSQL's StartupMessage; `unknown_options` are protocol options to be declined."""

    user: str
    database: str
    parameters: dict[str, str]
    settings: Settings
    unknown_options: tuple[str, ...]


def plan_login(startup: Startup) -> Login:
    """Check a start-up packet. Raises TailraceError (28000, 3D000, 42704, 22023) for what cannot be had."""
    asked = dict(startup.parameters)
    user = asked.pop("user", "")
    if not user:
        raise TailraceError(
            "no user name given when connecting", sqlstate="28000", hint="connect as root: psql -U root"
        )
    database = asked.pop("database", "") or user
    if database in _HIDDEN_DATABASES or database.startswith("tailrace "):
        raise TailraceError(
            f'database "{database}" does not exist',
            sqlstate="3D000",
            hint="connect to dev, psql -d dev, and SHOW DATABASES",
        )
    if asked.pop("replication", "false").lower() not in {"false", "off", "no", "0"}:
        raise UnsupportedFeature("the replication protocol", hint="read the views with SELECT")
    unknown = tuple(name for name in asked if name.startswith("_pq_."))
    wanted = {name: value for name, value in asked.items() if name not in unknown and name != "options"}
    for name, value in _options(asked.get("options", "")):
        wanted[name] = value
    parameters = {"user": user, "database": database, "client_encoding": "UTF8", "options": _LIMITS}
    settings = Settings()
    for name, value in wanted.items():
        if name.lower() in {
            "client_encoding",
            "tenant",
        }:  # always UTF-8; the tenant is RisingWave Cloud's routing
            continue
        canonical = canonical_name(name)
        checked = check_value(canonical, value)
        settings.startup[canonical] = checked
        if canonical in POSTGRES_SETTINGS:
            parameters[canonical] = checked
    settings.reset()
    return Login(user, database, parameters, settings, unknown)


def _options(text: str) -> list[tuple[str, str]]:
    """libpq's `options`: -c name=value, --name=value; a backslash keeps a space.

    >>> _options("-c rw_implicit_flush=true --search_path=a,\\\\ b")
    [('rw_implicit_flush', 'true'), ('search_path', 'a, b')]
    """
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^\s\\])+", text)]
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "-c":
            joined[-1] = f"-c {word}"
        else:
            joined.append(word)
    found: list[tuple[str, str]] = []
    for word in joined:
        match = _OPTION.fullmatch(word)
        if match is None:
            raise TailraceError(
                f'invalid command-line argument "{word}" in the connection\'s options',
                sqlstate="42601",
                hint="write options='-c name=value'",
            )
        found.append((match[1].replace("-", "_"), match[2]))
    return found


def reported(parameters: dict[str, str]) -> dict[str, str]:
    """ParameterStatus values for the client: PostgreSQL's own, but the version that RisingWave reports."""
    return {**parameters, "server_version": SERVER_VERSION}
