"""Avro schemas in the form that the rest of this package works with: parsed by fastavro, logical types under names of our own.

fastavro reads a value by its writer's logical type, and fails on what Python's types cannot hold. Under names of our own the
functions of `read.py` are called instead, which give a mark for such a value, so that it is NULL alone; and nothing is done to
the logical types of other users of the library. The branches of a union of several types are marked likewise, so that a value
tells which of them it is. Defaults are turned from JSON into values. Pure.

Source: the Avro specification 1.12, "Schema Declaration", "Logical Types", "Schema Resolution".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import fastavro.schema
from fastavro.schema import SchemaParseException, UnknownType

from engine.connectors.registry import RegisteredSchema
from tailrace.errors import InvalidStatement, UnsupportedFeature

Schema = Any
"""What fastavro makes of a schema: a primitive's or a known type's name, a list (a union), or a dict."""
MARK: Final = "tailrace-"
BRANCH: Final = "branch"
LOGICAL: Final = frozenset(
    {
        ("bytes", "decimal"),
        ("fixed", "decimal"),
        ("fixed", "duration"),
        ("int", "date"),
        ("int", "time-millis"),
        ("long", "time-micros"),
        ("long", "timestamp-millis"),
        ("long", "timestamp-micros"),
        ("long", "timestamp-nanos"),
        ("long", "local-timestamp-millis"),
        ("long", "local-timestamp-micros"),
        ("long", "local-timestamp-nanos"),
        ("string", "uuid"),
    }
)
"""Type and logical type of those that mean something; others are as if they were not there."""
PRIMITIVES: Final = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
_NAMED: Final = ("record", "error", "enum", "fixed")
_DEFAULT: Final = MARK + "default"


@dataclass(frozen=True, slots=True)
class AvroSchema:
    """A schema, and the named types within it by their full names."""

    root: Schema
    named: Mapping[str, Schema]

    def resolved(self, schema: Schema) -> Schema:
        """What a name stands for."""
        return self.named[schema] if isinstance(schema, str) and schema not in PRIMITIVES else schema


def prepared(
    schema: RegisteredSchema, logical_value: Callable[[Schema, Any], Any] | None = None
) -> AvroSchema:
    """Parse a schema; `logical_value` is applied to defaults of logical types. Raises InvalidStatement for what is none, or for
    one that no message should be read by: circular ones, and arrays whose elements take no bytes.
    """
    named: dict[str, Schema] = {}
    try:
        for _, text in schema.references:
            fastavro.schema.parse_schema(_renamed(json.loads(text)), named)
        root = fastavro.schema.parse_schema(_renamed(json.loads(schema.text)), named)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        SchemaParseException,
        UnknownType,
        RecursionError,
    ) as error:
        said = f"unknown type {error}" if isinstance(error, UnknownType) else str(error)
        raise InvalidStatement(
            f"failed to parse avro schema: {said}", hint="correct it in the registry"
        ) from error
    found = AvroSchema(root, {name: each for name, each in named.items() if not name.startswith("__")})
    for each in found.named.values():
        for field in each.get("fields", ()):
            if _DEFAULT in field:
                field["default"] = _default(found, field["type"], field[_DEFAULT], logical_value)
    return found


def kind(schema: Schema) -> str:
    """'union', or the name of the type."""
    if isinstance(schema, list):
        return "union"
    return str(schema if isinstance(schema, str) else schema["type"])


def logical(schema: Schema) -> str:
    """The logical type, by the specification's name; '' without one that means something."""
    found = schema.get("logicalType", "") if isinstance(schema, dict) else ""
    return found.removeprefix(MARK) if found.startswith(MARK) and found != MARK + BRANCH else ""


def inner_of_nullable(union: list[Schema]) -> Schema | None:
    """T of a union of null and T; None for every other."""
    others = [each for each in union if kind(each) != "null"]
    return others[0] if len(union) == 2 and len(others) == 1 else None


def refuse_unreadable(schema: AvroSchema) -> None:
    """Raises UnsupportedFeature for a writer's schema whose messages could keep us busy for ever, whatever they hold."""
    _walk(schema, schema.root, ())


def _walk(schema: AvroSchema, node: Schema, above: tuple[str, ...]) -> None:
    node = schema.resolved(node)
    if isinstance(node, list):
        for each in node:
            _walk(schema, each, above)
    elif kind(node) in ("record", "error"):
        name = node["name"]
        if name in above:
            raise circular(above, name)
        for field in node["fields"]:
            _walk(schema, field["type"], (*above, name))
    elif kind(node) == "array":
        if _takes_no_bytes(schema, node["items"]):
            raise UnsupportedFeature("an Avro array whose elements take no bytes")
        _walk(schema, node["items"], above)
    elif kind(node) == "map":
        _walk(schema, node["values"], above)


