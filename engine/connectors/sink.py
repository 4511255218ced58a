"""What a sink is, as values: where it delivers, in which form, keyed by what.

No I/O here. `sink_spec` turns a CREATE SINK statement into a `SinkSpec`. Option names are RisingWave's (its docs, "Sink to
Kafka", "CREATE SINK INTO", its file sink); whatever is not honoured is refused by name, never ignored. Called by the
DDL; the delivery process takes the spec from the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from engine.connectors import http_options, postgres_options, redis_options
from engine.connectors.external import ENCODES, ExternalSchema
from engine.connectors.option_values import choice as _choice
from engine.connectors.option_values import flag as _flag
from engine.connectors.option_values import nothing_left
from engine.connectors.option_values import number as _number
from engine.connectors.option_values import required as _required
from engine.connectors.source import CLIENT_PROPERTIES, Composites, InvalidOptionError, Maps
from engine.operators.base import Column
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.sinks import CreateSink

_PRODUCER_PROPERTIES: Final = CLIENT_PROPERTIES | frozenset(
    {
        "batch.num.messages",
        "batch.size",
        "compression.codec",
        "compression.type",
        "linger.ms",
        "max.in.flight.requests.per.connection",
        "message.max.bytes",
        "message.send.max.retries",
        "message.timeout.ms",
        "queue.buffering.max.kbytes",
        "queue.buffering.max.messages",
        "queue.buffering.max.ms",
        "receive.message.max.bytes",
        "reconnect.backoff.max.ms",
        "reconnect.backoff.ms",
        "request.required.acks",
        "request.timeout.ms",
        "retry.backoff.max.ms",
        "retry.backoff.ms",
        "socket.connection.setup.timeout.ms",
        "socket.keepalive.enable",
        "socket.timeout.ms",
    }
)
"""librdkafka properties that `properties.<name>` hands on unchanged (librdkafka's CONFIGURATION.md)."""

AUTO_CREATE: Final = "allow.auto.create.topics"
"""The property by which a sink's topic is made if it is not there."""

PARTITIONED: Final = "path_partition_prefix"
_ALIASES: Final = {"kafka.brokers": "properties.bootstrap.server", "kafka.topic": "topic"}
_COMMON: Final = (
    "connector",
    "type",
    "force_append_only",
    "snapshot",
    "primary_key",
    "ignore_delete",
    "force_compaction",
)
_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "kafka": (*_COMMON, "topic", "properties.bootstrap.server"),
    "fs": (*_COMMON, "fs.path", "rollover_seconds", "max_row_count", PARTITIONED),
    "blackhole": _COMMON,
    "http": (*_COMMON, *http_options.OPTIONS),
    "redis": (*_COMMON, *redis_options.OPTIONS),
    "postgres": (*_COMMON, *postgres_options.OPTIONS),
    "jdbc": (*_COMMON, *postgres_options.JDBC_OPTIONS),
    "table": ("type", "force_append_only", "snapshot", "primary_key", "ignore_delete"),
}
_KNOWN_BUT_UNSUPPORTED: Final = {
    "properties.enable.idempotence": "leave it out: the producer is always idempotent",
    "properties.request.required.acks": "leave it out: a batch is delivered when all replicas have it",
    "properties.max.in.flight.requests.per.connection": "at most 5: the producer is idempotent",
    "path_partition_by": f"{PARTITIONED} = 'day' is its name",
    "sink_decouple": "leave it out: a sink is always decoupled from the barriers by its log",
    "commit_checkpoint_interval": "leave it out: what is durable is delivered at once",
    "auto.schema.change": "DROP the sink and CREATE it anew when its columns have changed",
}
_ENCODES: Final[Mapping[str, tuple[str, ...]]] = {
    "kafka": ("JSON", "AVRO", "PROTOBUF", "BYTES"),
    "fs": ("JSON", "PARQUET"),
    "redis": ("JSON", "TEMPLATE"),
}
_UNFORMATTED: Final = ("blackhole", "http", "postgres", "jdbc")
"""Connectors that take rows as they are, without FORMAT ... ENCODE."""
_CONNECTORS: Final = tuple(name for name in _OPTIONS if name != "table")

