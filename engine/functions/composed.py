"""Makes composed types before a statement that names them: structs and maps, by the functions of `engine/functions`.

Called by the flow, for its own statements and on behalf of the front door's; types are never dropped, since stored columns may
have them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from tailrace.sql.types import ComposedType, StructType

Connection = psycopg.Connection[tuple[Any, ...]]


def provide(connection: Connection, types: Iterable[ComposedType]) -> None:
    """Make those of `types` that are not there yet; others are made of those that come first. Costs 1 to 10 ms for each."""
    for type_ in types:
        if isinstance(type_, StructType):
            names, kinds = [n for n, _ in type_.fields], [t for _, t in type_.fields]
            connection.execute("SELECT rw.make_struct(%s, %s, %s)", (type_.name, names, kinds))
        else:
            arguments = (type_.name, type_.key, type_.value, type_.entry.name)
            connection.execute("SELECT rw.make_map(%s, %s, %s, %s)", arguments)
