"""What messages of the formats UPSERT, DEBEZIUM and DEBEZIUM_MONGO change: per message an op and the fields of a row.

Pure; hostile messages give None and are counted by the decoder. Of a row that goes only the fields of its key count.
Source: RisingWave docs, "Formats and encoding"; Debezium's documentation of change events ("before", "after", "op").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import orjson

from engine.connectors.connect_schema import Meanings, meanings, of_field
from engine.connectors.external import MessageParsers, Parse, UndecodableError
from engine.connectors.formats import DEBEZIUM, DEBEZIUM_MONGO
from engine.connectors.json_values import member
from engine.connectors.source import SourceSpec

COMES, GOES = 1, 2
"""The ops, as a sink's log has them."""

Fields = dict[str, Any]
Change = tuple[int, Fields] | None
"""None: a message that says nothing."""
Changes = Callable[[bytes | None, bytes | None], Change]
"""From a message's key and value."""

_OPS: Final = {"r": COMES, "c": COMES, "u": COMES, "d": GOES}
MISSING: Final = object()


def changes_of(spec: SourceSpec, external: MessageParsers | None = None) -> Changes:
    """How this source's messages are read: JSON, or what `external` reads."""
    if external is not None:
        if spec.format == DEBEZIUM:
            ignores_key = spec.handling.get("ignore_key", "").lower() == "true"
            return _debezium_by(external.value, None if ignores_key else external.key)
        return _upsert_by(external.value)
    if spec.format == DEBEZIUM:
        ignores_keys = spec.handling.get("ignore_key", "").lower() == "true"
        return partial(_debezium_ignoring_keys if ignores_keys else _debezium, meanings(spec))
    if spec.format == DEBEZIUM_MONGO:
        return _mongo(next(c.type for c in spec.columns if c.name == "_id"))
    return _upsert


def read_changes(
    read: Changes,
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    reject: Callable[[int, str], None] | None = None,
) -> list[Change]:
    """The change of each message; `reject` is told of those that a schema does not fit: their place and the reason."""
    found: list[Change] = []
    for index, (key, value) in enumerate(zip(keys, values, strict=True)):
        try:
            found.append(read(key, value))
        except UndecodableError as error:
            found.append(None)
            if reject is not None:
                reject(index, str(error))
    return found


def _upsert_by(parse: Parse) -> Changes:
    def read(key: bytes | None, value: bytes | None) -> Change:
        if key is None:
            raise UndecodableError("no key, which FORMAT UPSERT needs")
        return (COMES, parse(value)) if value else (GOES, {})

    return read


def _debezium_by(parse: Parse, parse_key: Parse | None) -> Changes:
    """As `_debezium`, of events and keys that a schema reads."""

    def read(key: bytes | None, value: bytes | None) -> Change:
        if not value:
            if parse_key is None or key is None:
                raise UndecodableError("no event, and no key that tells whose row goes")
            return GOES, parse_key(key)
        event = parse(value)
        op = _op(event) if type(event) is dict else None
        fields = event.get("after" if op == COMES else "before") if op is not None else None
        if op is None or type(fields) is not dict:
            raise UndecodableError("no event that changes a row")
        return op, fields

    return read


def _object(text: bytes | None) -> Fields | None:
    if not text:
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if type(found) is dict else None


def _upsert(key: bytes | None, value: bytes | None) -> Change:
    """The row of its key: new, or gone where there is no value."""
    if key is None:
        return None
    if not value:
        return GOES, {}
    fields = _object(value)
    return None if fields is None else (COMES, fields)


def _payload(text: bytes | None) -> Fields | None:
    """The event, with its schema around it or without."""
    message = _object(text)
    return None if message is None else _payload_of(message)


def _payload_of(message: Fields) -> Fields | None:
    event = message.get("payload", message)
    return event if type(event) is dict else None


def _debezium(explain: Meanings | None, key: bytes | None, value: bytes | None) -> Change:
    """A change event; a message without a value takes the row of its key away, as the event before it did."""
    if value is None:
        message = _object(key)
        fields = None if message is None else _payload_of(message)
        if message is None or fields is None:
            return None
        if explain is not None and fields is not message:
            explain(fields, message.get("schema"))
        return GOES, fields
    return _debezium_ignoring_keys(explain, key, value)


def _debezium_ignoring_keys(explain: Meanings | None, _key: bytes | None, value: bytes | None) -> Change:
    message = _object(value)
    event = None if message is None else _payload_of(message)
    op = _op(event)
    if event is None or message is None or op is None:
        return None
    side = "after" if op == COMES else "before"
    fields = event.get(side)
    if type(fields) is not dict:
        return None
    if explain is not None and event is not message:
        explain(fields, of_field(message.get("schema"), side))
    return op, fields


def _op(event: Fields | None) -> int | None:
    """What the event does; None for those that are no changes of a row (transactions, truncation, messages)."""
    op = event.get("op") if event is not None else None
    return _OPS.get(op) if type(op) is str else None


def _mongo(id_type: str) -> Changes:
    """Documents arrive as strings of extended JSON; of one that is deleted the key alone tells the id."""

    def read(key: bytes | None, value: bytes | None) -> Change:
        event = _payload(value)
        op = GOES if value is None else _op(event)
        if op is None:
            return None
        if op == GOES:
            id_ = _key_id(key, id_type)
            return None if id_ is MISSING else (GOES, {"_id": id_})
        document = _document(event.get("after") if event is not None else None)
        if type(document) is not dict:
            return None
        id_ = bson_id(document, id_type)
        return None if id_ is MISSING else (COMES, {"_id": id_, "payload": document})

    return read


def _key_id(key: bytes | None, id_type: str) -> Any:
    fields = _payload(key)
    if fields is None:
        return MISSING
    document = _document(fields["id"]) if "id" in fields else member(fields, "_id")
    return MISSING if document is None else bson_id(document, id_type)


def _document(text: Any) -> Any:
    """What a string of JSON holds; None if it is none."""
    if type(text) is not str:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def bson_id(document: Any, type_: str) -> Any:
    """The `_id` of a document, or the document itself as an id, in the form that a column of the type takes; or MISSING.

    >>> bson_id({"_id": {"$oid": "65bc9fb6"}, "name": "x"}, "varchar")
    '65bc9fb6'
    """
    id_ = document["_id"] if type(document) is dict and "_id" in document else document
    if type_ == "jsonb":
        return id_
    wrapped = id_ if type(id_) is dict else {}
    if type_ in ("varchar", "text"):
        text = wrapped.get("$oid", id_)
        return text if type(text) is str else MISSING
    number = wrapped.get("$numberInt" if type_ == "integer" else "$numberLong", id_)
    return number if type(number) in (int, str) else MISSING
