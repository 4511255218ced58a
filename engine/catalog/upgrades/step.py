"""What an upgrade step is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg


@dataclass(frozen=True, slots=True)
class Step:
    """Takes the private schema from version `source` to `source` + 1. `apply` runs in a transaction of its caller's."""

    source: int
    apply: Callable[[psycopg.Connection[tuple[Any, ...]]], None]
