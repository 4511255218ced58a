"""The catalog in memory: every object as a value, loaded at start and after each DDL statement.

The flow is the only writer, so its copy is always right; what clients see are the views of `engine.catalog.schema`.
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

Connection = psycopg.Connection[tuple[Any, ...]]


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
        )


@dataclass(slots=True)
class Catalog:
    """All objects by id, in the order in which they were made, which is also an order of dependency."""

    objects: dict[int, CatalogObject] = field(default_factory=dict)

    def by_name(self, name: str) -> CatalogObject | None:
        """The object called `name` (already folded), or None."""
        return next((o for o in self.objects.values() if o.name == name), None)

    def relation(self, name: str) -> Relation | None:
        """For the compiler: what can be read, so no indexes, no sinks, nothing that is still being filled."""
        found = self.by_name(name)
        if found is None or found.kind in ("index", "sink") or found.is_creating:
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
            if self.objects[i].kind in ("materialized view", "sink") and id_ not in self.objects[i].targets
        }


def load(connection: Connection) -> Catalog:
    """Read the whole catalog."""
    references: dict[int, list[int]] = {}
    for object_id, referenced in connection.execute(
        "SELECT object_id, referenced_id FROM engine.dependencies"
    ):
        references.setdefault(object_id, []).append(referenced)
    catalog = Catalog()
    rows = connection.execute(
        "SELECT id, name, kind, owner, definition, body, status FROM engine.objects ORDER BY id"
    )
    for id_, name, kind, owner, definition, body, status in rows:
        catalog.objects[id_] = CatalogObject(
            id_, name, kind, owner, definition, body, tuple(sorted(references.get(id_, ()))), status
        )
    return catalog


def insert(connection: Connection, new: CatalogObject) -> None:
    """Record a new object and its dependencies."""
    connection.execute(
        "INSERT INTO engine.objects (id, name, kind, owner, definition, body, status) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (new.id, new.name, new.kind, new.owner, new.definition, Jsonb(new.body), new.status),
    )
    for referenced in new.references:
        connection.execute("INSERT INTO engine.dependencies VALUES (%s, %s)", (new.id, referenced))


def set_created(connection: Connection, item: CatalogObject) -> CatalogObject:
    """The object, whose backfill has ended, as one that clients see."""
    connection.execute("UPDATE engine.objects SET status = 'created' WHERE id = %s", (item.id,))
    return replace(item, status="created")


def update(connection: Connection, changed: CatalogObject) -> None:
    """Write an object's name and texts anew; its id, kind and dependencies stay."""
    connection.execute(
        "UPDATE engine.objects SET name = %s, definition = %s, body = %s WHERE id = %s",
        (changed.name, changed.definition, Jsonb(changed.body), changed.id),
    )


def delete(connection: Connection, id_: int) -> None:
    """Forget an object; whoever depends on it must be gone already."""
    connection.execute("DELETE FROM engine.objects WHERE id = %s", (id_,))
