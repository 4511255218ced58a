"""What structs and maps consist of, asked from PostgreSQL: for those who decode messages into them.

`register` makes psycopg write them in binary COPY, once per connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.string import StrBinaryDumper

from engine.connectors.source import SourceSpec, short_type

Connection = psycopg.Connection[tuple[Any, ...]]

_FIELDS = """\
SELECT a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_type AS t JOIN pg_attribute AS a ON a.attrelid = t.typrelid
WHERE t.oid = to_regtype(%s) AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_ENTRY = """\
SELECT (SELECT format_type(p.prorettype, NULL) FROM pg_proc AS p
        WHERE p.proname = f AND p.pronargs = n AND p.proargtypes[0] = to_regtype(%s))
FROM (VALUES (1, 'map_keys'), (2, 'map_access')) AS wanted (n, f) ORDER BY n"""


@dataclass(slots=True)
class ComposedTypes:
    """By the types' names, with their schema."""

    composites: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Names and types of the fields of structs."""
    maps: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Types of the keys and of the values of maps."""


def composed_of(connection: Connection, types: Iterable[str], *, shorten: bool = True) -> ComposedTypes:
    """Every composite and map type among `types` and within them; two queries a type at most.

    Their types have the names of `short_type`, or PostgreSQL's.
    """
    found = ComposedTypes()
    waiting = list(types)
    while waiting:
        type_ = waiting.pop()
        while type_.endswith("[]"):
            type_ = type_.removesuffix("[]")
        if type_ in found.composites or type_ in found.maps or "." not in type_:
            continue
        if type_.startswith("rw.map_"):
            key, value = (row[0] for row in connection.execute(_ENTRY, (type_,)))
            if key is not None and value is not None:
                inner = (key.removesuffix("[]"), value)
                found.maps[type_] = (short_type(inner[0]), short_type(inner[1])) if shorten else inner
                waiting += found.maps[type_]
            continue
        fields = connection.execute(_FIELDS, (type_,)).fetchall()
        if fields or type_.startswith("rw.struct_"):
            found.composites[type_] = tuple(
                (name, short_type(kind) if shorten else kind) for name, kind in fields
            )
            waiting += [kind for _, kind in found.composites[type_]]
    return found


def register(connection: Connection, spec: SourceSpec) -> None:
    """Let rows hold tuples for structs and texts for maps. Costs a query a type the first time, nothing afterwards."""
    known = connection.adapters.types
    for name in spec.maps:
        if known.get(name) is None and (map_ := TypeInfo.fetch(connection, name)) is not None:
            map_.register(connection)
            known.add(_named(map_, name))
            dumper = type("MapDumper", (StrBinaryDumper,), {"oid": map_.oid})
            connection.adapters.register_dumper(None, dumper)
    for name in spec.composites:
        if known.get(name) is None and (info := CompositeInfo.fetch(connection, name)) is not None:
            register_composite(info, connection, make_sequence=_sequence)


def _named(info: TypeInfo, name: str) -> TypeInfo:
    """The same under its name with the schema, as sources call it."""
    return TypeInfo(name, info.oid, info.array_oid, regtype=name)


def _sequence(value: Any, info: CompositeInfo) -> Any:
    return value
