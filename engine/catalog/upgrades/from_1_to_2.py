"""Version 2: the version itself, ends of topics, memory of processes. Nothing that version 1 holds changes."""

from __future__ import annotations

from typing import Any

import psycopg

from engine.catalog.schema import ADDED_IN_2


def apply(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Run what a new database of version 2 has on top of version 1."""
    for piece in ADDED_IN_2:
        connection.execute(piece)
