"""What a DDL statement works with, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import psycopg
from sqlglot import exp

from engine.catalog.objects import PUBLIC, Catalog, CatalogObject, insert
from engine.compile.describe import environment
from engine.compile.relations import Environment
from engine.connectors.external import ExternalSchema
from engine.ddl.parallelism import recorded
from tailrace.errors import DuplicateObject, PermissionDenied, UndefinedObject, UnsupportedFeature
from tailrace.sql.names import ObjectName, folded, qualify

Connection = psycopg.Connection[tuple[Any, ...]]
USER = "$user"
SEARCH_PATH = (USER, PUBLIC)
"""The search path of a session that has set none."""
SYSTEM_SCHEMAS = frozenset({"pg_catalog", "rw_catalog", "information_schema", "engine", "rw"})


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

    `background` is the client's BACKGROUND_DDL; `stop_backfill` ends the worker of an object that is being created; `settle`
    takes in what clients have changed below the relations given: called before their content is read or their change logs are
    altered. Other tables' changes wait for the next barrier.
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
    settle: Callable[[Iterable[CatalogObject]], None] = lambda _items: None
    search_path: Sequence[str] = SEARCH_PATH
    settings: Mapping[str, str] = field(default_factory=dict)
    schemas: dict[Hashable, ExternalSchema] = field(default_factory=dict)
    """What registries have answered to this statement, so that it sees one version of each schema."""

    @property
    def environment(self) -> Environment:
        return environment(self.connection, lambda name: self.catalog.relation(name, self.path))

    @property
    def path(self) -> tuple[str, ...]:
        """The schemas of the search path that exist, in order."""
        wanted = (self.user if name == USER else name for name in self.search_path)
        return tuple(dict.fromkeys(name for name in wanted if name in self.catalog.schemas))

    @property
    def is_superuser(self) -> bool:
        """Whether the statement is root's, or of a user who has root's rights."""
        if self.user == "root":
            return True
        row = self.connection.execute("SELECT pg_has_role(%s, 'root', 'MEMBER')", (self.user,)).fetchone()
        return row == (True,)

    def place(self, name: ObjectName) -> ObjectName:
        """`name` with the schema in which an object so called is created; raises UndefinedObject (3F000)."""
        schema = name.schema or next(iter(self.path), None)
        if schema is None:
            raise UndefinedObject(
                "no schema has been selected to create in",
                sqlstate="3F000",
                hint="SET search_path TO public, or write the schema before the name",
            )
        if schema in SYSTEM_SCHEMAS:
            raise PermissionDenied(
                f"schema {schema} is the system's", hint="create objects in a schema of your own"
            )
        if schema not in self.catalog.schemas:
            raise UndefinedObject(
                f"schema not found: {schema}",
                sqlstate="3F000",
                detail=f'schema "{schema}" does not exist',
                hint=f"CREATE SCHEMA {schema}",
            )
        if not self.is_superuser and self.catalog.schemas[schema].owner != self.user:
            self._check_right("has_schema_privilege", schema, "CREATE", f"schema {schema}")
        return ObjectName(name.name, schema)

    def check_may_change(self, item: CatalogObject) -> None:
        """Raises PermissionDenied unless the statement's user is a superuser or owns `item`."""
        if not self.is_superuser and item.owner != self.user:
            raise PermissionDenied(
                f"Permission denied: {self.user} is not the owner of {item.shown_kind} {item.name}",
                hint="connect as its owner or as root",
            )

    def check_may_read(self, item: CatalogObject) -> None:
        """Raises PermissionDenied unless the statement's user may SELECT from a relation."""
        if not self.is_superuser and item.owner != self.user:
            self._check_right("has_table_privilege", item.visible, "SELECT", f"{item.kind} {item.name}")

    def _check_right(self, function: str, on: str, right: str, shown: str) -> None:
        row = self.connection.execute(f"SELECT {function}(%s, %s, %s)", (self.user, on, right)).fetchone()
        if row != (True,):
            raise PermissionDenied(
                f"Permission denied: {self.user} has no {right} on {shown}",
                hint=f"GRANT {right} ON {shown} TO {self.user}",
            )

    def qualify(self, query: exp.Expr) -> None:
        """Write the schemas into a query's references, so that it means the same under every search path.

        Raises UnsupportedFeature for relations of another database.
        """
        for table in query.find_all(exp.Table):
            if table.catalog and folded(table.args["catalog"]) != self.connection.info.dbname:
                raise UnsupportedFeature(
                    f"a relation of another database: {table.catalog}.{table.db}.{table.name}",
                    hint="connect to that database, or bring the rows over through a topic",
                )
            table.set("catalog", None)

        def schema_of(name: ObjectName) -> str | None:
            found = self.catalog.find(name, self.path)
            return None if found is None else found.schema

        qualify(query, schema_of)

    def execute(self, *statements: str) -> None:
        """Run statements that the engine wrote itself."""
        for statement in statements:
            self.connection.execute(statement)

    def new_id(self) -> int:
        """A fresh object id."""
        row = self.connection.execute("SELECT nextval('engine.object_id')").fetchone()
        return int(row[0]) if row else 0

    def is_new(self, name: ObjectName, *, if_not_exists: bool) -> bool:
        """False, with a notice, if `name` (see `place`) exists and that is allowed; raises DuplicateObject if it is not."""
        found = self.catalog.find(name, self.path)
        if found is None:
            return True
        name = _shown(found.full_name)
        if found.is_creating and not if_not_exists:
            raise DuplicateObject(
                f'{found.kind} with name "{name}" is being created',
                hint="WAIT, or CANCEL JOBS; see SHOW JOBS",
            )
        if if_not_exists:
            self.notices.append(f'relation "{name}" already exists, skipping')
            return False
        raise DuplicateObject(
            f'{found.shown_kind} with name "{name}" exists',
            hint=f"DROP {found.shown_kind.upper()} {name}, or choose another name",
        )

    def existing(self, name: ObjectName) -> CatalogObject:
        """The object called `name`, in the search path if it carries no schema; raises UndefinedObject."""
        found = self.catalog.find(name, self.path)
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
        if self.path != (PUBLIC,):
            new = replace(new, body={**new.body, "path": list(self.path)})
        new = replace(new, body={**new.body, **recorded(new.kind, self.settings)})
        insert(self.connection, new)
        self.catalog.objects[new.id] = new
        self.created.append(new)


def _shown(name: ObjectName) -> ObjectName:
    """As messages call it: without schema public."""
    return ObjectName(name.name) if name.schema == PUBLIC else name


def readers(owner: str) -> str:
    """Who may read an object from the start, as SQL: the roles that there always are, and its owner."""
    roles = ("root", "dashboard", owner)
    return ", ".join(ObjectName(role).sql for role in dict.fromkeys(roles))


def writers(owner: str) -> str:
    """Who may change a table's rows from the start."""
    return ", ".join(ObjectName(role).sql for role in dict.fromkeys(("root", owner)))
