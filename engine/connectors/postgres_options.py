"""Options of connectors postgres and jdbc: which table of which database, and how it is reached. Pure.

Both come to the same options, those of connector postgres; `jdbc.url` must name a PostgreSQL (RisingWave's docs, "Sink data to
PostgreSQL"; the driver's, "Connecting to the Database"). Called by `engine.connectors.sink`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from engine.connectors.option_values import choice, flag, number, required
from engine.connectors.source import InvalidOptionError
from tailrace.errors import UnsupportedFeature

OPTIONS: Final = (
    "host",
    "port",
    "user",
    "password",
    "database",
    "schema",
    "table",
    "ssl_mode",
    "ssl.root.cert",
    "max_batch_rows",
    "tcp.keepalive.enable",
    "tcp.keepalive.idle",
    "tcp.keepalive.interval",
    "tcp.keepalive.count",
)
JDBC_OPTIONS: Final = (
    "jdbc.url",
    "user",
    "password",
    "table.name",
    "schema.name",
    "jdbc.query.timeout",
    "jdbc.auto.commit",
    "batch.insert.rows",
)
BATCH_ROWS: Final = 1_024
_PREFIX: Final = "jdbc:postgresql:"
_SSL_MODES: Final[Mapping[str, str]] = {
    "preferred": "prefer",
    "prefer": "prefer",
    "disabled": "disable",
    "disable": "disable",
    "required": "require",
    "require": "require",
    "verify-ca": "verify-ca",
    "verify-full": "verify-full",
}
_OF_URL: Final[Mapping[str, str]] = {
    "user": "user",
    "password": "password",
    "sslmode": "ssl_mode",
    "sslrootcert": "ssl.root.cert",
    "currentSchema": "schema",
}
"""Parameters of a jdbc.url that mean something here; the driver's others tune the driver."""


def take(given: dict[str, str]) -> dict[str, str]:
    """The options of connector postgres, out of `given`; raises InvalidOptionError."""
    found = {
        "host": required(given, "host", "host = '127.0.0.1'"),
        "port": str(number(given, "port", 5432, 65_535)),
        "user": required(given, "user", "user = 'writer'"),
        "password": given.pop("password", ""),
        "database": required(given, "database", "database = 'app'"),
        "schema": given.pop("schema", "public"),
        "table": required(given, "table", "table = 'devices'"),
        "ssl_mode": _SSL_MODES[choice(given, "ssl_mode", tuple(_SSL_MODES))],
        "ssl.root.cert": given.pop("ssl.root.cert", ""),
        "max_batch_rows": str(number(given, "max_batch_rows", BATCH_ROWS, 100_000)),
    }
    if flag(given, "tcp.keepalive.enable"):
        for option, default in (("idle", 600), ("interval", 10), ("count", 3)):
            found[f"tcp.keepalive.{option}"] = str(number(given, f"tcp.keepalive.{option}", default))
    return found


def take_jdbc(given: dict[str, str]) -> dict[str, str]:
    """The same options out of those of connector jdbc; raises InvalidOptionError, or UnsupportedFeature for other databases."""
    url = required(given, "jdbc.url", "jdbc.url = 'jdbc:postgresql://127.0.0.1:5432/app'")
    found: dict[str, str] = _of_url(url)
    found |= {key: given.pop(key) for key in ("user", "password") if key in given}
    found["table"] = required(given, "table.name", "table.name = 'devices'")
    if "schema.name" in given:
        found["schema"] = given.pop("schema.name")
    timeout_s = str(number(given, "jdbc.query.timeout", 600))
    flag(given, "jdbc.auto.commit")  # a batch is a transaction in any case
    found["max_batch_rows"] = str(number(given, "batch.insert.rows", BATCH_ROWS, 100_000))
    return {**take(found), "timeout_s": timeout_s}


def _of_url(url: str) -> dict[str, str]:
    """What a jdbc.url says, by the options of connector postgres.

    >>> _of_url("jdbc:postgresql://db:5433/app?user=me&password=a%26b&ssl=true")["password"]
    'a&b'
    """
    if not url.startswith(_PREFIX):
        named = ":".join(url.split(":")[:2])
        raise UnsupportedFeature(
            f"jdbc.url of {named}",
            hint="jdbc:postgresql://host:port/database is; reach others through a topic",
        )
    rest = url.removeprefix(_PREFIX)
    try:
        parts = urlsplit(rest if rest.startswith("//") else f"//localhost/{rest.lstrip('/')}")
        host, port = parts.hostname or "localhost", parts.port or 5432
    except ValueError as error:
        raise InvalidOptionError(
            f"jdbc.url is not valid: {error}", hint="write jdbc:postgresql://host:port/database"
        ) from error
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    found = {ours: parameters[theirs] for theirs, ours in _OF_URL.items() if theirs in parameters}
    if parameters.get("ssl", "false").lower() in ("true", ""):
        found.setdefault("ssl_mode", "verify-full")  # what the driver takes it to mean
    user = found.get("user", "postgres")
    database = unquote(parts.path.removeprefix("/")) or user
    return {"user": user, **found, "host": host, "port": str(port), "database": database}
