"""What a Kafka source is, as values: its columns, its options, where reading stands, and what one read hands
over.

No I/O here. `source_spec` turns the WITH options of CREATE SOURCE into a `SourceSpec`; options are
RisingWave's (its docs, "Kafka configuration options"), and whatever is not honoured is refused by name, never
ignored. Called by the flow when a source is created and when it starts again from the catalog; the reader
(kafka.py) and the decoder (decode.py) take the spec.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine.connectors.external import ENCODES, ExternalSchema
from engine.connectors.formats import Format
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature

Composites = Mapping[str, Sequence[tuple[str, str]]]
"""By name of a composite type, its fields' names and types, as `FIELD_TYPES` has them."""
Maps = Mapping[str, tuple[str, str]]
"""By name of a map type, the types of its keys and of its values."""

FIELD_TYPES: Final = frozenset(
    {
        "smallint",
        "integer",
        "bigint",
        "real",
        "double precision",
        "numeric",
        "boolean",
        "varchar",
        "text",
        "bytea",
        "timestamp",
        "timestamptz",
        "date",
        "time",
        "interval",
        "jsonb",
    }
)
"""PostgreSQL type names a column taken from a JSON message may have."""

INCLUDE_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "key": frozenset({"bytea", "varchar", "text"}),
    "partition": frozenset({"varchar", "text", "smallint", "integer", "bigint"}),
    "offset": frozenset({"varchar", "text", "integer", "bigint"}),
    "timestamp": frozenset({"timestamptz"}),
    "payload": frozenset({"jsonb"}),
    "header": frozenset({"bytea", "varchar", "text"}),
    "op": frozenset({"smallint"}),
}

_ALIASES: Final = {
    "kafka.brokers": "properties.bootstrap.server",
    "kafka.topic": "topic",
    "kafka.scan.startup.mode": "scan.startup.mode",
    "kafka.time.offset": "scan.startup.timestamp.millis",
    "scan.startup.timestamp_millis": "scan.startup.timestamp.millis",
}
_OWN_OPTIONS: Final = (
    "connector",
    "topic",
    "properties.bootstrap.server",
    "scan.startup.mode",
    "scan.startup.timestamp.millis",
    "group.id.prefix",
)
RATE_LIMIT: Final = "source_rate_limit"
"""The option by which a source is throttled from its creation on."""
_KNOWN_BUT_UNSUPPORTED: Final = {
    "properties.enable.auto.commit": "leave it out: offsets are kept with the state they made, not in a group",
    "timestamptz.handling.mode": "leave it out: strings with an offset and numbers of s, ms, us, ns are understood",
}
CLIENT_PROPERTIES: Final = frozenset(
    {
        "client.id",
        "security.protocol",
        "ssl.ca.location",
        "ssl.ca.pem",
        "ssl.certificate.location",
        "ssl.certificate.pem",
        "ssl.key.location",
        "ssl.key.pem",
        "ssl.key.password",
        "ssl.endpoint.identification.algorithm",
        "enable.ssl.certificate.verification",
        "sasl.mechanism",
        "sasl.username",
        "sasl.password",
        "sasl.kerberos.service.name",
        "sasl.kerberos.keytab",
        "sasl.kerberos.principal",
        "sasl.kerberos.kinit.cmd",
        "sasl.kerberos.min.time.before.relogin",
        "sasl.oauthbearer.config",
    }
)
"""What every Kafka client may be told: who it is and how it is let in."""
_PASSED_ON: Final = CLIENT_PROPERTIES | frozenset(
    {
        "message.max.bytes",
        "receive.message.max.bytes",
        "queued.min.messages",
        "queued.max.messages.kbytes",
        "fetch.wait.max.ms",
        "fetch.queue.backoff.ms",
        "fetch.max.bytes",
        "fetch.message.max.bytes",
        "fetch.min.bytes",
        "reconnect.backoff.ms",
        "reconnect.backoff.max.ms",
        "retry.backoff.ms",
        "retry.backoff.max.ms",
        "socket.connection.setup.timeout.ms",
        "socket.keepalive.enable",
    }
)
"""librdkafka properties that `properties.<name>` hands on unchanged (librdkafka's CONFIGURATION.md)."""


