"""The catalog in memory: every object as a value, loaded at start and after each DDL statement.

The flow is the only writer, so its copy is always right; what clients see are the views of `engine.catalog.visible`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from engine.compile.program import Program
from engine.compile.relations import Relation
from engine.operators.base import Column, quote
from tailrace.sql.names import ObjectName

Connection = psycopg.Connection[tuple[Any, ...]]


PUBLIC = "public"
SHOWN_AS = "shown_as"
"""In an object's body: the kind that clients know it by, where that is not its own."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema that clients see."""

    id: int
    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class CatalogObject:
    """One object. `body` is what its kind needs: columns, key, append_only, program, options, query, relation."""

    id: int
    name: str
    kind: str
    owner: str
    definition: str
    body: dict[str, Any]
    references: tuple[int, ...] = ()
    status: str = "created"  # or "creating": a backfill fills it, and clients do not see it yet
    schema: str = PUBLIC

    @property
    def shown_kind(self) -> str:
        """What clients know it as: a source whose rows are kept is a table inside."""
        return str(self.body.get(SHOWN_AS, self.kind))

    @property
    def full_name(self) -> ObjectName:
        """Its name with its schema."""
        return ObjectName(self.name, self.schema)

    @property
    def visible(self) -> str:
        """What clients read it by, as SQL: the PostgreSQL view of its schema and name."""
        return self.full_name.sql

    @property
    def path(self) -> tuple[str, ...]:
        """The schemas in which names without one were looked for when it was made."""
        return tuple(self.body.get("path", (PUBLIC,)))

    @property
    def index_name(self) -> str:
        """What PostgreSQL calls the index behind an index object, in schema engine."""
        return f"index_{self.id}"

    @property
    def is_creating(self) -> bool:
        return self.status == "creating"

    @property
    def program(self) -> Program | None:
        """The maintenance program of a materialized view or sink; a source's when it computes columns or filters."""
        value = self.body.get("program")
        return Program.from_json(value) if value else None

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(Column(c["name"], c["type"], c["hidden"]) for c in self.body.get("columns", ()))

    @property
    def targets(self) -> tuple[int, ...]:
        """Relations that it refers to because it writes them, not because it reads them: the table of a sink INTO."""
        into = self.body.get("into")
        return (into["table"],) if into else ()

    def relation(self) -> Relation:
        """The object as the compiler sees it."""
        program = self.program if self.kind == "materialized view" else None
        content = None
        storage: dict[str, tuple[str, str]] = {}
        if self.kind == "table":
            content = f"engine.table_{self.id}"
            storage = {c.name: (content, quote(c.name)) for c in self.columns}
        elif program is not None:
            content, storage = f"engine.content_{self.id}", program.storage
        return Relation(
            self.id,
            self.name,
            self.kind,
            self.columns,
            tuple(self.body.get("key", ())),
            bool(self.body.get("append_only")),
            content,
            storage,
            self.body.get("query"),
            self.body.get("watermarks", {}),
            self.schema,
        )


