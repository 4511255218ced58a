"""Copies of a view's stored inputs, as one snapshot showed them, from which the view is filled slice by slice.

`whole_<view>_<input>` holds the rows; slices are ranges of its pages, which needs neither order nor index. Where operators look
into an input's content (a join's other side), they must see there what has been taken in so far and nothing else:
`seen_<view>_<input>` holds that, indexed like the original, and `engine.fill_<view>` is the view's step function with
those names instead of the originals'. All of it is unlogged: PostgreSQL empties it when it recovers from a crash, which
`are_lost` tells; the fill then begins anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from engine.catalog.objects import CatalogObject
from engine.compile.builder import indexed
from engine.compile.program import Program, borrowed_indexes, delta_name
from engine.operators.base import names, quote

Connection = psycopg.Connection[tuple[Any, ...]]

CHUNK_ROWS = 25_000
"""What one step takes in."""
_PAGE_BYTES = 8192


@dataclass(slots=True)
class Copy:
    """How far one input's copy has been taken in. `columns` is its column list as SQL."""

    input_id: int
    columns: str
    rows: int
    pages: int
    seen: bool
    next_page: int = 0

    @property
    def left_pages(self) -> int:
        return self.pages - self.next_page

    @property
    def left_rows(self) -> int:
        """Estimated by pages."""
        return self.rows * self.left_pages // max(self.pages, 1)

    def put_in(self, connection: Connection, view_id: int) -> int:
        """Put the next slice into the input's delta table and among what is seen; returns its rows."""
        width = max(1, self.pages * CHUNK_ROWS // max(self.rows, 1))
        page, self.next_page = self.next_page, min(self.next_page + width, self.pages)
        delta = delta_name(self.input_id)
        done = connection.execute(
            f"INSERT INTO {delta} ({self.columns}, _w) SELECT {self.columns}, 1 FROM {_whole(view_id, self.input_id)} "
            f"WHERE ctid >= '({page},0)'::tid AND ctid < '({self.next_page},0)'::tid"
        )
        if self.seen:
            seen = _seen(view_id, self.input_id)
            connection.execute(f"INSERT INTO {seen} ({self.columns}) SELECT {self.columns} FROM {delta}")
        return done.rowcount


def make_copies(connection: Connection, view: CatalogObject, inputs: Sequence[CatalogObject]) -> list[Copy]:
    """Copy the content of stored inputs in the transaction's snapshot, smallest first; makes `engine.fill_<view>` too."""
    program = view.program
    assert program is not None  # noqa: S101 - only what has a program is filled
    looked_into = {i.id for i in inputs if re.search(_content(i), program.function)}
    copies = []
    for item in inputs:
        whole, columns = _whole(view.id, item.id), names(item.columns)
        connection.execute(
            f"CREATE UNLOGGED TABLE {whole} AS SELECT {columns} FROM {item.relation().content} AS c"
        )
        found = connection.execute(
            f"SELECT count(*), pg_relation_size('{whole}') / {_PAGE_BYTES} FROM {whole}"
        ).fetchone()
        rows, pages = found or (0, 0)
        copies.append(Copy(item.id, columns, rows, pages, item.id in looked_into))
    function = program.function.replace(f"engine.step_{view.id}(", f"engine.fill_{view.id}(", 1)
    for item in (i for i in inputs if i.id in looked_into):
        _make_seen(connection, view.id, item, program)
        function = re.sub(_content(item), _seen(view.id, item.id), function)
    connection.execute(function)
    return sorted(copies, key=lambda c: c.rows)


def fill_function(view_id: int) -> str:
    """What takes a slice in."""
    return f"engine.fill_{view_id}"


def are_lost(connection: Connection, view_id: int, copies: Sequence[Copy]) -> bool:
    """Has a crash of PostgreSQL emptied them?"""
    return any(
        connection.execute(f"SELECT EXISTS (SELECT 1 FROM {_whole(view_id, c.input_id)})").fetchone()
        != (True,)
        for c in copies
        if c.rows
    )


def drop_copies(view_id: int, input_ids: Sequence[int]) -> list[str]:
    """DDL that removes all of it, whether or not it is there."""
    tables = [f"DROP TABLE IF EXISTS {name(view_id, i)}" for i in input_ids for name in (_whole, _seen)]
    return [*tables, f"DROP FUNCTION IF EXISTS {fill_function(view_id)}"]


def _whole(view_id: int, input_id: int) -> str:
    return f"engine.whole_{view_id}_{input_id}"


def _seen(view_id: int, input_id: int) -> str:
    return f"engine.seen_{view_id}_{input_id}"


def _content(item: CatalogObject) -> str:
    """A pattern for the name by which programs read an input's content."""
    return re.escape(str(item.relation().content)) + r"(?![0-9_])"


def _make_seen(connection: Connection, view_id: int, item: CatalogObject, program: Program) -> None:
    """An empty table of the input's columns, with the input's key and the indexes that the program asked for."""
    seen, relation = _seen(view_id, item.id), item.relation()
    connection.execute(f"CREATE UNLOGGED TABLE {seen} (LIKE {_whole(view_id, item.id)})")
    if relation.key:
        connection.execute(f"CREATE INDEX ON {seen} ({names(relation.key)})")
    for table in {t for t, _ in relation.storage.values()}:
        shown = {indexed(e): quote(c) for c, (t, e) in relation.storage.items() if t == table}
        stored = re.compile("|".join(re.escape(e) for e in sorted(shown, key=len, reverse=True)))
        for on in borrowed_indexes(program, view_id).values():
            if on.startswith(f"{table} ("):
                items = stored.sub(lambda found: shown[found.group()], on.removeprefix(f"{table} "))  # noqa: B023
                connection.execute(f"CREATE INDEX ON {seen} {items}")
