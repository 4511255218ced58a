"""What has to move together: tables and what is built on them, as far as they meet in a view.

A step looks into what its inputs hold, and a table's storage shows all that clients have committed, whether a barrier has taken
it or not. A join that took one side's change, and found the other side's before that was taken, would count the pair twice. So
a barrier takes the changes of all tables of a component or of none. Parts of the graph that no view connects move apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.flow.walk import Step


@dataclass(frozen=True, slots=True)
class Component:
    """`steps` in order of dependency; `filled`: views that are being filled, each with an input."""

    tables: tuple[int, ...]
    steps: tuple[Step, ...]
    filled: tuple[tuple[int, int], ...]

    @property
    def moves_alone(self) -> bool:
        """Does it change with time alone, or with what others write down?"""
        return any(step.always for step in self.steps)

    def reached(self, changed: Iterable[int]) -> list[Step]:
        """The steps that changes of those relations may run."""
        moved = set(changed)
        found = []
        for step in self.steps:
            if step.always or not moved.isdisjoint(step.inputs):
                found.append(step)
                moved.add(step.id)
        return found


def components_of(
    tables: Iterable[int], steps: Iterable[Step], filled: Iterable[tuple[int, int]]
) -> dict[int, Component]:
    """The components, by the id of each object in them. Cost: O(objects).

    >>> found = components_of([1, 2, 3], [Step(4, (1, 2), False, False), Step(5, (3,), False, False)], [])
    >>> found[1] is found[2] is found[4], found[1].tables, found[3].tables
    (True, (1, 2), (3,))
    """
    tables, steps, filled = list(tables), list(steps), list(filled)
    roots: dict[int, int] = {}

    def root(id_: int) -> int:
        path = []
        while (above := roots.setdefault(id_, id_)) != id_:
            path.append(id_)
            id_ = above
        for below in path:
            roots[below] = id_
        return id_

    for first, others in _ties(tables, steps, filled):
        for other in others:
            roots[root(other)] = root(first)
    parts: dict[int, tuple[list[int], list[Step], list[tuple[int, int]]]] = {}
    for id_ in list(roots):
        parts.setdefault(root(id_), ([], [], []))
    for table in tables:
        parts[root(table)][0].append(table)
    for step in steps:
        parts[root(step.id)][1].append(step)
    for view, input_id in filled:
        parts[root(view)][2].append((view, input_id))
    made = {at: Component(tuple(t), tuple(s), tuple(f)) for at, (t, s, f) in parts.items()}
    return {id_: made[root(id_)] for id_ in roots}


def _ties(
    tables: Iterable[int], steps: Iterable[Step], filled: Iterable[tuple[int, int]]
) -> Iterable[tuple[int, tuple[int, ...]]]:
    yield from ((table, (table,)) for table in tables)
    yield from ((step.id, (step.id, *step.inputs)) for step in steps)
    yield from ((view, (view, input_id)) for view, input_id in filled)


def distinct(components: Mapping[int, Component], ids: Iterable[int]) -> list[Component]:
    """The components of those objects, each once; an object that nobody moves has none."""
    return list({id(c): c for i in ids if (c := components.get(i)) is not None}.values())
