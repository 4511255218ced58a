"""FORMAT and ENCODE of a source: which there are, what each asks of columns and key, its options. Pure.

PLAIN makes each message a row that comes. The others make it a change: UPSERT by the message's key, DEBEZIUM by a change
event of Debezium's, DEBEZIUM_MONGO by one of its MongoDB connector. What is missing is said in RisingWave's words.
Source: RisingWave docs, "Formats and encoding" and CREATE SOURCE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.connectors.registry import STRATEGIES
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature

PLAIN, UPSERT, DEBEZIUM, DEBEZIUM_MONGO = "plain", "upsert", "debezium", "debezium_mongo"
_SHOWN: Final = {
    PLAIN: "Plain", UPSERT: "Upsert", DEBEZIUM: "Debezium", DEBEZIUM_MONGO: "DebeziumMongo", "native": "Native",
    "maxwell": "Maxwell", "canal": "Canal", "none": "None",
}  # fmt: skip
"""As RisingWave's errors call the formats."""
_KAFKA: Final[Mapping[str, tuple[str, ...]]] = {
    PLAIN: ("json", "protobuf", "avro", "bytes", "csv"),
    UPSERT: ("json", "avro", "protobuf"),
    DEBEZIUM: ("json", "avro"),
    DEBEZIUM_MONGO: ("json",),
}
"""What RisingWave reads from Kafka."""
_EXTERNAL: Final = ("avro", "protobuf")
"""Those whose columns a schema outside gives."""
TIMESTAMPTZ_MODE: Final = "timestamptz.handling.mode"
TIMESTAMPTZ_MODES: Final = ("guess_number_unit", "milli", "micro", "utc_string", "utc_without_suffix")
_DELIMITERS: Final = {",": ",", ";": ";", "\t": "\t", "\\t": "\t"}
_OPTIONS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    (PLAIN, "json"): (TIMESTAMPTZ_MODE,),
    (PLAIN, "csv"): ("delimiter", "without_header"),
    (UPSERT, "json"): (TIMESTAMPTZ_MODE,),
    (DEBEZIUM, "json"): (TIMESTAMPTZ_MODE, "ignore_key"),
}
_REGISTRY: Final = (
    "schema.registry",
    "schema.registry.username",
    "schema.registry.password",
    "schema.registry.ca_pem_path",
    "schema.registry.name.strategy",
    "schema.location",
    "connection",
    "message",
    "key.message",
)
_OF_SCHEMA: Final[Mapping[str, tuple[str, ...]]] = {
    "avro": (*_REGISTRY, "map.handling.mode", "ignore_key", "with_deprecated_file_header"),
    "protobuf": (*_REGISTRY, "messages_as_jsonb"),
}
"""The options of ENCODE that are honoured."""
_MONGO_IDS: Final = ("jsonb", "varchar", "text", "integer", "bigint")


@dataclass(frozen=True, slots=True)
class Format:
    """What stands behind FORMAT and ENCODE, in lower case; `options` are those in the parentheses behind ENCODE."""

    name: str = PLAIN
    encode: str = "json"
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_changes(self) -> bool:
        """Do messages change and delete rows, or does each only bring one?"""
        return self.name in (UPSERT, DEBEZIUM, DEBEZIUM_MONGO)

    @property
    def written(self) -> str:
        return f"FORMAT {self.name.upper()} ENCODE {self.encode.upper()}"


def check_format(given: Format, connector: str) -> list[str]:
    """Notices about options that mean nothing. Raises InvalidStatement for what RisingWave refuses, else UnsupportedFeature."""
    shown = _SHOWN.get(given.name, given.name)
    if connector != "kafka" and given.has_changes:
        raise InvalidStatement(
            f"connector {connector} does not support format {shown}", hint="leave FORMAT and ENCODE out"
        )
    if connector != "kafka":
        return []
    encodes = _KAFKA.get(given.name)
    if encodes is None:
        raise InvalidStatement(
            f"connector {connector} does not support format {shown}",
            hint=f"one of {', '.join(_KAFKA).upper()}",
        )
    if given.encode not in encodes:
        raise InvalidStatement(
            f"connector {connector} does not support format {shown} with encode {given.encode.capitalize()}",
            hint=f"one of {', '.join(encodes).upper()}",
        )
    if given.encode in _EXTERNAL:
        check_schema(given)
        return _unknown(given, _OF_SCHEMA[given.encode])
    return _check_options(given)


