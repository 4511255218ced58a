"""From what is deployed to what the files say: the steps of the next migration, in both directions. Pure.

A changed view takes over without a gap: its new version is built beside it as `name_new`, and so is everything that reads it,
since after a swap what is built on the old one stays there; then each pair changes names, and the old ones go. Indexes are built
on the new versions before the swap. Sinks have no second name: they are dropped and made again. A changed table is refused: its
rows would be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tailrace.errors import TailraceError
from tailrace.migrate.steps import Step, create, drop, rename, swap
from tailrace.project.files import Relation, in_order, readers
from tailrace.project.replay import renamed
from tailrace.sql.kinds import RelationKind

_SWAPPED = (RelationKind.SOURCE, RelationKind.VIEW, RelationKind.MATERIALIZED_VIEW)


@dataclass(frozen=True, slots=True)
class Changes:
    """Names, in the order in which they are built. `rebuilt`: what reads something that has changed, and is as it was."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    rebuilt: tuple[str, ...]
    gone: tuple[str, ...]
    upgrade: tuple[Step, ...]
    downgrade: tuple[Step, ...]

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)


def compare(deployed: Mapping[str, Relation], wanted: Mapping[str, Relation]) -> Changes:
    """What it takes to get from one to the other, and back.

    Raises TailraceError for a changed table, a relation that became one of another kind, and a name that the new version needs.
    """
    both = deployed.keys() & wanted.keys()
    changed = {name for name in both if not deployed[name].same_as(wanted[name])}
    new, gone = wanted.keys() - deployed.keys(), deployed.keys() - wanted.keys()
    for name in sorted(changed):
        _check_changeable(deployed[name], wanted[name])
    rebuilt = readers(wanted, changed) - changed - new
    order = [relation.name for relation in in_order(wanted)]
    return Changes(
        new=tuple(name for name in order if name in new),
        changed=tuple(name for name in order if name in changed),
        rebuilt=tuple(name for name in order if name in rebuilt),
        gone=tuple(relation.name for relation in in_order(deployed) if relation.name in gone),
        upgrade=steps(deployed, wanted, changed),
        downgrade=steps(wanted, deployed, changed),
    )


def steps(old: Mapping[str, Relation], new: Mapping[str, Relation], changed: set[str]) -> tuple[Step, ...]:
    """The statements from `old` to `new`."""
    again = (changed | readers(new, changed) | readers(old, changed)) & old.keys() & new.keys()
    beside = {name: f"{name}_new" for name in again if new[name].kind is not RelationKind.SINK}
    for name in beside.values():
        if name in old or name in new:
            raise TailraceError(
                f"{name} is taken: the new version is built under that name",
                hint="give that relation another name",
            )
    build, finish, sinks = [], [], []
    for relation in in_order(new):
        kind, name = relation.kind, relation.name
        if name in old and name not in again:
            continue
        if kind is RelationKind.SINK:
            sinks.append(create(kind, name, relation.sql))
            continue
        built = renamed(relation, beside)
        build.append(create(kind, built.name, built.sql))
        if name in beside and kind is RelationKind.INDEX:
            finish.append(rename(kind, built.name, name))
    swaps = [
        swap(new[name].kind, name, other) for name, other in beside.items() if new[name].kind in _SWAPPED
    ]
    swaps.sort(key=lambda step: [s.name for s in build].index(step.other))
    leave = []
    for relation in reversed(in_order(old)):
        if relation.name in again:
            swapped = relation.kind in _SWAPPED
            leave.append(drop(relation.kind, beside[relation.name] if swapped else relation.name))
        elif relation.name not in new:
            leave.append(drop(relation.kind, relation.name))
    return (*build, *swaps, *leave, *finish, *sinks)


def _check_changeable(old: Relation, new: Relation) -> None:
    if old.kind is not new.kind:
        raise TailraceError(
            f"{new.name} was a {old.kind} and is a {new.kind} now",
            sqlstate="42809",
            hint="give the new one another name, or take the old file away first, in a migration of its own",
        )
    if new.kind is RelationKind.TABLE:
        raise TailraceError(
            f"table {new.name} has changed, and a new one would be without its rows",
            sqlstate="0A000",
            detail=f"deployed:\n{old.sql}\n\nwanted:\n{new.sql}",
            hint=f"put {new.path} back as it was and make a second table, "
            "or write the migration by hand (docs/migrations.md)",
        )
