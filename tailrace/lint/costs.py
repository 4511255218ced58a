"""Asks a running engine what its views cost: EXPLAIN of each. The only part of lint that does input and output."""

from __future__ import annotations

import re

import psycopg

from tailrace.catalogue import Catalogue
from tailrace.errors import TailraceError
from tailrace.sql.kinds import RelationKind
from tailrace.sql.names import ObjectName

_COSTLY = re.compile(r"^\s*(\w+) \[(.*)\] maintained: .*cost: (O\((?:group|state)\))")


def ask_costs(url: str, catalogue: Catalogue) -> dict[ObjectName, tuple[str, ...]]:
    """The operators of each materialized view that are O(group) or O(state), as EXPLAIN shows them.

    A view that the engine cannot explain, since what it reads is not deployed there, has none; nor has any on
    RisingWave, which shows no costs. Raises TailraceError when nobody answers.
    """
    found: dict[ObjectName, tuple[str, ...]] = {}
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            for name in catalogue.order:
                item = catalogue.objects[name]
                if item.kind is RelationKind.MATERIALIZED_VIEW:
                    found[name] = _explain(connection, item.sql)
    except psycopg.OperationalError as error:
        raise TailraceError(
            f"no database session for EXPLAIN: {str(error).strip()}",
            sqlstate="08001",
            hint="start one with `tailrace up`, or lint without --sql-url",
        ) from error
    return found


def _explain(connection: psycopg.Connection[tuple[str]], sql: str) -> tuple[str, ...]:
    try:
        rows = connection.execute(b"EXPLAIN " + sql.encode()).fetchall()
    except psycopg.DatabaseError:
        return ()
    found = (_COSTLY.match(line) for (line,) in rows)
    return tuple(f"{match[1]} [{match[2]}] is {match[3]}" for match in found if match)