def check_schema(given: Format, *, keyed: bool = False) -> None:
    """Raises for options of ENCODE AVRO and PROTOBUF that do not go together, in RisingWave's words. `keyed`: keys have schemas
    of their own, as those of sinks.
    """
    options = given.options
    example = "schema.registry = 'http://127.0.0.1:8081'"
    aws = next((o for o in options if o.startswith("aws.")), None)
    if aws is not None:
        raise UnsupportedFeature(f"option {aws} of ENCODE", hint=example)
    has_registry = "schema.registry" in options or "connection" in options
    if has_registry == ("schema.location" in options):
        wrong = "missing either a schema location or a schema registry"
        if has_registry:
            wrong = "only need either the schema location or the schema registry"
        raise InvalidStatement(wrong, hint=example)
    strategy = options.get("schema.registry.name.strategy")
    if strategy is not None and strategy not in STRATEGIES:
        raise InvalidStatement(
            f"unrecognized strategy: expect strategy name in {', '.join(STRATEGIES[:2])} and {STRATEGIES[2]}, but got {strategy}"
        )
    if strategy is not None and not has_registry:
        raise InvalidStatement(
            "schema registry name strategy only works with schema registry enabled", hint=example
        )
    if given.encode == "protobuf":
        if not options.get("message"):
            raise InvalidStatement("missing field message in options", hint="message = 'package.Message'")
        if "key.message" in options:
            raise InvalidStatement(
                "protobuf key is not supported", hint="leave key.message out: the key is read as bytes"
            )
        return
    if options.get("map.handling.mode", "map") not in ("map", "jsonb"):
        raise InvalidStatement(
            f"unrecognized map.handling.mode value {options['map.handling.mode']}", hint="'map' or 'jsonb'"
        )
    if "key.message" in options and given.name != DEBEZIUM and not keyed:
        raise InvalidStatement(
            f"unused FORMAT ENCODE option: key.message='{options['key.message']}'",
            hint="leave it out: the key is read as bytes",
        )
    if "schema.location" in options and given.name == DEBEZIUM:
        raise InvalidStatement("schema location for DEBEZIUM_AVRO row format is not supported", hint=example)
    if "schema.location" in options and options.get("with_deprecated_file_header") != "true":
        raise UnsupportedFeature(
            "avro without schema registry",
            hint=f"{example}, or with_deprecated_file_header = 'true' for messages that are object container files",
        )


def _unknown(given: Format, known: Sequence[str]) -> list[str]:
    """A notice about options that nobody knows."""
    unknown = [o for o in given.options if o not in known]
    shown = f"{_SHOWN[given.name]} {given.encode.capitalize()}"
    return [f"Get unknown format_encode_options for {shown}: {','.join(unknown)}"] if unknown else []


def _check_options(given: Format) -> list[str]:
    for option in given.options:
        if option.startswith(("schema.registry", "aws.", "schema.location")) or option == "strong_schema":
            raise UnsupportedFeature(f"option {option} of ENCODE", hint="leave it out, and list the columns")
    mode = given.options.get(TIMESTAMPTZ_MODE, TIMESTAMPTZ_MODES[0])
    if mode not in TIMESTAMPTZ_MODES:
        raise InvalidStatement(
            f"unrecognized {TIMESTAMPTZ_MODE} value {mode}", hint=f"one of {', '.join(TIMESTAMPTZ_MODES)}"
        )
    if given.encode == "csv":
        if "delimiter" not in given.options:
            raise InvalidStatement(
                "missing field delimiter in options", hint="ENCODE CSV (delimiter = ',', ...)"
            )
        if given.options["delimiter"] not in _DELIMITERS:
            raise InvalidStatement(
                f"The delimiter should be one of ',', ';', E'\\t', but got {given.options['delimiter']!r}"
            )
        if given.options.get("without_header", "false") == "false":
            raise InvalidStatement(
                "CSV HEADER is not supported when creating table with Kafka connector",
                hint="ENCODE CSV (delimiter = ',', without_header = 'true')",
            )
    return _unknown(given, _OPTIONS.get((given.name, given.encode), ()))