@dataclass(slots=True)
class Catalog:
    """All objects by id, in the order in which they were made, which is also an order of dependency."""

    objects: dict[int, CatalogObject] = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)

    def by_name(self, name: str, schema: str = PUBLIC) -> CatalogObject | None:
        """The object called `name` (already folded) in `schema`, or None."""
        return next((o for o in self.objects.values() if o.name == name and o.schema == schema), None)

    def find(self, name: ObjectName, path: Iterable[str] = (PUBLIC,)) -> CatalogObject | None:
        """The object in the schema that `name` has, else in the first schema of `path` that has one; or None."""
        schemas = (name.schema,) if name.schema else path
        return next((o for s in schemas if (o := self.by_name(name.name, s)) is not None), None)

    def relation(self, name: ObjectName, path: Iterable[str] = (PUBLIC,)) -> Relation | None:
        """For the compiler: what can be read, so no indexes, no sinks, nothing that is still being filled."""
        found = self.find(name, path)
        if (
            found is None
            or found.kind in ("index", "sink", "subscription", "function", "secret", "connection")
            or found.is_creating
        ):
            return None
        return found.relation()

    def of_kind(self, *kinds: str) -> Iterator[CatalogObject]:
        """Objects of these kinds in order of creation."""
        return (o for o in self.objects.values() if o.kind in kinds)

    def dependents(self, id_: int) -> list[CatalogObject]:
        """Objects built directly on `id_`."""
        return [o for o in self.objects.values() if id_ in o.references]

    def closure(self, ids: Iterable[int]) -> list[CatalogObject]:
        """`ids` and everything built on them, what was made last first, so that it can be dropped in this order."""
        wanted = set(ids)
        for candidate in self.objects.values():
            if wanted & set(candidate.references):
                wanted.add(candidate.id)
        return [self.objects[i] for i in sorted(wanted, reverse=True)]

    def inputs_of(self, item: CatalogObject) -> list[CatalogObject]:
        """The sources, tables and materialized views whose rows an object's program reads, through plain views."""
        found: dict[int, CatalogObject] = {}
        stack = list(item.references)
        while stack:
            below = self.objects[stack.pop()]
            if below.id in item.targets:
                continue
            if below.kind == "view":
                stack.extend(below.references)
            else:
                found[below.id] = below
        return [found[i] for i in sorted(found)]

    def read_by_views(self, id_: int) -> set[int]:
        """Materialized views and sinks whose programs read the delta of `id_` (through plain views too)."""
        found: set[int] = set()
        for dependent in self.dependents(id_):
            found |= self.read_by_views(dependent.id) if dependent.kind == "view" else {dependent.id}
        return {
            i
            for i in found
            if self.objects[i].kind in ("materialized view", "sink", "subscription")
            and id_ not in self.objects[i].targets
        }


def load(connection: Connection) -> Catalog:
    """Read the whole catalog."""
    references: dict[int, list[int]] = {}
    for object_id, referenced in connection.execute(
        "SELECT object_id, referenced_id FROM engine.dependencies"
    ):
        references.setdefault(object_id, []).append(referenced)
    catalog = Catalog()
    for id_, name, owner in connection.execute("SELECT id, name, owner FROM engine.schemas ORDER BY id"):
        catalog.schemas[name] = Schema(id_, name, owner)
    rows = connection.execute(
        "SELECT id, name, kind, owner, definition, body, status, schema FROM engine.objects ORDER BY id"
    )
    for id_, name, kind, owner, definition, body, status, schema in rows:
        catalog.objects[id_] = CatalogObject(
            id_, name, kind, owner, definition, body, tuple(sorted(references.get(id_, ()))), status, schema
        )
    return catalog


def state_tables(connection: Connection, id_: int) -> list[str]:
    """The qualified names of an object's state tables, as PostgreSQL has them."""
    found = connection.execute(
        "SELECT format('engine.%%I', relname) FROM pg_class WHERE relnamespace = 'engine'::regnamespace AND relkind = 'r' "
        "AND relname >= %s::name AND relname < %s::name",  # a range of the index on names, however many tables there are
        (f"state_{id_}_", f"state_{id_}`"),
    ).fetchall()
    return [table for (table,) in found]


def insert(connection: Connection, new: CatalogObject) -> None:
    """Record a new object and its dependencies."""
    connection.execute(
        "INSERT INTO engine.objects (id, name, kind, owner, definition, body, status, schema) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (new.id, new.name, new.kind, new.owner, new.definition, Jsonb(new.body), new.status, new.schema),
    )
    for referenced in new.references:
        connection.execute("INSERT INTO engine.dependencies VALUES (%s, %s)", (new.id, referenced))


def set_created(connection: Connection, item: CatalogObject) -> CatalogObject:
    """The object, whose backfill has ended, as one that clients see."""
    connection.execute("UPDATE engine.objects SET status = 'created' WHERE id = %s", (item.id,))
    return replace(item, status="created")


def update(connection: Connection, changed: CatalogObject) -> None:
    """Write an object's name, schema, owner and texts anew; its id, kind and dependencies stay."""
    connection.execute(
        "UPDATE engine.objects SET name = %s, schema = %s, owner = %s, definition = %s, body = %s WHERE id = %s",
        (changed.name, changed.schema, changed.owner, changed.definition, Jsonb(changed.body), changed.id),
    )


def delete(connection: Connection, id_: int) -> None:
    """Forget an object; whoever depends on it must be gone already."""
    connection.execute("DELETE FROM engine.objects WHERE id = %s", (id_,))
