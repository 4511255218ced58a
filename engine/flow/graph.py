"""What follows from the catalog for barriers: who reads whom, which steps there are, what moves together, and its walks.

Worked out anew after each statement, in one pass over the objects; the walks of what the statement did not touch stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from engine.catalog.objects import Catalog, CatalogObject
from engine.flow.blame import stopped
from engine.flow.components import Component, components_of, distinct
from engine.flow.session import STEPPED
from engine.flow.walk import Step, durations_ms, steps_of, walk_function

Connection = psycopg.Connection[tuple[Any, ...]]
_WALKS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Graph:
    """`inputs` by view, sink and subscription; `read`: the relations that some of these read; `components` by member."""

    inputs: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    read: frozenset[int] = frozenset()
    components: Mapping[int, Component] = field(default_factory=dict)
    alone: tuple[Component, ...] = ()
    """Components that move without input."""
    uses_now: bool = False
    """True when some view changes with time alone."""

    @staticmethod
    def of(catalog: Catalog) -> Graph:
        """The graph of a catalog. Cost: O(objects)."""
        inputs = {v.id: tuple(i.id for i in catalog.inputs_of(v)) for v in catalog.of_kind(*STEPPED)}
        read = frozenset(i for each in inputs.values() for i in each)
        stepped = [o for o in catalog.objects.values() if o.body.get("program") and not o.is_creating]
        still = stopped(stepped, inputs)
        stepped = [o for o in stepped if o.id not in still]
        creating = [o for o in catalog.of_kind(*STEPPED) if o.is_creating]
        filled = [(v.id, i) for v in creating for i in inputs[v.id]]
        steps = steps_of(stepped, inputs, read)
        components = components_of((t.id for t in catalog.of_kind("table")), steps, filled)
        alone = [c for c in distinct(components, (s.id for s in steps if s.always)) if c.moves_alone]
        uses_now = any(o.body["program"]["uses_now"] for o in stepped if o.kind in STEPPED)
        return Graph(inputs, read, components, tuple(alone), uses_now)

    def upto(self, changed: Iterable[int], id_: int) -> list[Step]:
        """The steps that a walk over `changed` runs before that of object `id_`, in order."""
        steps = (s for c in self.moving(changed) for s in c.reached(changed))
        return sorted((s for s in steps if s.id < id_), key=lambda s: s.id)

    def moving(self, ids: Iterable[int]) -> list[Component]:
        """The components of those relations, and those that move without input."""
        found = {id(c): c for c in (*distinct(self.components, ids), *self.alone)}
        return list(found.values())


@dataclass(slots=True)
class Walks:
    """The walk functions of the flow's session. Functions of components that are gone are replaced by those of new ones, so that
    PL/pgSQL, which keeps what it has compiled, lets go of it.
    """

    _slots: dict[tuple[tuple[Step, ...], tuple[tuple[int, int], ...]], int] = field(default_factory=dict)
    _of: dict[int, str] = field(default_factory=dict)
    """Names by the identity of components, which live as long as their graph."""

    def arrange(self, graph: Graph) -> None:
        """Another graph: keep the walks over what is in it still."""
        there = {(c.steps, c.filled) for c in distinct(graph.components, graph.components)}
        self._slots = {key: slot for key, slot in self._slots.items() if key in there}
        self._of = {}

    def lost(self) -> None:
        """The session is another one, or a transaction that may have made walks was undone."""
        self._slots, self._of = {}, {}

    def make(
        self, connection: Connection, components: Iterable[Component], objects: Mapping[int, CatalogObject]
    ) -> None:
        """Make the walks over these components where they are not there."""
        for component in components:
            if id(component) in self._of:
                continue
            key = (component.steps, component.filled)
            slot = self._slots.get(key)
            name = f"pg_temp.walk_{self._free() if slot is None else slot}"
            if slot is None:
                filled = [(view, objects[i]) for view, i in component.filled]
                connection.execute(walk_function(name, component.steps, filled))
                self._slots[key] = int(name.rpartition("_")[2])
            self._of[id(component)] = name

    def run(
        self,
        connection: Connection,
        components: Sequence[Component],
        changed: Iterable[int],
        *,
        now: datetime,
        last: datetime,
        epoch: int,
    ) -> dict[int, float]:
        """Walk over components whose walks are made; what each step took, by id, where that is worth telling."""
        spent: dict[int, float] = {}
        parameters = (now, last, sorted(changed), epoch)
        for first in range(0, len(components), _WALKS_AT_ONCE):
            some = components[first : first + _WALKS_AT_ONCE]
            calls = [f"SELECT {self._of[id(c)]}(%s, %s, %s::integer[], %s)" for c in some]
            told = connection.execute(" UNION ALL ".join(calls), parameters * len(some)).fetchall()
            for component, (times,) in zip(some, told, strict=True):
                spent.update(durations_ms(component.steps, times) if times else {})
        return spent

    def _free(self) -> int:
        taken = set(self._slots.values())
        return next(n for n in range(len(taken) + 1) if n not in taken)
