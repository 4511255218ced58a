"""Options of connector http: where rows are posted, and with which headers. Pure; called by `engine.connectors.sink`.

A sink of one column posts it to `url`. With more, they are `payload` and `url`, the latter in place of the option (RisingWave's
docs, "Sink data to HTTP endpoints").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from engine.connectors.source import InvalidOptionError
from engine.operators.base import Column
from tailrace.errors import InvalidStatement

OPTIONS: Final = ("url", "content_type", "header.<name>")
HEADER: Final = "header."
_TEXT: Final = ("character varying", "text")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def take(given: dict[str, str], columns: Sequence[Column]) -> dict[str, str]:
    """The connector's own options, out of `given`; raises InvalidOptionError or InvalidStatement."""
    url = given.pop("url", "").strip()
    _check_columns([c.name for c in columns], url)
    payload = column_of(columns, "payload")
    if payload.type not in (*_TEXT, "jsonb"):
        raise InvalidStatement(
            f"HTTP sink payload column must be varchar or jsonb, got {payload.type}",
            sqlstate="42804",
            hint=f"select {payload.name}::varchar, or a document: to_jsonb(...) AS payload",
        )
    if not url and column_of(columns, "url").type not in _TEXT:
        raise InvalidStatement(
            f"HTTP sink url column must be varchar, got {column_of(columns, 'url').type}", sqlstate="42804"
        )
    if url and not is_url(url):
        raise InvalidOptionError(f"invalid URL '{url}'", hint="write url = 'https://host/path'")
    kind = given.pop("content_type", "application/json" if payload.type == "jsonb" else "text/plain")
    headers = {key: given.pop(key) for key in list(given) if key.startswith(HEADER)}
    for key, value in {HEADER + "content-type": kind, **headers}.items():
        if not _NAME.fullmatch(key.removeprefix(HEADER)) or not value.isprintable() or not value.isascii():
            raise InvalidOptionError(
                f"invalid header '{key.removeprefix(HEADER)}'", hint="names and values are printable ASCII"
            )
    return {"url": url, "content_type": kind, **headers}


def column_of(columns: Sequence[Column], name: str) -> Column:
    """Of a checked sink, the column that is the payload or the address."""
    return columns[0] if len(columns) == 1 else next(c for c in columns if c.name == name)


def is_url(text: str) -> bool:
    """Whether it is an address that can be posted to.

    >>> is_url("https://example.com/hook"), is_url("example.com"), is_url("http://host:port/")
    (True, False, False)
    """
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def headers_of(options: Mapping[str, str]) -> dict[str, str]:
    """What every request carries, names in lower case."""
    given = {k.removeprefix(HEADER): v for k, v in options.items() if k.startswith(HEADER)}
    return {"content-type": options["content_type"], "user-agent": "tailrace", **given}


def _check_columns(names: Sequence[str], url: str) -> None:
    if len(names) == 1:
        if not url:
            raise InvalidOptionError(
                "HTTP sink requires url option when schema has exactly 1 column",
                hint="write url = 'https://host/path'",
            )
        return
    other = next((name for name in names if name not in ("payload", "url")), None)
    if other is not None:
        raise InvalidStatement(
            f"HTTP sink with multiple columns only supports payload and url columns, got {other}",
            hint="put them into one: CREATE SINK ... AS SELECT jsonb_build_object('a', a, 'b', b) AS payload FROM ...",
        )
    if "payload" not in names:
        raise InvalidStatement("HTTP sink with multiple columns requires a payload column")
    if url and "url" in names:
        raise InvalidOptionError(
            "HTTP sink url option cannot coexist with url column", hint="leave out one of them"
        )
    if not url and "url" not in names:
        raise InvalidOptionError("HTTP sink requires either url option or url column")
