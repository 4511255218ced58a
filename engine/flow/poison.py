"""Finds the rows of a failed barrier that raise a data exception, sets them aside, and takes in all others.

By bisection until a poison row stands alone; it goes to engine.poison_rows with its error, unless the engine is to blame
(`engine.flow.blame`). The tables' changes and the time go
first and in one walk, since the tables' storage shows them all already; the messages of each source follow, in one walk too.
Called by the barrier, inside its second transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from engine.catalog.objects import CatalogObject
from engine.compile.program import delta_name
from engine.connectors.source import SourceSpec
from engine.ddl.create_table import take_changes_as_text
from engine.flow.blame import StepFailedError, Suspect, failed_step, raises_as_batch, tell_suspects
from engine.flow.source_input import copy_rows
from engine.operators.base import names

log = logging.getLogger(__name__)

_Row = tuple[Any, ...]
_MOST = 100_000
"""Characters of a row that are kept: it may be found nowhere else."""
_Changes = list[tuple[CatalogObject, _Row]]


@dataclass(slots=True)
class PoisonSearch:
    """`spec` gives a source's reader settings, `walk` runs the steps of what is built on the ids given, up to the step of an
    object where one is named, `clear` empties the delta tables; `now` is the barrier's time, `objects` the catalog's.
    """

    connection: psycopg.Connection[tuple[Any, ...]]
    spec: Callable[[int], SourceSpec]
    walk: Callable[[set[int], datetime], None]
    walk_to: Callable[[set[int], datetime, int], None]
    clear: Callable[[], None]
    now: datetime
    objects: Mapping[int, CatalogObject]
    _data: set[int] = field(default_factory=set)
    """Objects whose queries fail on what there is: their rows are to blame."""
    _suspects: dict[int, Suspect] = field(default_factory=dict)

    def take_changes_of(self, tables: Sequence[CatalogObject]) -> None:
        """Find by trial which changes can be walked over together, then walk over those.

        Raises StepFailedError where a step fails without any row.
        """
        waiting: list[_Changes] = [[]]
        for table in tables:
            taken = self.connection.execute(take_changes_as_text(table.id, table.columns)).fetchall()
            waiting[0].extend((table, row) for row in taken)
        sound: _Changes = []
        self._walk_over_nothing()
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
                    self._judge(sound, piece[0], error)
                    self._set_aside(*piece[0], error)
        self._walk_over(sound)
        self.clear()
        tell_suspects(self.connection, self._suspects)

    def _walk_over_nothing(self) -> None:
        try:
            with self.connection.transaction(force_rollback=True):
                self._walk_over([])
        except psycopg.DataError as error:
            step = failed_step(error)  # of what changes with time
            if step is None:
                raise
            raise StepFailedError(step, error) from error

    def _judge(self, sound: _Changes, change: tuple[CatalogObject, _Row], error: psycopg.DataError) -> None:
        """See whether the row, which fails behind the sound ones, is to blame; raises StepFailedError where none can be."""
        step = failed_step(error)
        view = self.objects.get(step or 0)
        if view is None or view.id in self._data or self._was_set_aside(*change):
            return
        with self.connection.transaction(force_rollback=True):
            try:
                self.walk_to(set(), self.now, view.id)
            except psycopg.DataError as without:
                raise StepFailedError(view.id, without) from error
        with self.connection.transaction(force_rollback=True):
            self._put_in([*sound, change])
            self.walk_to({table.id for table, _ in (*sound, change)}, self.now, view.id)
            is_of_data = raises_as_batch(self.connection, view)
        if is_of_data:
            self._data.add(view.id)
        else:
            self._suspects.setdefault(view.id, Suspect(view, error)).rows += 1

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

    def _was_set_aside(self, table: CatalogObject, row: _Row) -> bool:
        """Is it the deletion of a row that went to the poison rows when it came? No batch can see that one any more."""
        if row[-1] > 0:
            return False
        found = self.connection.execute(
            "SELECT EXISTS (SELECT FROM engine.poison_rows WHERE source_id = %s AND origin = %s)",
            (table.id, _origin((*row[:-1], -row[-1]))),
        ).fetchone()
        return found == (True,)

    def _walk_over(self, changes: _Changes) -> None:
        self._put_in(changes)
        self.walk({table.id for table, _ in changes}, self.now)

    def _put_in(self, changes: _Changes) -> None:
        with self.connection.cursor() as cursor:
            for table, row in changes:
                places = ", ".join(f"%s::text::{c.type}" for c in table.columns)
                cursor.execute(
                    f"INSERT INTO {delta_name(table.id)} ({names(table.columns)}, _w) VALUES ({places}, %s)",
                    row,
                )

    def _set_aside(self, relation: CatalogObject, row: tuple[Any, ...], error: psycopg.DataError) -> None:
        message = error.diag.message_primary or str(error)
        log.error("poison row of %s set aside (%s): %s", relation.name, error.sqlstate, message)
        self.connection.execute(
            "INSERT INTO engine.poison_rows (source_id, origin, error, sqlstate) VALUES (%s, %s, %s, %s)",
            (relation.id, _origin(row), message, error.sqlstate or "22000"),
        )


def _origin(row: _Row) -> str:
    return repr(row)[:_MOST]
