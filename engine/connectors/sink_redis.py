"""A Redis, or a cluster of them, as a sink's target: commands in a pipeline, a batch at a time, in the order of the log.

A string is SET under its key and deleted with its row, a member of a geospatial set likewise; channels and streams are not told
of rows that go. At least once: strings and members are the same when they are written again, messages and entries come twice
after a kill. A command that Redis refuses for what it holds (another type under the key, a place beyond the earth) is set aside;
anything else (no answer, no memory, no rights) is tried again. Used by the delivery process; `check_redis` by the DDL.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import redis
from psycopg import sql
from redis.backoff import NoBackoff
from redis.retry import Retry

from engine.compile.sink import DELETE, UPDATE_DELETE, log_columns
from engine.connectors.redis_options import pieces, urls_of
from engine.connectors.sink import SinkSpec
from engine.connectors.sink_json import row_expression
from engine.connectors.sink_target import Batch, Change, DeliveryError, DeliveryStopped, Refused
from engine.operators.base import Column
from tailrace.errors import TailraceError

BATCH_ROWS: Final = 2_000
CONNECT_S: Final = 5.0
ANSWER_S: Final = 10.0
_OF_THE_ROW: Final = (
    "WRONGTYPE",
    "invalid longitude",
    "value is not a valid float",
    "string exceeds maximum",
)
Command = tuple[str, ...]


def check_redis(name: str, spec: SinkSpec) -> None:
    """Raises TailraceError where no Redis answers, or not to this user."""
    url = spec.options["redis.url"]
    try:
        client = _connect(url)
        client.ping()
        client.close()
    except (redis.RedisError, OSError, ValueError) as error:
        raise TailraceError(
            f"sink {name}: Redis at {shown(url)} does not let it in: {error}",
            sqlstate="08001",
            hint="check redis.url: redis://[user:password@]host:6379/[database]",
        ) from error


class RedisTarget:
    """One sink's connection."""

    batch_rows = BATCH_ROWS
    linger_s = 0.0

    def __init__(self, spec: SinkSpec, columns: Sequence[Column], stop: threading.Event) -> None:
        self.select: Sequence[str] = select(spec, columns)
        self._kind = spec.options.get("redis_value_type", "string")
        self._url, self._stop = spec.options["redis.url"], stop
        try:
            self._client = _connect(self._url)
        except (redis.RedisError, OSError) as error:
            raise self._refuses(error) from error

    def deliver(self, batch: Batch) -> None:
        """See `Target`."""
        if self._stop.is_set():
            raise DeliveryStopped
        pipeline = self._client.pipeline(transaction=False)
        sent: list[int] = []
        for seq, command in self._commands(batch):
            pipeline.execute_command(*command)
            sent.append(seq)
        try:
            answers = pipeline.execute(raise_on_error=False)
        except (redis.RedisError, OSError) as error:
            raise self._refuses(error) from error
        for seq, answer in zip(sent, answers, strict=True):
            if not isinstance(answer, Exception):
                continue
            if not any(said in str(answer) for said in _OF_THE_ROW):
                batch.reached.refused.clear()  # all of it is sent again
                raise self._refuses(answer)
            batch.reached.refused.append(Refused(seq, f"Redis: {answer}"))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _commands(self, batch: Batch) -> Iterator[tuple[int, Command]]:
        for change in batch.changes:
            command = _command(self._kind, change)
            if command is None:
                continue
            if None in command:
                batch.reached.refused.append(Refused(change.seq, _missing(self._kind), "22004"))
                continue
            yield change.seq, command

    def _refuses(self, error: Exception) -> DeliveryError:
        return DeliveryError(f"Redis at {shown(self._url)} does not take commands: {error}")


def select(spec: SinkSpec, columns: Sequence[Column]) -> list[str]:
    """The SQL expressions of a change's values: what identifies it, then what it is, as text."""
    options = spec.options
    listed = {column.name: (name, column) for name, column in log_columns(columns)}
    if spec.encode == "json":
        key = [listed[name] for name in spec.primary_key]
        bare = spec.key_encode == "text"
        return [
            f"{key[0][0]}::text" if bare else row_expression(key, spec),
            row_expression(list(listed.values()), spec),
        ]

    def place(option: str) -> str:
        fixed = options.get(option)
        return _literal(fixed) if fixed else listed[options[f"{option}_column"]][0]

    kind = options["redis_value_type"]
    made = {o: text_expression(options[o], listed) for o in ("key_format", "value_format") if o in options}
    if kind == "string":
        return [made["key_format"], made["value_format"]]
    if kind == "geospatial":
        named = [f"{listed[options[option]][0]}::text" for option in ("longitude", "latitude", "member")]
        return [made["key_format"], named[2], named[0], named[1]]
    if kind == "pubsub":
        return [place("channel"), made["value_format"]]
    return [place("stream"), made["key_format"], made["value_format"]]


def text_expression(template: str, listed: dict[str, tuple[str, Column]]) -> str:
    """SQL of a template's text, a NULL being NULL and a boolean t or f, as RisingWave writes them.

    >>> text_expression("v:{v}", {"v": ("v1", Column("v", "integer"))})
    "concat('v:', coalesce(v1::text, 'NULL'))"
    """
    parts = []
    for text, is_column in pieces(template):
        if not is_column:
            parts.append(_literal(text))
            continue
        x, column = listed[text]
        shown_as = f"left({x}::text, 1)" if column.type == "boolean" else f"{x}::text"
        parts.append(f"coalesce({shown_as}, 'NULL')")
    return f"concat({', '.join(parts)})"


def shown(url: str) -> str:
    """The address without user and password.

    >>> shown("redis://:secret@cache:6379/1"), shown('["redis://a:1/", "redis://b:2/"]')
    ('cache:6379', 'a:1, b:2')
    """
    parts = [urlsplit(one) for one in urls_of(url)[0]]
    return ", ".join(f"{p.hostname}:{p.port or 6379}" for p in parts)


def _connect(url: str) -> Any:
    urls, cluster = urls_of(url)
    limits: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_S,
        "socket_timeout": ANSWER_S,
        "client_name": "tailrace",
    }
    if cluster:
        return redis.RedisCluster.from_url(urls[0], **limits)
    return redis.Redis.from_url(urls[0], retry=Retry(NoBackoff(), 0), **limits)


def _command(kind: str, change: Change) -> Command | None:
    """The command for a change; None where there is nothing to say, as of an update's old row: the new one follows."""
    values: tuple[str, ...] = change.values
    if change.op == UPDATE_DELETE:
        return None
    if change.op == DELETE:
        gone: dict[str, Command] = {"string": ("DEL", *values[:1]), "geospatial": ("ZREM", *values[:2])}
        return gone.get(kind)
    if kind == "geospatial":
        key, member, longitude, latitude = values
        return "GEOADD", key, longitude, latitude, member
    if kind == "stream":
        return "XADD", values[0], "*", *values[1:]
    return ("PUBLISH" if kind == "pubsub" else "SET"), *values


def _missing(kind: str) -> str:
    what = {"geospatial": "longitude, latitude or member", "pubsub": "channel", "stream": "stream"}
    return f"the row's {what.get(kind, 'key')} is NULL"


def _literal(text: str) -> str:
    return sql.Literal(text).as_string(None)
