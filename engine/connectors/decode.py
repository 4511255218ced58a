"""Messages of one read, decoded into rows column by column: a decoder is compiled once from a source's spec.

Takes confluent_kafka messages (anything with their six accessors), returns a `Decoded`; never raises for what a message
holds. Pure but for schema ids, of which a registry is asked once: TailraceError where that is away. A message that gives no
row (ENCODE JSON: not a JSON object; a change without the key of its row) is counted in `skipped`; one without a value gives a
row without fields. A value that does not fit its column becomes NULL and is counted in `nulled`. Working by column keeps the
loops inside list comprehensions; bench/decode.py measures them.
Called by the reader's thread and by `read_range`.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson
from psycopg.types.json import Jsonb

from engine.connectors.changes import MISSING, Changes, changes_of, read_changes
from engine.connectors.external import ENCODES, MessageParsers, Parse, UndecodableError, message_parsers
from engine.connectors.formats import PLAIN, Format, delimiter
from engine.connectors.json_values import (
    UNFIT,
    Convert,
    as_it_is,
    converter,
    integer_within,
    json_document,
    member,
)
from engine.connectors.source import Reject, SourceColumn, SourceSpec
from engine.connectors.value_rules import rules_of

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_REASONS: Final = 20
"""How many messages of one read are told by their reasons; all are counted."""
_OVERHEAD_BYTES: Final = 64
"""Counted for every message besides its key and value, so that empty messages are not free."""


class Message(Protocol):
    """What is used of confluent_kafka.Message; a message that stands for an error must not come here."""

    def value(self) -> bytes | None: ...
    def key(self) -> bytes | None: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def timestamp(self) -> tuple[int, int]: ...
    def headers(self) -> list[tuple[str, bytes | None]] | None: ...


@dataclass(slots=True)
class Decoded:
    """Rows, and which message each came from: `partitions[i]`, `offsets[i]` are the origin of `rows[i]`."""

    rows: list[tuple[Any, ...]]
    partitions: list[int]
    offsets: list[int]
    after: dict[int, int]
    """By partition, the offset to read next, skipped messages included."""
    size_bytes: int
    skipped: int = 0
    nulled: int = 0
    rejects: list[Reject] = field(default_factory=list)
    """The first of those that are skipped, with their reasons, where the encoding gives reasons."""


@dataclass(slots=True)
class _Records:
    """The messages of which rows are made. `objects` is parallel to `messages` for ENCODE JSON and CSV, `ops` where messages
    are changes, else empty; `rejected` are the places of those that turn out to be none.
    """

    messages: Sequence[Message]
    partitions: list[int]
    offsets: list[int]
    values: list[bytes | None]
    objects: list[Any]
    ops: list[int] = field(default_factory=list)
    nulled: int = 0
    rejected: set[int] = field(default_factory=set)
    rejects: list[Reject] = field(default_factory=list)

    def convert(self, values: Sequence[Any], convert: Convert) -> list[object]:
        """Each value converted; None stays None, what is unfit becomes None and is counted."""
        converted: list[object] = []
        append = converted.append
        for value in values:
            if value is None:
                append(None)
                continue
            try:
                append(convert(value))
            except UNFIT:
                append(None)
                self.nulled += 1
        return converted

    def only(self, kept: Sequence[int], objects: list[Any], ops: list[int] | None = None) -> _Records:
        """Those at the places `kept`, which have these objects."""
        return _Records(
            [self.messages[index] for index in kept],
            [self.partitions[index] for index in kept],
            [self.offsets[index] for index in kept],
            [self.values[index] for index in kept],
            objects,
            ops or [],
            rejects=self.rejects,
        )

    def reject(self, index: int, reason: str) -> None:
        """The message at this place is none; the first reasons of a read are kept."""
        if len(self.rejects) < _REASONS:
            self.rejects.append(Reject(self.partitions[index], self.offsets[index], reason))


_Column = Callable[[_Records], Sequence[object]]


class Decoder:
    """Rows of one source. Not shared between threads."""

    def __init__(self, spec: SourceSpec) -> None:
        external = message_parsers(spec) if spec.encode in ENCODES else None
        self._parse = _parser(spec, external)
        self._columns = [_column(column, spec, external) for column in spec.columns]

    def decode(self, messages: Sequence[Message]) -> Decoded:
        """Decode messages given in the order they were read."""
        values = [message.value() for message in messages]
        partitions = [message.partition() for message in messages]
        offsets = [message.offset() for message in messages]
        after = {partition: offset + 1 for partition, offset in zip(partitions, offsets, strict=True)}
        size_bytes = sum(map(len, filter(None, values))) + _OVERHEAD_BYTES * len(messages)
        records = _Records(messages, partitions, offsets, values, [])
        if self._parse is not None:
            records = self._parse(records)
        columns = [column(records) for column in self._columns]
        rows = list(zip(*columns, strict=True)) if columns else [()] * len(records.messages)
        partitions, offsets = records.partitions, records.offsets
        if records.rejected:
            kept = [index for index in range(len(rows)) if index not in records.rejected]
            rows = [rows[index] for index in kept]
            partitions, offsets = [partitions[index] for index in kept], [offsets[index] for index in kept]
        skipped = len(messages) - len(rows)
        return Decoded(rows, partitions, offsets, after, size_bytes, skipped, records.nulled, records.rejects)


def _parser(spec: SourceSpec, external: MessageParsers | None) -> Callable[[_Records], _Records] | None:
    """What is done with all values of a read at once, before columns are made of them."""
    if spec.format != PLAIN:
        read = changes_of(spec, external)
        return lambda records: _changed(records, read)
    if external is not None:
        return lambda records: _external(records, external.value)
    if spec.encode == "csv":
        fields = [column.name for column in spec.columns if column.origin == "field"]
        between = delimiter(Format(spec.format, spec.encode, spec.handling))
        return lambda records: _split(records, fields, between)
    return _parsed if spec.encode == "json" else None


def _changed(records: _Records, read: Changes) -> _Records:
    """Only messages that are changes remain, with what they do and the fields of the row that they do it to."""
    changes = read_changes(
        read, [message.key() for message in records.messages], records.values, records.reject
    )
    kept = [index for index, change in enumerate(changes) if change is not None]
    found = [change for change in changes if change is not None]
    return records.only(kept, [fields for _, fields in found], [op for op, _ in found])


def _external(records: _Records, parse: Parse) -> _Records:
    """Read every value by its schema; a message without one is a row without fields."""
    objects: list[Any] = []
    kept = []
    for index, value in enumerate(records.values):
        try:
            objects.append(None if value is None else parse(value))
        except UndecodableError as error:
            records.reject(index, str(error))
        else:
            kept.append(index)
    return records.only(kept, objects)


def _split(records: _Records, names: Sequence[str], between: str) -> _Records:
    """The fields of each message's first line of CSV, by their order; an empty one is NULL."""
    objects: list[dict[str, Any]] = []
    kept = []
    for index, value in enumerate(records.values):
        text = _text(value)
        if text is None:
            continue
        try:
            values = next(csv.reader(text.splitlines(keepends=True), delimiter=between, strict=True), [])
        except csv.Error:
            continue
        kept.append(index)
        objects.append({name: each or None for name, each in zip(names, values, strict=False)})
    return records.only(kept, objects)