class InvalidOptionError(TailraceError):
    """An option of CREATE SOURCE that is missing or has a value that cannot be."""

    sqlstate = "22023"


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """One column: `type` is a PostgreSQL type name; `origin` says which part of the message fills it."""

    name: str
    type: str
    origin: str
    """'field' (the message's value), or what INCLUDE named: 'key' 'partition' 'offset' 'timestamp'
    'payload' 'header'; besides, for the flow's own use, 'op' (what the message does to its row: 1 comes, 2 goes), and over
    ENCODE BYTES the value as 'text' (varchar) or 'json' (jsonb), NULL where it is not beyond doubt one.
    """
    header: str = ""
    """Whose value INCLUDE header takes; '' takes all, as an array of structs."""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A Kafka source, complete: all that reading it needs."""

    name: str
    topic: str
    bootstrap: str
    startup: str
    """'earliest', 'latest' or a time in ms since 1970: where a new source starts; resolved once, at creation."""
    encode: str
    """'json', 'bytes', 'csv', 'avro' or 'protobuf'."""
    columns: tuple[SourceColumn, ...]
    properties: Mapping[str, str]
    """librdkafka properties to set besides the reader's own; a generator's options."""
    connector: str = "kafka"
    """'kafka', or a generator: 'datagen', 'nexmark'."""
    composites: Composites = field(default_factory=dict)
    """Of the types that columns have, or fields and elements within."""
    format: str = "plain"
    """'plain', 'upsert', 'debezium' or 'debezium_mongo': see `engine.connectors.formats`."""
    handling: Mapping[str, str] = field(default_factory=dict)
    """The options of ENCODE."""
    key: tuple[str, ...] = ()
    """Columns without which a message is none: the primary key of the table that its changes are for."""
    maps: Maps = field(default_factory=dict)
    """Of the types that columns have, as `composites`."""
    schema: ExternalSchema | None = None
    """What ENCODE AVRO and ENCODE PROTOBUF read by."""

    def types(self) -> list[str]:
        """The columns' type names, for psycopg's `Copy.set_types`."""
        return [column.type for column in self.columns]


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading of one partition stands: `offset` is the next one to read, in the topic that has this
    id.
    """

    topic_id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class NewGeneration:
    """The topic's name now stands for another topic: it was re-created, or a memory-only broker started
    again.
    """

    topic: str
    old_id: str
    new_id: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A message of which no row could be made, and why."""

    partition: int
    offset: int
    reason: str


@dataclass(slots=True)
class Batch:
    """Rows of one generation of a topic, and where reading stands once they are stored."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    """Values in the order of `SourceSpec.columns`, ready for binary COPY with `SourceSpec.types()`."""
    positions: dict[int, Position] = field(default_factory=dict)
    """By partition, the position after this batch; only partitions that moved."""
    skipped: int = 0
    """Messages of which no row could be made (ENCODE JSON: not a JSON object)."""
    nulled: int = 0
    """Values that became NULL because they do not fit their column's type."""
    new_generations: list[NewGeneration] = field(default_factory=list)
    """Recorded before the rows: `positions` then holds every partition's start in the new topic."""
    rejects: list[Reject] = field(default_factory=list)
    """The first of those that were skipped, with their reasons, where an encoding gives reasons."""


def source_spec(
    name: str,
    columns: Sequence[SourceColumn],
    options: Mapping[str, str],
    format_: Format,
    *,
    composites: Composites | None = None,
    maps: Maps | None = None,
    key: Sequence[str] = (),
    schema: ExternalSchema | None = None,
) -> SourceSpec:
    """Check the options of CREATE SOURCE and gather it; `format_` has been checked. Raises InvalidOptionError (22023) or
    UnsupportedFeature (0A000), naming the option.
    """
    given = {
        _ALIASES.get(key.strip().lower(), key.strip().lower()): str(value) for key, value in options.items()
    }
    connector = given.pop("connector", None)
    if connector is None:
        raise InvalidOptionError("option connector is missing", hint="write connector = 'kafka'")
    if connector.lower() != "kafka":
        raise UnsupportedFeature(
            f"connector '{connector}'", hint="use connector = 'kafka', 'datagen' or 'nexmark'"
        )
    given.pop(RATE_LIMIT, None)  # the flow's, which takes no more than that from the reader
    topic = _required(given, "topic", "topic = 'telemetry.readings'")
    bootstrap = _required(
        given, "properties.bootstrap.server", "properties.bootstrap.server = '127.0.0.1:9092'"
    )
    startup = given.pop("scan.startup.mode", "earliest").lower()
    if startup not in {"earliest", "latest"}:
        hint = "use 'earliest' or 'latest'"
        raise InvalidOptionError(f"scan.startup.mode cannot be '{startup}'", hint=hint)
    since = given.pop("scan.startup.timestamp.millis", "").strip()
    if since and not since.isdecimal():
        raise InvalidOptionError(
            f"scan.startup.timestamp.millis cannot be '{since}'",
            hint="milliseconds since 1970: '1678886400000'",
        )
    startup = since or startup
    properties = _properties(given)
    encode = format_.encode
    composites, maps = composites or {}, maps or {}
    checked = tuple(_checked(column, encode, composites, maps) for column in columns)
    fields = [column for column in checked if column.origin == "field"]
    if encode == "bytes" and [column.type for column in fields] != ["bytea"]:
        raise InvalidStatement(
            "ENCODE BYTES takes exactly one column of type bytea",
            detail=f"got {', '.join(f'{c.name} {c.type}' for c in fields) or 'none'}",
            hint="CREATE SOURCE s (data bytea) INCLUDE partition ... FORMAT PLAIN ENCODE BYTES",
        )
    return SourceSpec(
        name, topic, bootstrap, startup, encode, checked, properties,
        composites=composites, format=format_.name, handling=dict(format_.options), key=tuple(key), maps=maps, schema=schema,
    )  # fmt: skip