def circular(above: tuple[str, ...], name: str) -> InvalidStatement:
    """The error for a record that holds itself."""
    return InvalidStatement(
        f"circular reference detected in Avro schema: {' -> '.join(above)} -> {name}",
        hint="read the topic with ENCODE BYTES",
    )


def _takes_no_bytes(schema: AvroSchema, node: Schema, above: tuple[str, ...] = ()) -> bool:
    node = schema.resolved(node)
    if kind(node) in ("record", "error"):
        name = node["name"]
        if name in above:
            raise circular(above, name)
        return all(_takes_no_bytes(schema, f["type"], (*above, name)) for f in node["fields"])
    return kind(node) == "null" or (kind(node) == "fixed" and not node["size"])


def _renamed(node: Any) -> Schema:
    """The schema as parsed from JSON, with our names for logical types, branches marked and defaults put aside."""
    if isinstance(node, list):
        variants = [_renamed(each) for each in node]
        several = inner_of_nullable(variants) is None
        return [_branch(each) if several else each for each in variants]
    if not isinstance(node, dict):
        return node
    base = node.get("type")
    if isinstance(base, dict | list):
        return _renamed(base)  # {"type": {"type": "string"}}
    changed = {k: v for k, v in node.items() if k not in ("logicalType", "default") or base == "enum"}
    if (base, node.get("logicalType")) in LOGICAL and _is_sound(node):
        changed["logicalType"] = MARK + node["logicalType"]
    elif base in PRIMITIVES:
        return base
    if "items" in node:
        changed["items"] = _renamed(node["items"])
    if "values" in node:
        changed["values"] = _renamed(node["values"])
    if base in ("record", "error"):
        changed["fields"] = [_field(each) for each in node.get("fields", ())]
    elif base not in (*PRIMITIVES, *_NAMED, "array", "map"):
        return base  # {"type": "Known"}
    return changed


def _field(field: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in field.items() if k != "default"}
    kept["type"] = _renamed(field["type"])
    if isinstance(field["type"], str) and "logicalType" in field:
        kept["type"] = _renamed(
            {k: v for k, v in field.items() if k in ("type", "logicalType", "precision", "scale")}
        )
    if "default" in field:
        kept[_DEFAULT] = field["default"]
    return kept


def _branch(variant: Schema) -> Schema:
    """A variant of a union, marked with its own name; a named type tells by itself."""
    name = kind(variant)
    if name == "null" or (name not in PRIMITIVES and name not in ("array", "map")) or logical(variant):
        return variant
    marked = {"type": name} if isinstance(variant, str) else dict(variant)
    return {**marked, "logicalType": MARK + BRANCH}


def _is_sound(node: Mapping[str, Any]) -> bool:
    """The specification: a logical type that is not valid is to be ignored."""
    if node["logicalType"] == "duration":
        return node.get("size") == 12
    if node["logicalType"] != "decimal":
        return True
    scale, precision = node.get("scale", 0), node.get("precision")
    return type(scale) is int and type(precision) is int and 0 <= scale <= precision


def _default(
    schema: AvroSchema, node: Schema, value: Any, logical_value: Callable[[Schema, Any], Any] | None
) -> Any:
    """A default as a value that has been read: bytes from text, records with their own defaults, logical types."""
    node = schema.resolved(node)
    if isinstance(node, list):
        if value is None:
            return None
        variants = [each for each in node if kind(each) != "null"]
        return _default(schema, variants[0], value, logical_value) if variants else None
    name = kind(node)
    if name in ("bytes", "fixed") and isinstance(value, str):
        value = value.encode("latin-1", errors="replace")
    elif name in ("float", "double") and isinstance(value, str | int):
        try:
            value = float(value)
        except ValueError:
            value = None
    elif name in ("record", "error") and isinstance(value, dict):
        value = {
            f["name"]: _default(schema, f["type"], value.get(f["name"], f.get(_DEFAULT)), logical_value)
            for f in node["fields"]
        }
    elif name == "array" and isinstance(value, list):
        value = [_default(schema, node["items"], each, logical_value) for each in value]
    elif name == "map" and isinstance(value, dict):
        value = {k: _default(schema, node["values"], each, logical_value) for k, each in value.items()}
    marked = isinstance(node, dict) and str(node.get("logicalType", "")).startswith(MARK)
    return logical_value(node, value) if marked and logical_value is not None and value is not None else value