def _parsed(records: _Records) -> _Records:
    """Parse every value; only messages that are JSON objects remain."""
    objects: list[Any]
    try:
        objects = list(map(orjson.loads, records.values))  # type: ignore[arg-type]  # None raises like any other non-JSON
    except orjson.JSONDecodeError:
        objects = [_loads(value) for value in records.values]
    if all(type(each) is dict for each in objects):
        records.objects = objects
        return records
    kept = [index for index, each in enumerate(objects) if type(each) is dict]
    return records.only(kept, [objects[index] for index in kept])


def _loads(value: bytes | None) -> Any:
    if not value:
        return {}  # the row of a message that has no value: RisingWave's fields are NULL then
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


_BEYOND_NUMERIC = re.compile(rb"[0-9.][eE][+-]?[0-9]{4}|[0-9]{1000}")
"""What may be a number with more digits than numeric holds: 131,072 before the point, 16,383 behind it."""


def _text(value: bytes | None) -> str | None:
    """The value as PostgreSQL's convert_from(value, 'utf8') gives it; None where that fails."""
    if value is None or b"\0" in value:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _plain_json(value: bytes | None) -> Jsonb | None:
    """The value as jsonb where it is JSON beyond doubt; None leaves the judgement to PostgreSQL (escapes, huge numbers)."""
    if not value or b"\\u" in value:
        return None
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return None if _BEYOND_NUMERIC.search(value) else Jsonb(value, dumps=as_it_is)


