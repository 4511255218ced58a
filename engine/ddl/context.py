"""What a DDL statement works with, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from engine.catalog.objects import Catalog, CatalogObject, insert
from engine.compile.describe import environment
from engine.compile.relations import Environment
from tailrace.errors import DuplicateObject, UndefinedObject

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(slots=True)
class Reply:
    """The answer to a command: RisingWave's tag, and rows of text for EXPLAIN and its like."""

    tag: str
    columns: tuple[str, ...] | None = None
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    job: int | None = None
    """The backfill that has to end before the statement has."""


@dataclass(slots=True)
class DdlContext:
    """One statement inside the flow's transaction. `now` is the barrier's time, aware, UTC.

    `background` is the client's BACKGROUND_DDL; `stop_backfill` ends the worker of an object that is being created.
    """

    connection: Connection
    catalog: Catalog
    user: str
    now: datetime
    text: str
    notices: list[str] = field(default_factory=list)
    created: list[CatalogObject] = field(default_factory=list)
    background: bool = False
    stop_backfill: Callable[[int], None] = lambda _id: None

    @property
    def environment(self) -> Environment:
        return environment(self.connection, self.catalog.relation)

    def execute(self, *statements: str) -> None:
        """Run statements that the engine wrote itself."""
        for statement in statements:
            self.connection.execute(statement)

    def new_id(self) -> int:
        """A fresh object id."""
        row = self.connection.execute("SELECT nextval('engine.object_id')").fetchone()
        return int(row[0]) if row else 0

    def is_new(self, name: str, *, if_not_exists: bool) -> bool:
        """False, with a notice, if `name` exists and that is allowed; raises DuplicateObject if it is not."""
        found = self.catalog.by_name(name)
        if found is None:
            return True
        if found.is_creating and not if_not_exists:
            raise DuplicateObject(
                f'{found.kind} with name "{name}" is being created',
                hint="WAIT, or CANCEL JOBS; see SHOW JOBS",
            )
        if if_not_exists:
            self.notices.append(f'relation "{name}" already exists, skipping')
            return False
        raise DuplicateObject(
            f'{found.kind} with name "{name}" exists',
            hint=f"DROP {found.kind.upper()} {name}, or choose another name",
        )

    def existing(self, name: str) -> CatalogObject:
        """The object called `name`; raises UndefinedObject."""
        found = self.catalog.by_name(name)
        if found is None:
            raise UndefinedObject(f'relation "{name}" does not exist')
        if found.is_creating:
            raise UndefinedObject(
                f'relation "{name}" is being created',
                hint="WAIT until it is there; SHOW JOBS shows how far it is",
            )
        return found

    def record(self, new: CatalogObject) -> None:
        """Put a new object into the catalog, in PostgreSQL and in memory."""
        insert(self.connection, new)
        self.catalog.objects[new.id] = new
        self.created.append(new)
