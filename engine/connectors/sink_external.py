"""Sinks of ENCODE AVRO and ENCODE PROTOBUF: the schemas that a statement names, and the messages that changes become.

The subject's newest schema at the sink's creation is kept with the sink: messages carry its id. A row that the schema cannot
hold is set aside with its reason, and the others go on. `load_schema` asks a registry; the rest is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from engine.compile.sink import DELETE, UPDATE_DELETE, log_columns
from engine.connectors.external import ENCODES, load
from engine.connectors.formats import Format, check_schema
from engine.connectors.sink import SinkSpec, SinkType
from engine.connectors.sink_messages import key_expression
from engine.connectors.sink_target import Change, Refused
from engine.connectors.sink_values import row_expression
from engine.operators.base import Column
from tailrace.errors import InvalidStatement, UnsupportedFeature

Fit = Callable[[Any], Any]
"""From a value of `sink_values` to one that the encoder takes. Raises EncodeError."""
Message = tuple[bytes | None, bytes | None]
Encode = Callable[[dict[str, Any]], bytes]
_SHOWN: Final = {"character varying": "character varying", "text": "character varying"}


class EncodeError(Exception):
    """A row that the schema cannot hold; the text is the reason."""


def column_error(path: str, said: str) -> InvalidStatement:
    """The error for a column that does not fit the schema."""
    return InvalidStatement(
        f"encode '{path}' error: {said}",
        sqlstate="42804",
        hint="select and cast the columns that the schema has",
    )


def shown_type(type_: str) -> str:
    """A type as messages call it."""
    return "struct" if type_.startswith("rw.struct_") else "map" if type_.startswith("rw.map_") else type_


def is_external(spec: SinkSpec) -> bool:
    """Does the sink's encoding go by a schema outside?"""
    return spec.encode in ENCODES


def load_schema(spec: SinkSpec, options: Mapping[str, str], columns: Sequence[Column]) -> SinkSpec:
    """The sink with the schemas that the options of ENCODE name, and that fit its columns. Raises as `load` and the encoders."""
    format_ = Format("upsert" if spec.type is SinkType.UPSERT else "plain", spec.encode, options)
    check_schema(format_, keyed=True)
    if spec.encode == "avro" and "schema.registry" not in options:
        raise UnsupportedFeature(
            "ENCODE AVRO of a sink without schema.registry", hint="schema.registry = 'http://127.0.0.1:8081'"
        )
    keyed = spec.encode == "avro" and bool(spec.primary_key) and spec.key_encode == "avro"
    found = replace(spec, schema=load(format_, spec.topic, keyed=keyed))
    ExternalMessages(found, columns)
    return found


class ExternalMessages:
    """How the changes of a sink become messages: PLAIN gives each row, UPSERT the newest of each key."""

    def __init__(self, spec: SinkSpec, columns: Sequence[Column]) -> None:
        schema = spec.schema
        if schema is None:
            raise InvalidStatement("the sink has no schema", hint="DROP it and CREATE it anew")
        self.refused: list[Refused] = []
        self._encode_key: Encode | None = None
        keys = [next(c for c in columns if c.name == name) for name in spec.primary_key]
        if spec.encode == "protobuf":
            from engine.connectors.protobuf.write import encoder as protobuf_encoder

            self._encode = protobuf_encoder(columns, schema, spec)
        else:
            from engine.connectors.avro.write import encoder

            self._encode = encoder(columns, schema.value, spec)
            if keys and schema.key is not None:
                self._encode_key = encoder(keys, schema.key, spec)

    def messages(self, changes: Iterable[Change]) -> Iterator[Message]:
        """The messages; `refused` is told of the changes that are none."""
        for change in changes:
            key, row = change.values
            if change.op == UPDATE_DELETE:
                continue  # the new row follows under the same key
            try:
                shown = self._key(key)
                value = None if change.op == DELETE else self._encode(orjson.loads(row))
            except (EncodeError, ValueError, TypeError, OverflowError) as error:
                self.refused.append(Refused(change.seq, str(error), "22000"))
            else:
                yield shown, value

    def _key(self, key: Any) -> bytes | None:
        if self._encode_key is not None:
            return self._encode_key(orjson.loads(key))
        return key.encode() if isinstance(key, str) else key


def external_select(spec: SinkSpec, columns: Sequence[Column]) -> list[str]:
    """The SQL expressions of a change's values: its key, as other sinks write it where no schema does, and its row."""
    listed = log_columns(columns)
    key = key_expression(spec, columns)
    if spec.schema is not None and spec.schema.key is not None:
        key = row_expression([next(i for i in listed if i[1].name == k) for k in spec.primary_key], spec)
    return [key, row_expression(listed, spec)]