def delimiter(given: Format) -> str:
    """The delimiter of CSV."""
    return _DELIMITERS[given.options.get("delimiter", ",")]


def check_source(given: Format) -> list[str]:
    """Notices about CREATE SOURCE with this format; raises InvalidStatement for those that only tables may have."""
    if given.name in (DEBEZIUM, DEBEZIUM_MONGO):
        raise InvalidStatement(
            f"can't CREATE SOURCE with FORMAT {given.name.upper()}.\n\nHint: use CREATE TABLE instead",
            hint=f"CREATE TABLE t (..., PRIMARY KEY (...)) WITH (...) {given.written}",
        )
    if given.name == UPSERT:
        return [
            "Streaming queries on sources with `FORMAT UPSERT` may have limitations. If your query isn't supported, consider "
            "using `CREATE TABLE` instead."
        ]
    return []


@dataclass(frozen=True, slots=True)
class Included:
    """A column that INCLUDE adds: its name and what it holds."""

    name: str
    origin: str


def check_key(
    given: Format, key: Sequence[str], included: Sequence[Included], columns: Mapping[str, str]
) -> tuple[str, ...]:
    """The primary key of a table with this format, of which `key` is what the statement says. `columns`: those it lists, with
    their types, without generated ones. Raises InvalidStatement in RisingWave's words.
    """
    if given.name == UPSERT:
        return _upsert_key(given, key, included)
    if included and given.name == DEBEZIUM:
        listed = ", ".join(f'"{i.name}"' for i in included)
        raise InvalidStatement(
            f"FORMAT DEBEZIUM forbids additional columns, but got [{listed}]", hint="leave INCLUDE out"
        )
    if given.name == DEBEZIUM and not key:
        raise InvalidStatement(
            "Primary key must be specified when creating source with FORMAT DEBEZIUM.",
            hint="PRIMARY KEY (a, b) lists its columns",
        )
    if given.name == DEBEZIUM_MONGO:
        return _mongo_key(key, columns)
    return tuple(key)


def _upsert_key(given: Format, key: Sequence[str], included: Sequence[Included]) -> tuple[str, ...]:
    of_message = next((i.name for i in included if i.origin == "key"), None)
    if of_message is None:
        wrong = "INCLUDE KEY clause not set"
    elif not key:
        wrong = f"Primary key must be specified to {of_message}"
    elif tuple(key) != (of_message,):
        wrong = f'Only "{of_message}" can be used as primary key'
    else:
        return tuple(key)
    raise InvalidStatement(
        f"{wrong}\n\nHint: For {given.written}, INCLUDE KEY must be specified and the key column must be used as primary key.\n"
        "example:\n    CREATE TABLE <table_name> ( PRIMARY KEY ([rw_key | <key_name>]) )\n"
        f"    INCLUDE KEY [AS <key_name>]\n    WITH (...)\n    {given.written}\n"
    )


def _mongo_key(key: Sequence[str], columns: Mapping[str, str]) -> tuple[str, ...]:
    if list(columns) != ["_id", "payload"]:
        raise _mongo_error("the not generated columns of the source with row format DebeziumMongoJson must be "
                           "(_id [Jsonb | Varchar | Int32 | Int64], payload jsonb).")  # fmt: skip
    if columns["_id"] not in _MONGO_IDS:
        raise _mongo_error(
            "the `_id` column of the source with row format DebeziumMongoJson must be [Jsonb | Varchar | Int32 | Int64]"
        )
    if columns["payload"] != "jsonb":
        raise _mongo_error(
            "the `payload` column of the source with row format DebeziumMongoJson must be Jsonb datatype"
        )
    if key and tuple(key) != ("_id",):
        raise _mongo_error('Only "_id" can be used as primary key')
    return ("_id",)


def _mongo_error(message: str) -> TailraceError:
    return InvalidStatement(message, hint="CREATE TABLE t (_id jsonb PRIMARY KEY, payload jsonb) ...")
