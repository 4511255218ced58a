"""Runs cases, one after the other, in a database that holds nothing of the project.

What the view reads are stand-ins (`shapes`), filled before and after it is made. Stand-ins that stayed empty serve the next case.
Assumes a session in which a write is seen by the next statement (RW_IMPLICIT_FLUSH). Called by `tailrace test` and by tests.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tailrace.cases.case import Case, Row
from tailrace.cases.clock import at
from tailrace.cases.difference import difference
from tailrace.cases.shapes import Connection, Shape, learn
from tailrace.catalogue import Catalogue, SqlObject
from tailrace.errors import TailraceError


@dataclass(frozen=True, slots=True)
class Outcome:
    """`problems` is empty where the case holds; `shown` are the view's rows, empty if it was refused."""

    case: Case
    seconds: float
    problems: tuple[str, ...]
    shown: tuple[Row, ...] = field(default=(), repr=False)


class Bench:
    """One session; `close` drops what is left. Use as a context manager."""

    def __init__(self, url: str, catalogue: Catalogue, cases: Iterable[Case]) -> None:
        self._catalogue = catalogue
        self._connection: Connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        self._connection.prepare_threshold = None
        self._connection.execute("SET RW_IMPLICIT_FLUSH TO true")
        inputs = {name for case in cases for name in catalogue.inputs(catalogue.named(case.view).name)}
        self._shapes = learn(self._connection, catalogue, inputs)
        self._standing: dict[str, bool] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._clear(self._standing)
        finally:
            self._connection.close()

    def run(self, case: Case) -> Outcome:
        """Run one case. Raises TailraceError where the case itself is wrong (a relation that the view does not read)."""
        began = time.monotonic()
        item = self._catalogue.named(case.view)
        inputs = [n.name for n in self._catalogue.inputs(item.name)]
        strange = sorted({*case.given, *case.then} - set(inputs))
        if strange:
            raise TailraceError(
                f"{case}: {case.view} does not read {', '.join(strange)}",
                hint=f"it reads {', '.join(inputs)}",
            )
        self._prepare(inputs)
        problems, shown = self._try(case, item)
        return Outcome(case, time.monotonic() - began, tuple(problems), tuple(shown))

    def _try(self, case: Case, item: SqlObject) -> tuple[list[str], list[Row]]:
        name = sql.Identifier(item.name.name)
        self._insert(case.given)
        text = at(item.sql, case.now) if case.now else item.sql
        try:
            self._connection.execute(text.encode())
        except psycopg.DatabaseError as error:
            said = f"{error.diag.message_primary or error}"
            if case.error is None:
                return [f"refused: {said}"], []
            return ([] if case.error in said else [f"expected the error: {case.error}", f"got: {said}"]), []
        try:
            if case.error is not None:
                return [f"expected the error: {case.error}", "got: a view"], []
            self._insert(case.then)
            shown = self._connection.execute(sql.SQL("SELECT * FROM {}").format(name)).fetchall()
            return difference(case.expect or [], shown).lines(), shown
        finally:
            self._connection.execute(sql.SQL("DROP {} {}").format(sql.SQL(item.kind.upper()), name))

    def _prepare(self, names: list[str]) -> None:
        """Let each of these stand, empty."""
        self._clear([n for n, filled in self._standing.items() if filled or n not in names])
        for name in names:
            if name not in self._standing:
                self._connection.execute(self._shapes[name].statement())
                self._standing[name] = False

    def _clear(self, names: Iterable[str]) -> None:
        for name in list(names):
            self._connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
            del self._standing[name]

    def _insert(self, rows_of: dict[str, list[Row]]) -> None:
        for name, rows in rows_of.items():
            shape = self._shapes[name]
            for columns, group in _by_columns(rows):
                self._standing[name] = True
                try:
                    self._connection.execute(*_statement(shape, columns, group))
                except psycopg.DatabaseError as error:
                    raise TailraceError(
                        f"rows for {name} cannot be inserted: {error.diag.message_primary or error}",
                        hint=f"its columns: {', '.join(f'{n} {t}' for n, t in shape.columns.items())}",
                    ) from error


def _by_columns(rows: list[Row]) -> list[tuple[tuple[str, ...], list[Row]]]:
    """Runs of rows with the same columns, in order: one INSERT each."""
    found: list[tuple[tuple[str, ...], list[Row]]] = []
    for row in rows:
        if not found or found[-1][0] != tuple(row):
            found.append((tuple(row), []))
        found[-1][1].append(row)
    return found


def _statement(shape: Shape, columns: tuple[str, ...], rows: list[Row]) -> tuple[sql.Composed, list[Any]]:
    unknown = [c for c in columns if c not in shape.columns]
    if unknown:
        raise TailraceError(
            f"{shape.name} has no column {', '.join(unknown)}", hint=f"there are: {', '.join(shape.columns)}"
        )
    one = sql.SQL("({})").format(
        sql.SQL(", ").join(sql.SQL("CAST(%s AS {})").format(sql.SQL(shape.columns[c])) for c in columns)
    )
    statement = sql.SQL("INSERT INTO {} ({}) VALUES {}").format(
        sql.Identifier(shape.name),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join([one] * len(rows)),
    )
    return statement, [_sent(row[c], shape.columns[c]) for row in rows for c in columns]


def _sent(value: Any, type_: str) -> Any:
    """A value of a case file as a parameter: text that the engine casts, bytes and lists as they are."""
    if type_ == "bytea" and isinstance(value, str):
        return value.encode()
    if value is None or (isinstance(value, bytes | list) and type_ != "jsonb"):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
