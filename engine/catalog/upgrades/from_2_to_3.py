"""Version 3. Nothing that version 2 holds is lost."""

from __future__ import annotations

from typing import Any

import psycopg

from engine.catalog.schema import ADDED_IN_3


def apply(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Run what a new database of version 3 has on top of version 2."""
    for piece in ADDED_IN_3:
        connection.execute(piece)