def _required(given: dict[str, str], option: str, example: str) -> str:
    value = given.pop(option, "").strip()
    if not value:
        raise InvalidOptionError(f"option {option} is missing", hint=f"write {example}")
    return value


def _properties(given: Mapping[str, str]) -> dict[str, str]:
    properties: dict[str, str] = {}
    for option, value in given.items():
        bare = option.removeprefix("properties.")
        if option == "properties.enable.auto.commit" and value.lower() == "false":
            continue  # nothing is committed anyway
        if option in _KNOWN_BUT_UNSUPPORTED:
            raise UnsupportedFeature(f"option {option}", hint=_KNOWN_BUT_UNSUPPORTED[option])
        if option == "group.id.prefix":
            properties["group.id"] = value
        elif bare != option and bare in _PASSED_ON:
            properties[bare] = value
        else:
            known = [*_OWN_OPTIONS, *(f"properties.{each}" for each in sorted(_PASSED_ON))]
            close = difflib.get_close_matches(option, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"supported: {', '.join(known)}"
            raise UnsupportedFeature(f"option {option}", hint=hint)
    return properties


_SHORT_TYPES: Final = {
    "character varying": "varchar",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time without time zone": "time",
}


def short_type(type_: str) -> str:
    """A type's name as `FIELD_TYPES` has it; arrays of it likewise."""
    if type_.endswith("[]"):
        return short_type(type_.removesuffix("[]")) + "[]"
    return _SHORT_TYPES.get(type_.lower(), type_.lower())


def unfit_type(type_: str, composites: Composites, maps: Maps | None = None) -> str | None:
    """The type itself, or one within an array, a struct or a map, that no value is read as; None when all are known."""
    maps = maps or {}
    if type_.endswith("[]"):
        return unfit_type(type_.removesuffix("[]"), composites, maps)
    inner = [kind for _, kind in composites.get(type_, ())] + list(maps.get(type_, ()))
    if type_ in composites or type_ in maps:
        return next(filter(None, (unfit_type(kind, composites, maps) for kind in inner)), None)
    return None if type_ in FIELD_TYPES else type_


def _checked(column: SourceColumn, encode: str, composites: Composites, maps: Maps) -> SourceColumn:
    type_ = short_type(column.type)
    if column.origin == "field":
        if unfit := unfit_type(type_, composites, maps if encode in ENCODES else None):
            supported = ", ".join(sorted(FIELD_TYPES))
            hint = f"read it as varchar or jsonb and cast it in a view; supported: {supported}"
            if unfit.startswith("rw.map_"):
                unfit = "map"
                hint = (
                    "read it as jsonb, and make the map in a view: jsonb_populate_map(NULL::map(...), column)"
                )
            raise UnsupportedFeature(f"type {unfit} of source column {column.name}", hint=hint)
    elif column.origin not in INCLUDE_TYPES:
        hint = f"INCLUDE takes {', '.join(INCLUDE_TYPES)}"
        raise UnsupportedFeature(f"INCLUDE {column.origin}", hint=hint)
    elif column.origin == "header" and not column.header and type_.endswith("[]"):
        pass  # all headers, of the struct that they have
    elif type_ not in INCLUDE_TYPES[column.origin]:
        hint = f"use {' or '.join(sorted(INCLUDE_TYPES[column.origin]))}"
        raise UnsupportedFeature(f"type {column.type} for INCLUDE {column.origin}", hint=hint)
    elif column.origin == "payload" and encode != "json":
        raise InvalidStatement(
            f"INCLUDE payload is only allowed when using ENCODE JSON, but got ENCODE {encode.capitalize()}",
            hint="the bytea column holds it already" if encode == "bytes" else None,
        )
    return SourceColumn(column.name, type_, column.origin, column.header)
