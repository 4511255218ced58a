"""The columns that an Avro schema gives: RisingWave's types of Avro's. Pure.

Source: RisingWave docs, "Avro" (data type mapping), and what it answers to types that it does not take.
"""

from __future__ import annotations

from typing import Final

from engine.connectors.avro.schema import (
    AvroSchema,
    Schema,
    circular,
    inner_of_nullable,
    kind,
    logical,
    prepared,
)
from engine.connectors.external import ExternalSchema
from engine.connectors.registry import RegisteredSchema
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.derived_columns import written_name

VARIABLE_SCALE: Final = "io.debezium.data.VariableScaleDecimal"
_PRIMITIVES: Final = {
    "boolean": "BOOLEAN",
    "int": "INT",
    "long": "BIGINT",
    "float": "REAL",
    "double": "DOUBLE",
    "bytes": "BYTEA",
    "string": "CHARACTER VARYING",
    "enum": "CHARACTER VARYING",
}
_LOGICAL: Final = {
    "decimal": "NUMERIC",
    "duration": "INTERVAL",
    "date": "DATE",
    "time-millis": "TIME",
    "time-micros": "TIME",
    "timestamp-millis": "TIMESTAMP WITH TIME ZONE",
    "timestamp-micros": "TIMESTAMP WITH TIME ZONE",
    "local-timestamp-millis": "TIMESTAMP",
    "local-timestamp-micros": "TIMESTAMP",
    "uuid": "CHARACTER VARYING",
}
_AS_JSON: Final = ("null", "boolean", "int", "string", "map", "array", "record")


def columns(schema: RegisteredSchema, map_mode: str, *, within: str = "") -> tuple[tuple[str, str], ...]:
    """Names and types of the fields of the root record, or of the record that its field `within` holds.

    Raises InvalidStatement for a schema that has no columns, UnsupportedFeature for types that RisingWave does not take either.
    """
    found = prepared(schema)
    root = found.resolved(found.root)
    if within:
        root = _record_within(found, root, within)
    if kind(root) != "record":
        raise InvalidStatement("schema invalid, record type required at top level of the schema.")
    walk = _Walk(found, map_mode)
    return tuple((field["name"], walk.type_of(field["type"], (root["name"],))) for field in root["fields"])


def key_columns(schema: ExternalSchema) -> tuple[str, ...]:
    """The names of the fields of Debezium's key."""
    return tuple(name for name, _ in columns(schema.key, "map")) if schema.key is not None else ()


def _record_within(schema: AvroSchema, root: Schema, name: str) -> Schema:
    fields = root["fields"] if kind(root) == "record" else ()
    found = next((f["type"] for f in fields if f["name"] == name), None)
    if found is None:
        raise InvalidStatement(f'Root schema of debezium shall contain "{name}" field.')
    if isinstance(found, list):
        found = inner_of_nullable(found)
        if found is None:
            raise InvalidStatement(f'illegal avro union schema of "{name}", expected [null, T]')
    return schema.resolved(found)


class _Walk:
    def __init__(self, schema: AvroSchema, map_mode: str) -> None:
        self._schema = schema
        self._map_mode = map_mode

    def type_of(self, node: Schema, above: tuple[str, ...]) -> str:
        """RisingWave's type; `above` are the records around it."""
        node = self._schema.resolved(node)
        name, meaning = kind(node), logical(node)
        if name == "union":
            return self._union(node, above)
        if meaning:
            if meaning not in _LOGICAL:
                raise UnsupportedFeature(f"Avro type: {meaning}", hint="read the topic with ENCODE BYTES")
            return _LOGICAL[meaning]
        if name in _PRIMITIVES:
            return _PRIMITIVES[name]
        if name == "array":
            return self.type_of(node["items"], above) + "[]"
        if name == "map":
            return self._map(node, above)
        if name == "record":
            return self._record(node, above)
        raise UnsupportedFeature(f"Avro type: {name}", hint="read the topic with ENCODE BYTES")

    def _record(self, node: Schema, above: tuple[str, ...]) -> str:
        if node["name"] == VARIABLE_SCALE:
            return "NUMERIC"
        if node["name"] in above:
            raise circular(above, node["name"])
        inner = (*above, node["name"])
        fields = [f"{written_name(f['name'])} {self.type_of(f['type'], inner)}" for f in node["fields"]]
        return f"STRUCT<{', '.join(fields) or ' '}>"

    def _map(self, node: Schema, above: tuple[str, ...]) -> str:
        if self._map_mode != "jsonb":
            return f"MAP(CHARACTER VARYING, {self.type_of(node['values'], above)})"
        if not self._fits_json(node["values"], above):
            raise UnsupportedFeature("Avro map type to jsonb", hint="map.handling.mode = 'map'")
        return "JSONB"

    def _fits_json(self, node: Schema, above: tuple[str, ...]) -> bool:
        if isinstance(node, str) and node in self._schema.named:
            return False
        if logical(node) or kind(node) not in _AS_JSON:
            return False
        if kind(node) == "record":
            if node["name"] in above:
                raise circular(above, node["name"])
            return all(self._fits_json(f["type"], (*above, node["name"])) for f in node["fields"])
        inner = node.get("items", node.get("values")) if isinstance(node, dict) else None
        return inner is None or self._fits_json(inner, above)

    def _union(self, node: list[Schema], above: tuple[str, ...]) -> str:
        """A nullable type is that type; of several, a struct has a field each, by the names of the types."""
        inner = inner_of_nullable(node)
        if inner is not None:
            return self.type_of(inner, above)
        fields = []
        for variant in node:
            name = kind(variant)
            if name == "null":
                continue
            if name not in (*_PRIMITIVES, "array", "map") or name == "enum":
                raise UnsupportedFeature(
                    f"Avro named type used in Union type: {name if isinstance(variant, str) else variant.get('name', name)}",
                    hint="failed to convert Avro union to struct: read the topic with ENCODE BYTES",
                )
            if logical(variant):
                raise UnsupportedFeature(
                    f"Avro logicalType used in Union type: {logical(variant)}",
                    hint="failed to convert Avro union to struct: read the topic with ENCODE BYTES",
                )
            fields.append(f"{written_name(name)} {self.type_of(variant, above)}")
        return f"STRUCT<{', '.join(fields) or ' '}>"
