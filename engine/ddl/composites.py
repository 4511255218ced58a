"""What composite types (structs) consist of, asked from PostgreSQL: for those who decode messages into them.

`register` makes psycopg write them in binary COPY, once per connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.types.composite import CompositeInfo, register_composite

from engine.connectors.source import Composites, short_type

Connection = psycopg.Connection[tuple[Any, ...]]

_FIELDS = """\
SELECT a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_type AS t JOIN pg_attribute AS a ON a.attrelid = t.typrelid
WHERE t.oid = to_regtype(%s) AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


def composites_of(connection: Connection, types: Iterable[str], *, shorten: bool = True) -> Composites:
    """The fields of every composite type among `types` and within them, by its name (with its schema); one query a type.

    Their types have the names of `short_type`, or PostgreSQL's.
    """
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    waiting = list(types)
    while waiting:
        type_ = waiting.pop()
        while type_.endswith("[]"):
            type_ = type_.removesuffix("[]")
        if type_ in found or "." not in type_:
            continue
        fields = connection.execute(_FIELDS, (type_,)).fetchall()
        if fields:
            found[type_] = tuple((name, short_type(kind) if shorten else kind) for name, kind in fields)
            waiting += [kind for _, kind in found[type_]]
    return found


def register(connection: Connection, composites: Composites) -> None:
    """Let rows hold tuples for these types. Costs a query a type the first time, nothing afterwards."""
    known = connection.adapters.types
    for name in composites:
        if known.get(name) is None and (info := CompositeInfo.fetch(connection, name)) is not None:
            register_composite(info, connection, make_sequence=_sequence)


def _sequence(value: Any, info: CompositeInfo) -> Any:
    return value