def _column(column: SourceColumn, spec: SourceSpec, external: MessageParsers | None) -> _Column:
    if column.origin == "field":
        if external is not None:
            return _external_field(column, spec, external)
        if column.name in spec.key:
            return _key_field(column, spec)
        return (lambda records: records.values) if spec.encode == "bytes" else _field(column, spec)
    if column.origin == "op":
        return lambda records: records.ops
    if column.origin == "header":
        return _header(column)
    if column.origin == "payload":
        return lambda records: records.convert(
            [each if value else None for each, value in zip(records.objects, records.values, strict=True)],
            json_document,
        )
    if column.origin == "text":
        return lambda records: [_text(value) for value in records.values]
    if column.origin == "json":
        return lambda records: [_plain_json(value) for value in records.values]
    if column.origin == "key":
        if column.type == "bytea":
            return lambda records: [message.key() for message in records.messages]
        return lambda records: records.convert(
            [message.key() for message in records.messages], _text_of_bytes
        )
    if column.origin == "timestamp":
        return lambda records: _moments([message.timestamp()[1] for message in records.messages])
    if column.origin == "partition":
        return lambda records: _numbers(column.type, records.partitions, records)
    return lambda records: _numbers(column.type, records.offsets, records)


def _field(column: SourceColumn, spec: SourceSpec) -> _Column:
    """A field of the JSON object: the exact name wins, else the first that differs only in (ASCII) case."""
    name, convert = column.name, converter(column.type, spec.composites, rules_of(spec))

    def values(records: _Records) -> Sequence[object]:
        found = [fields[name] if name in fields else member(fields, name) for fields in records.objects]
        return records.convert(found, convert)

    return values


def _external_field(column: SourceColumn, spec: SourceSpec, external: MessageParsers) -> _Column:
    """A field of what the schema reads; of the key, as `_key_field`."""
    get, convert = external.field(column)
    if column.name not in spec.key:
        return lambda records: records.convert(
            [None if each is None else get(each, None) for each in records.objects], convert
        )

    def values(records: _Records) -> Sequence[object]:
        found: list[object] = []
        for index, fields in enumerate(records.objects):
            value = get(fields, MISSING)
            try:
                if value is MISSING:
                    raise ValueError(column.name)
                found.append(None if value is None else convert(value))
            except UNFIT:
                records.rejected.add(index)
                records.reject(index, f"no value of the primary key's column {column.name}")
                found.append(None)
        return found

    return values


def _key_field(column: SourceColumn, spec: SourceSpec) -> _Column:
    """A field that tells which row a change is of: without it, or with one that does not fit, the message is rejected."""
    name, convert = column.name, converter(column.type, spec.composites, rules_of(spec))

    def values(records: _Records) -> Sequence[object]:
        found: list[object] = []
        for index, fields in enumerate(records.objects):
            value = fields[name] if name in fields else member(fields, name, MISSING)
            try:
                if value is MISSING:
                    raise ValueError(name)
                found.append(None if value is None else convert(value))
            except UNFIT:
                records.rejected.add(index)
                found.append(None)
        return found

    return values


def _header(column: SourceColumn) -> _Column:
    """One header's value, the first of its name; or all headers, NULL without any."""
    if not column.header:
        return lambda records: [_all_headers(message) for message in records.messages]
    convert = _text_of_header if column.type != "bytea" else bytes

    def values(records: _Records) -> Sequence[object]:
        found = [
            next((value for name, value in message.headers() or () if name == column.header), None)
            for message in records.messages
        ]
        return records.convert(found, convert)

    return values


def _all_headers(message: Message) -> list[tuple[str | None, bytes | None]] | None:
    found = message.headers()
    return [(name, value) for name, value in found] if found else None


def _text_of_bytes(key: bytes) -> str:
    text = key.decode()
    if "\0" in text:
        raise ValueError("NUL in a key")
    return text


def _text_of_header(value: bytes) -> str:
    text = value.decode(errors="replace")
    if "\0" in text:
        raise ValueError("NUL in a header")
    return text


def _numbers(type_: str, numbers: list[int], records: _Records) -> Sequence[object]:
    if type_ in ("varchar", "text"):
        return list(map(str, numbers))
    if type_ == "bigint":
        return numbers
    bound = 2**31 if type_ == "integer" else 2**15
    if not numbers or max(numbers) < bound:
        return numbers
    return records.convert(numbers, integer_within(0, bound - 1))


def _moments(milliseconds: list[int]) -> Sequence[object]:
    """Broker timestamps (Unix time in ms, below 0 when there is none) as datetimes; many messages share
    one.
    """
    known = {each: _moment(each) for each in set(milliseconds)}
    return list(map(known.__getitem__, milliseconds))


def _moment(millisecond: int) -> dt.datetime | None:
    if millisecond < 0:
        return None
    try:
        return _EPOCH + dt.timedelta(milliseconds=millisecond)
    except OverflowError:
        return None
