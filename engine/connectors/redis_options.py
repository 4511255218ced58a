"""Options of connector redis: what is written under which key, and as what. Pure; called by `engine.connectors.sink`.

ENCODE JSON writes the row under its key, both as documents. ENCODE TEMPLATE writes text made from the row, `{column}` standing
for a column's value and `\\{`, `\\}` for the braces themselves; `redis_value_type` says what it becomes: a string, a member of a
geospatial set, a message of a channel, an entry of a stream (RisingWave's docs, "Sink data to Redis").
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from engine.connectors.option_values import choice, required
from engine.connectors.source import InvalidOptionError
from engine.operators.base import Column
from tailrace.errors import InvalidStatement

OPTIONS: Final = ("redis.url",)
TEMPLATE: Final = (
    "redis_value_type",
    "key_format",
    "value_format",
    "channel",
    "channel_column",
    "stream",
    "stream_column",
    "longitude",
    "latitude",
    "member",
)
VALUE_TYPES: Final = ("string", "geospatial", "pubsub", "stream")
_PIECE = re.compile(r"\\\}|\\\{|\{([^}]*)\}")
_TEXT: Final = ("character varying", "text")
_COORDINATE: Final = (*_TEXT, "real", "double precision")


def take(
    given: dict[str, str],
    format_options: dict[str, str],
    encode: str,
    columns: Sequence[Column],
    key: Sequence[str],
) -> dict[str, str]:
    """The connector's own options, out of `given` and `format_options`; raises InvalidOptionError or InvalidStatement."""
    found = {"redis.url": required(given, "redis.url", "redis.url = 'redis://127.0.0.1:6379/'")}
    urls_of(found["redis.url"])
    if encode != "template":
        return found
    kind = found["redis_value_type"] = choice(format_options, "redis_value_type", VALUE_TYPES)
    types = {column.name: column.type for column in columns}
    keys = {name: types[name] for name in key}
    if kind != "pubsub":
        found["key_format"] = _template(format_options, "key_format", keys, "primary key column")
    if kind != "geospatial":
        found["value_format"] = _template(format_options, "value_format", types, "column")
    if kind == "geospatial":
        for option in ("longitude", "latitude"):
            found[option] = _column(format_options, option, types, _COORDINATE)
        found["member"] = _column(format_options, "member", keys, _TEXT)
    elif kind != "string":
        found |= _place(format_options, {"pubsub": "channel"}.get(kind, kind), types)
    return found


def urls_of(text: str) -> tuple[list[str], bool]:
    """The addresses, and whether they are a cluster's: a JSON array of them is.

    >>> urls_of('["redis://a:6379/"]'), urls_of("redis://a")
    ((['redis://a:6379/'], True), (['redis://a'], False))
    """
    urls, cluster = [text], False
    if text.startswith("["):
        try:
            urls, cluster = json.loads(text), True
        except ValueError:
            urls = []
    if not urls or not all(isinstance(u, str) and u.startswith(("redis://", "rediss://")) for u in urls):
        raise InvalidOptionError(
            "redis.url is no address of a Redis",
            hint="write redis.url = 'redis://[user:password@]host:6379/', rediss:// for TLS, "
            "or '[\"redis://host:6379/\"]' for a cluster",
        )
    return urls, cluster


def pieces(template: str) -> list[tuple[str, bool]]:
    """A template as text and names of columns (True), in order.

    >>> pieces(r"id:{id} \\{x\\}")
    [('id:', False), ('id', True), (' {x}', False)]
    """
    found: list[tuple[str, bool]] = []
    text, behind = "", 0
    for match in _PIECE.finditer(template):
        text, behind = text + template[behind : match.start()], match.end()
        if match[1] is None:
            text += match[0][1]
            continue
        found += [(text, False)] if text else []
        found.append((match[1], True))
        text = ""
    text += template[behind:]
    return [*found, (text, False)] if text else found


def _template(given: dict[str, str], option: str, columns: Mapping[str, str], what: str) -> str:
    value = given.pop(option, "")
    if not value:
        raise InvalidOptionError(
            f"Cannot find '{option}', please set it or use JSON", hint=f"write {option} = 'device:{{id}}'"
        )
    if not _PIECE.search(value):
        raise InvalidOptionError(f"Can't find {{}} in {option}", hint="write {column} for a column's value")
    for name, is_column in pieces(value):
        if is_column and name not in columns:
            raise InvalidStatement(
                f"Can't find field({name!r}) in {option}: it is no {what}",
                sqlstate="42703",
                hint=f"there are: {', '.join(columns)}",
            )
    return value


def _column(given: dict[str, str], option: str, columns: Mapping[str, str], types: Sequence[str]) -> str:
    name = given.pop(option, "")
    if not name:
        raise InvalidOptionError(f"Cannot find `{option}`", hint=f"write {option} = 'column'")
    if columns.get(name) not in types:
        of_key = " of the primary key" if option == "member" else ""
        raise InvalidOptionError(
            f"`{option}` must be a column{of_key} of type {' or '.join(types)}, got {name}"
        )
    return name


def _place(given: dict[str, str], option: str, types: Mapping[str, str]) -> dict[str, str]:
    """Where messages go: one place for all, or a column's value."""
    fixed, column = given.pop(option, ""), given.pop(f"{option}_column", "")
    if bool(fixed) == bool(column):
        raise InvalidOptionError(
            f"`{option}` and `{option}_column` only one can be set", hint=f"write {option} = 'alerts'"
        )
    if column and types.get(column) not in _TEXT:
        raise InvalidOptionError(f"`{option}_column` must be a varchar column, got {column}")
    return {option: fixed} if fixed else {f"{option}_column": column}
