"""Finds the rows of a failed barrier that raise a data exception, sets them aside, and takes in all others.

By bisection until a poison row stands alone; it goes to engine.poison_rows with its error. The tables' changes and the time go
first and in one walk, since the tables' storage shows them all already; the messages of each source follow, in one walk too.
Called by the barrier, inside its second transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from engine.catalog.objects import CatalogObject
from engine.compile.program import delta_name
from engine.connectors.source import SourceSpec
from engine.ddl.create_table import take_changes_as_text
from engine.flow.source_input import copy_rows
from engine.operators.base import names

log = logging.getLogger(__name__)

_Row = tuple[Any, ...]
_Changes = list[tuple[CatalogObject, _Row]]


@dataclass(slots=True)
class PoisonSearch:
    """`spec` gives a source's reader settings, `walk` runs the steps of what is built on the ids given, `clear` empties the
    delta tables; `now` is the barrier's time.
    """

    connection: psycopg.Connection[tuple[Any, ...]]
    spec: Callable[[int], SourceSpec]
    walk: Callable[[set[int], datetime], None]
    clear: Callable[[], None]
    now: datetime

    def take_changes_of(self, tables: Sequence[CatalogObject]) -> None:
        """Find by trial which changes can be walked over together, then walk over those."""
        waiting: list[_Changes] = [[]]
        for table in tables:
            taken = self.connection.execute(take_changes_as_text(table.id, table.columns)).fetchall()
            waiting[0].extend((table, row) for row in taken)
        sound: _Changes = []
        while waiting:
            piece = waiting.pop()
            try:
                with self.connection.transaction(force_rollback=True):
                    self._walk_over([*sound, *piece])
                sound.extend(piece)
            except psycopg.DataError as error:
                if not piece:
                    raise
                if len(piece) > 1:
                    middle = len(piece) // 2
                    waiting.extend((piece[middle:], piece[:middle]))
                else:
                    self._set_aside(*piece[0], error)
        self._walk_over(sound)
        self.clear()

    def take_messages_of(self, source: CatalogObject, rows: Sequence[_Row]) -> None:
        """Find by trial which decoded messages can be walked over, then walk over those in one piece.

        Every trial starts from the state before the batch, and so does the walk: the watermark that stands there judges all rows
        alike. Cost: about three walks for a poison row; rows that fail only together are found by a slower search.
        """
        sound = self._search(source, rows, [])
        try:
            with self.connection.transaction():
                self._take(source, sound)
        except psycopg.DataError:
            self._take(source, self._search(source, sound, None))
        self.clear()

    def _search(self, source: CatalogObject, rows: Sequence[_Row], base: list[_Row] | None) -> list[_Row]:
        """The rows that do not fail, the others set aside; each piece alone behind `base`, or (None) behind all sound ones."""
        sound: list[_Row] = []
        waiting = [list(rows)]
        while waiting:
            piece = waiting.pop()
            if not piece:
                continue
            try:
                with self.connection.transaction(force_rollback=True):
                    self._take(source, [*(sound if base is None else base), *piece])
                sound.extend(piece)
            except psycopg.DataError as error:
                if len(piece) > 1:
                    middle = len(piece) // 2
                    waiting.extend((piece[middle:], piece[:middle]))
                else:
                    self._set_aside(source, piece[0], error)
        return sound

    def _take(self, source: CatalogObject, rows: Sequence[_Row]) -> None:
        if rows:
            copy_rows(self.connection, source, self.spec(source.id), rows)
            self.walk({source.id}, self.now)

    def _walk_over(self, changes: _Changes) -> None:
        with self.connection.cursor() as cursor:
            for table, row in changes:
                places = ", ".join(f"%s::text::{c.type}" for c in table.columns)
                cursor.execute(
                    f"INSERT INTO {delta_name(table.id)} ({names(table.columns)}, _w) VALUES ({places}, %s)",
                    row,
                )
        self.walk({table.id for table, _ in changes}, self.now)

    def _set_aside(self, relation: CatalogObject, row: tuple[Any, ...], error: psycopg.DataError) -> None:
        message = error.diag.message_primary or str(error)
        log.error("poison row of %s set aside (%s): %s", relation.name, error.sqlstate, message)
        self.connection.execute(
            "INSERT INTO engine.poison_rows (source_id, origin, error, sqlstate) VALUES (%s, %s, %s, %s)",
            (relation.id, repr(row)[:2000], message, error.sqlstate or "22000"),
        )
