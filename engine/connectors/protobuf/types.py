"""The columns that a Protobuf message gives: RisingWave's types of Protobuf's. Pure.

Source: RisingWave docs, "Protobuf" (data type mapping).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf.descriptor import FieldDescriptor

from engine.connectors.external import ExternalSchema
from engine.connectors.protobuf.descriptors import AS_JSON, Field, as_json, described, is_map
from tailrace.errors import InvalidStatement
from tailrace.sql.derived_columns import written_name

_TYPES: Final = {
    FieldDescriptor.TYPE_BOOL: "BOOLEAN",
    FieldDescriptor.TYPE_DOUBLE: "DOUBLE",
    FieldDescriptor.TYPE_FLOAT: "REAL",
    FieldDescriptor.TYPE_INT32: "INT",
    FieldDescriptor.TYPE_SINT32: "INT",
    FieldDescriptor.TYPE_SFIXED32: "INT",
    FieldDescriptor.TYPE_INT64: "BIGINT",
    FieldDescriptor.TYPE_SINT64: "BIGINT",
    FieldDescriptor.TYPE_SFIXED64: "BIGINT",
    FieldDescriptor.TYPE_UINT32: "BIGINT",
    FieldDescriptor.TYPE_FIXED32: "BIGINT",
    FieldDescriptor.TYPE_UINT64: "NUMERIC",
    FieldDescriptor.TYPE_FIXED64: "NUMERIC",
    FieldDescriptor.TYPE_STRING: "CHARACTER VARYING",
    FieldDescriptor.TYPE_ENUM: "CHARACTER VARYING",
    FieldDescriptor.TYPE_BYTES: "BYTEA",
}


def columns(schema: ExternalSchema, options: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Names and types of the message's fields. Raises InvalidStatement for a message that holds itself."""
    documents = as_json(dict(options))
    return tuple((f.name, _type(f, documents, ())) for f in described(schema).message.fields)


def _type(field: Field, documents: frozenset[str], above: tuple[str, ...]) -> str:
    shown = f"{field.name}({field.full_name})"
    if shown in above:
        raise InvalidStatement(
            f"circular reference detected: {'->'.join(above)}, conflict with {shown}. "
            f'Adding "{field.message_type.full_name}" to "{AS_JSON}" may help.',
            hint=f"ENCODE PROTOBUF ({AS_JSON} = '{field.message_type.full_name}', ...)",
        )
    above = (*above, shown)
    if is_map(field):
        entry = field.message_type.fields_by_name
        return f"MAP({_type(entry['key'], documents, above)}, {_type(entry['value'], documents, above)})"
    if field.message_type is None:
        type_ = _TYPES[field.type]
    elif field.message_type.full_name in documents:
        type_ = "JSONB"
    else:
        inner = [f"{written_name(f.name)} {_type(f, documents, above)}" for f in field.message_type.fields]
        type_ = f"STRUCT<{', '.join(inner) or ' '}>"
    return type_ + "[]" if field.is_repeated else type_
