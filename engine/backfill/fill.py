"""The first fill of a view: everything its inputs hold in the transaction's snapshot goes through the view's step.

Stored inputs come as one delta with `initial`, sources are read again from their topics, chunk by chunk. Called inside a
transaction by the flow for small fills, and by the worker for large ones that cannot go step by step
(`engine.backfill.stepwise`); the session has the delta tables of the view and of its inputs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg

from engine.catalog.objects import CatalogObject
from engine.compile.program import delta_name
from engine.operators.base import names

Connection = psycopg.Connection[tuple[Any, ...]]
CatchUp = Callable[[CatalogObject], Iterator[int]]
"""Puts a source's past messages into its delta table chunk by chunk; yields the rows of each, empties it afterwards."""
Progress = Callable[[int], None]
"""Told how many rows more have been taken in."""


def fill(
    connection: Connection,
    view: CatalogObject,
    inputs: Sequence[CatalogObject],
    *,
    now: datetime,
    catch_up: CatchUp,
    progress: Progress = lambda _rows: None,
) -> None:
    """Bring `view`, whose state is empty, to what its query gives over the inputs at this snapshot."""
    program = view.program
    assert program is not None  # noqa: S101 - only what has a program is filled
    read = [i for i in inputs if reads(program.function, i)]
    stored = [i for i in read if i.kind != "source"]
    step = f"SELECT engine.step_{view.id}(%s, %s, %s, false)"

    def advance(*, initial: bool) -> None:
        connection.execute(step, (now, now, initial))
        clear_deltas(connection, view, inputs)

    with free_planner(connection):
        rows = sum(_whole(connection, item) for item in stored)
        advance(initial=True)
        progress(rows)
    for source in (i for i in read if i.kind == "source"):
        for rows in catch_up(source):
            advance(initial=False)
            progress(rows)


def clear_deltas(connection: Connection, view: CatalogObject, inputs: Sequence[CatalogObject]) -> None:
    """Empty what a step of `view` reads and writes in this session, as a commit would."""
    program = view.program
    tables = [t for i in inputs for t in _delta_tables_of(i)]
    tables += [temporary_name(t) for t in program.temporaries] if program else []
    connection.execute(f"TRUNCATE {', '.join(tables)}")


def _delta_tables_of(item: CatalogObject) -> list[str]:
    """Where an input's changes are in a session: its delta table, and a source's decoded messages before its own step."""
    own_step = item.kind == "source" and item.body.get("program")
    return [delta_name(item.id), *([f"pg_temp.input_{item.id}"] if own_step else [])]


def temporary_name(ddl: str) -> str:
    """The name in a CREATE TEMP TABLE statement of ours."""
    return "pg_temp." + ddl.split("IF NOT EXISTS ", 1)[1].split(" ", 1)[0]


def stored_rows(connection: Connection, item: CatalogObject, most: int | None = None) -> int:
    """How many rows a stored input holds, counted no further than `most`."""
    content = item.relation().content
    limit = f" LIMIT {most:d}" if most is not None else ""
    row = connection.execute(f"SELECT count(*) FROM (SELECT 1 FROM {content} AS c{limit}) AS q").fetchone()
    return int(row[0]) if row else 0


def reads(function: str, item: CatalogObject) -> bool:
    """Does the step read the input's changes? A temporal join's right side is looked up, never taken in."""
    return re.search(re.escape(delta_name(item.id)) + r"(?![0-9_])", function) is not None


def _whole(connection: Connection, item: CatalogObject) -> int:
    columns = names(item.columns)
    done = connection.execute(
        f"INSERT INTO {delta_name(item.id)} ({columns}, _w) SELECT {columns}, 1 FROM {item.relation().content} AS c"
    )
    return done.rowcount


@contextmanager
def free_planner(connection: Connection) -> Iterator[None]:
    """These statements run once over everything: the planner sees how much there is, and may hash and scan."""
    for setting in ("enable_hashjoin", "enable_mergejoin", "enable_seqscan"):
        connection.execute(f"SET LOCAL {setting} = on")
    connection.execute("SET LOCAL plan_cache_mode = auto")
    yield
    for setting in ("enable_hashjoin", "enable_mergejoin", "enable_seqscan"):
        connection.execute(f"SET LOCAL {setting} = off")
    connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