ROLLOVER_S: Final = 10
MAX_FILE_ROWS: Final = 10_240


class SinkType(StrEnum):
    """What the target is given: rows only, the newest row of each key, or changes with both sides."""

    APPEND_ONLY = "append-only"
    UPSERT = "upsert"
    DEBEZIUM = "debezium"


_FORMATS: Final = {"PLAIN": SinkType.APPEND_ONLY, "UPSERT": SinkType.UPSERT, "DEBEZIUM": SinkType.DEBEZIUM}


@dataclass(frozen=True, slots=True)
class SinkSpec:
    """A sink, complete: all that delivering needs besides its log. JSON-safe by `to_json`."""

    connector: str
    """'kafka', 'fs', 'http', 'redis', 'postgres', 'jdbc', 'blackhole' or 'table' (INTO)."""
    type: SinkType
    encode: str = ""
    """'json', 'avro', 'protobuf', 'bytes' or 'parquet'; '' for a table."""
    primary_key: tuple[str, ...] = ()
    force_append_only: bool = False
    ignore_delete: bool = False
    """Rows that go are not told of, nor what an update takes away."""
    snapshot: bool = True
    key_encode: str = "json"
    """'json', 'text', 'bytes', or 'avro'."""
    timestamptz_mode: str = "utc_string"
    jsonb_mode: str = "string"
    topic: str = ""
    bootstrap: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    rollover_s: int = ROLLOVER_S
    max_rows: int = MAX_FILE_ROWS
    composites: Composites = field(default_factory=dict)
    """The fields of the structs that columns have, or fields and elements within; types as PostgreSQL calls them."""
    maps: Maps = field(default_factory=dict)
    """Likewise of maps; only encodings with a schema write them."""
    schema: ExternalSchema | None = None
    """What ENCODE AVRO and PROTOBUF write by."""

    options: Mapping[str, str] = field(default_factory=dict)
    """The checked options of a connector that has a module for them, by their names."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for the catalog."""
        return {
            **asdict(self),
            "properties": dict(self.properties),
            "options": dict(self.options),
            "primary_key": list(self.primary_key),
            "composites": {name: [list(f) for f in fields] for name, fields in self.composites.items()},
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> SinkSpec:
        """The reverse of `to_json`."""
        key = tuple(value["primary_key"])
        maps = {name: (of[0], of[1]) for name, of in value.get("maps", {}).items()}
        schema = ExternalSchema.from_json(value.get("schema"))
        kept = {"type": SinkType(value["type"]), "primary_key": key, "maps": maps, "schema": schema}
        return SinkSpec(**{**value, **kept})


def sink_spec(
    statement: CreateSink,
    columns: Sequence[Column],
    *,
    append_only: bool,
    composites: Composites | None = None,
    maps: Maps | None = None,
) -> SinkSpec:
    """Check a statement against the columns of its query and whether that is `append_only`; `composites` and `maps` as SinkSpec
    has them. What ENCODE AVRO and PROTOBUF go by is not looked at.

    Raises InvalidOptionError (22023), InvalidStatement or UnsupportedFeature (0A000), naming the option.
    """
    given = {_ALIASES.get(key, key): value for key, value in statement.options.items()}
    connector = _connector(statement, given)
    format_options = dict(statement.encode_options)
    force = _flag(format_options if "force_append_only" in format_options else given, "force_append_only")
    ignore_delete = _flag(format_options if "ignore_delete" in format_options else given, "ignore_delete")
    type_ = _type(connector, statement, given, append_only=append_only, force=force or ignore_delete)
    key = _primary_key(given, columns)
    if (
        (type_ is not SinkType.APPEND_ONLY or connector == "redis")
        and not key
        and connector not in ("table", "blackhole")
    ):
        raise InvalidOptionError(
            f"primary key not defined for {type_} {connector} sink",
            hint="name its columns: primary_key = 'a,b' in the WITH options",
        )
    if type_ is SinkType.APPEND_ONLY and not append_only and not (force or ignore_delete):
        raise InvalidStatement(
            "The sink cannot be append-only",
            sqlstate="0A000",
            detail="the query updates or deletes rows that it has put out",
            hint="add force_append_only = 'true', which drops updates' old rows and deletes, or use FORMAT UPSERT",
        )
    snapshot = _flag(given, "snapshot", default=True)
    if not snapshot and statement.source is None:
        raise UnsupportedFeature("snapshot = 'false' with AS SELECT", hint="CREATE SINK ... FROM a relation")
    _flag(given, "force_compaction")  # a barrier's changes of a key are always one
    encode = (statement.encode or "").lower()
    if encode == "bytes":
        _check_bytes(type_, columns)
    if encode in ENCODES:
        format_options = {k: v for k, v in format_options.items() if not _is_of_schema(k)}
    spec = SinkSpec(
        connector,
        type_,
        encode,
        key,
        force_append_only=force and not append_only,
        ignore_delete=ignore_delete,
        snapshot=snapshot,
        key_encode=_key_encode(statement, key, columns),
        timestamptz_mode=_choice(
            format_options, "timestamptz.handling.mode", ("utc_string", "utc_without_suffix")
        ),
        jsonb_mode=_choice(format_options, "jsonb.handling.mode", ("string", "dynamic")),
        composites=composites or {},
        maps=maps or {},
        **_target(connector, given),
        options=_own_options(connector, (given, format_options), encode, columns, key),
    )
    template = redis_options.TEMPLATE if encode == "template" else ()
    known = ("force_append_only", "ignore_delete", *_MODES, *template)
    nothing_left("format option", format_options, known, _KNOWN_BUT_UNSUPPORTED)
    nothing_left("option", given, _OPTIONS[connector], _KNOWN_BUT_UNSUPPORTED)
    return spec


def producer_property(option: str) -> str:
    """The name in librdkafka of an option `properties.<name>`; raises UnsupportedFeature for one that is not handed on."""
    bare = option.removeprefix("properties.")
    if bare not in _PRODUCER_PROPERTIES:
        known = [f"properties.{p}" for p in sorted(_PRODUCER_PROPERTIES)]
        nothing_left("option", {option: ""}, known, _KNOWN_BUT_UNSUPPORTED)
    return bare


def _is_of_schema(option: str) -> bool:
    return option.startswith(("schema.", "aws.")) or option in ("message", "key.message", "connection")


_MODES: Final = ("timestamptz.handling.mode", "jsonb.handling.mode")


def _connector(statement: CreateSink, given: dict[str, str]) -> str:
    named = given.pop("connector", None)
    if statement.into is not None:
        if named not in (None, "table"):
            raise InvalidStatement(f"CREATE SINK INTO takes no connector, got '{named}'")
        if statement.format is not None:
            raise InvalidStatement("CREATE SINK INTO takes no FORMAT")
        return "table"
    if named is None:
        raise InvalidOptionError("option connector is missing", hint="write connector = 'kafka' or 'fs'")
    connector = named.lower()
    if connector not in _CONNECTORS:
        known = ", ".join(f"'{name}'" for name in _CONNECTORS)
        raise UnsupportedFeature(f"sink connector '{named}'", hint=f"use one of {known}, or INTO a table")
    return connector


def _type(
    connector: str, statement: CreateSink, given: dict[str, str], *, append_only: bool, force: bool
) -> SinkType:
    named = given.pop("type", None)
    if named is not None and named not in (SinkType.APPEND_ONLY, SinkType.UPSERT):
        raise InvalidOptionError(f"type cannot be '{named}'", hint="use 'append-only' or 'upsert'")
    if connector == "table" or connector in _UNFORMATTED:
        if statement.format is not None and connector != "blackhole":
            raise InvalidStatement(
                f"connector {connector} is not supported by FORMAT ... ENCODE ... syntax",
                hint="leave FORMAT and ENCODE out",
            )
        if named is None and connector not in ("table", "blackhole"):
            raise InvalidOptionError("option type is missing", hint=f"write {_TYPE_OF[connector]}")
        if connector == "http" and named != SinkType.APPEND_ONLY:
            raise InvalidOptionError("HTTP sink only supports append-only mode", hint=_TYPE_OF[connector])
        if named is not None:
            return SinkType(named)
        return SinkType.APPEND_ONLY if append_only or force else SinkType.UPSERT
    if statement.format is None or statement.encode is None:
        raise InvalidStatement(
            f"a {connector} sink needs FORMAT and ENCODE",
            hint="end the statement with FORMAT PLAIN ENCODE JSON, or UPSERT, or DEBEZIUM",
        )
    feature = f"FORMAT {statement.format} ENCODE {statement.encode} of connector {connector}"
    type_ = _FORMATS.get(statement.format)
    if type_ is None or statement.encode not in _ENCODES[connector]:
        raise UnsupportedFeature(feature, hint=f"ENCODE {' or '.join(_ENCODES[connector])}")
    if connector == "redis" and type_ is SinkType.DEBEZIUM:
        raise UnsupportedFeature(feature, hint="FORMAT PLAIN or UPSERT")
    if type_ is SinkType.DEBEZIUM and statement.encode.lower() in ENCODES:
        raise UnsupportedFeature(feature, hint="FORMAT UPSERT, or ENCODE JSON")
    if connector == "fs" and type_ is not SinkType.APPEND_ONLY:
        raise UnsupportedFeature(feature, hint="a file sink takes rows only: FORMAT PLAIN")
    if named is not None and SinkType(named) is not type_:
        raise InvalidStatement(
            f"type = '{named}' contradicts FORMAT {statement.format}", hint="leave type out"
        )
    return type_


def _check_bytes(type_: SinkType, columns: Sequence[Column]) -> None:
    if type_ is not SinkType.APPEND_ONLY:
        raise UnsupportedFeature(f"FORMAT {type_.upper()} ENCODE BYTES", hint="FORMAT PLAIN ENCODE BYTES")
    if [column.type for column in columns] != ["bytea"]:
        raise InvalidStatement(
            "ENCODE BYTES takes exactly one column of type bytea",
            detail=f"got {', '.join(f'{c.name} {c.type}' for c in columns)}",
            hint="CREATE SINK s AS SELECT convert_to(text, 'utf8') AS data FROM ...",
        )


_TYPE_OF: Final = {
    "http": "type = 'append-only'",
    "postgres": "type = 'upsert' or 'append-only'",
    "jdbc": "type = 'upsert' or 'append-only'",
}


def _primary_key(given: dict[str, str], columns: Sequence[Column]) -> tuple[str, ...]:
    listed = [name.strip() for name in given.pop("primary_key", "").split(",")]
    key = tuple(name for name in listed if name)
    known = {column.name for column in columns}
    for name in key:
        if name not in known:
            raise InvalidStatement(
                f'primary key column "{name}" is not a column of the sink',
                sqlstate="42703",
                hint=f"its columns: {', '.join(column.name for column in columns)}",
            )
    return key


def _key_encode(statement: CreateSink, key: tuple[str, ...], columns: Sequence[Column]) -> str:
    of_rows = (statement.encode or "").lower()
    encode = (statement.key_encode or ("AVRO" if of_rows == "avro" else "JSON")).lower()
    if of_rows == "protobuf" and statement.format == "UPSERT" and statement.key_encode is None:
        raise UnsupportedFeature(
            "sink format/encode/key_encode: Upsert Protobuf None", hint="KEY ENCODE TEXT or KEY ENCODE BYTES"
        )
    if encode == "json" or (encode == "avro" and statement.key_encode is None):
        return encode
    if encode not in ("text", "bytes") or (
        encode == "bytes" and statement.encode not in (None, "JSON", "AVRO", "PROTOBUF")
    ):
        raise UnsupportedFeature(f"KEY ENCODE {statement.key_encode}", hint="KEY ENCODE JSON, TEXT or BYTES")
    types = {c.name: c.type for c in columns}
    wanted = ("bytea",) if encode == "bytes" else _TEXT_KEYS
    if len(key) != 1 or types[key[0]] not in wanted:
        got = ", ".join(f"{name} {types[name]}" for name in key) or "no primary_key"
        raise InvalidStatement(
            f"KEY ENCODE {statement.key_encode} needs exactly one primary key column of type {' or '.join(wanted)}",
            detail=f"got {got}",
        )
    return encode


_TEXT_KEYS: Final = ("character varying", "text", "boolean", "smallint", "integer", "bigint")


def _own_options(
    connector: str,
    options: tuple[dict[str, str], dict[str, str]],
    encode: str,
    columns: Sequence[Column],
    key: Sequence[str],
) -> dict[str, str]:
    """The options of connectors that have a module for them, out of those of WITH and those of ENCODE."""
    given, format_options = options
    match connector:
        case "fs":
            return {PARTITIONED: _choice(given, PARTITIONED, ("none", "day", "month", "hour"))}
        case "http":
            return http_options.take(given, columns)
        case "redis":
            return redis_options.take(given, format_options, encode, columns, key)
        case "postgres":
            return postgres_options.take(given)
        case "jdbc":
            return postgres_options.take_jdbc(given)
    return {}


def _target(connector: str, given: dict[str, str]) -> dict[str, Any]:
    if connector == "kafka":
        topic = _required(given, "topic", "topic = 'telemetry.alerts'")
        bootstrap = _required(
            given, "properties.bootstrap.server", "properties.bootstrap.server = '127.0.0.1:9092'"
        )
        return {"topic": topic, "bootstrap": bootstrap, "properties": _properties(given)}
    if connector == "fs":
        path = _required(given, "fs.path", "fs.path = '/var/lib/alerts'")
        if not path.startswith("/"):
            raise InvalidOptionError(f"fs.path must be an absolute path, got '{path}'")
        return {
            "path": path,
            "rollover_s": _number(given, "rollover_seconds", ROLLOVER_S),
            "max_rows": _number(given, "max_row_count", MAX_FILE_ROWS),
        }
    return {}


def _properties(given: dict[str, str]) -> dict[str, str]:
    """What librdkafka is told; what an idempotent producer cannot do stays, to be refused."""
    if _is(given, "enable.idempotence", "true"):
        del given["properties.enable.idempotence"]
    creates = given.pop(f"properties.{AUTO_CREATE}", "false")
    if creates.lower() not in ("true", "false"):
        raise InvalidOptionError(
            f"properties.{AUTO_CREATE} cannot be '{creates}'", hint="use 'true' or 'false'"
        )
    properties = {AUTO_CREATE: "true"} if creates.lower() == "true" else {}
    for option in list(given):
        bare = option.removeprefix("properties.")
        if bare == option or bare not in _PRODUCER_PROPERTIES:
            continue
        if bare == "request.required.acks" and not _is(given, bare, "-1", "all"):
            continue
        if bare == "max.in.flight.requests.per.connection" and not _is(given, bare, *"12345"):
            continue
        properties[bare] = given.pop(option)
    return properties


def _is(given: Mapping[str, str], bare: str, *values: str) -> bool:
    return given.get(f"properties.{bare}", "").lower() in values
