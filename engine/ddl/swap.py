"""ALTER a SWAP WITH b: two objects of one kind change names, in one barrier.

Only names move: what is built on an object stays built on it, under whatever name it goes now. So a view built on the old `a`
still reads the old one, called `b` from here on; RisingWave does the same and says nothing, which is a known trap. Here a notice
names what stays attached.
"""

from __future__ import annotations

from engine.catalog.objects import CatalogObject
from engine.ddl.context import DdlContext
from engine.ddl.rename import give_names, move_relation
from engine.ddl.words import Name
from tailrace.errors import InvalidStatement, UnsupportedFeature


def swap(context: DdlContext, first: CatalogObject, second: CatalogObject, names: tuple[Name, Name]) -> None:
    """Exchange the names of two objects; `names` are theirs as the statement writes them."""
    if first.id == second.id:
        raise InvalidStatement(f'cannot swap "{first.name}" with itself', hint="name two relations")
    if first.shown_kind != second.shown_kind:
        one, other = first.shown_kind, second.shown_kind
        raise InvalidStatement(
            f'Permission denied: cannot swap "{first.name}" with "{second.name}": '
            f"one is a {one}, the other a {other}",
            sqlstate="42809",
            hint="both must be of one kind",
        )
    if first.schema != second.schema:
        raise UnsupportedFeature(
            "SWAP WITH across schemas", hint="ALTER ... SET SCHEMA brings both into one schema"
        )
    for item, new_name in ((first, names[1]), (second, names[0])):
        _tell(context, item, new_name.folded)
    aside = f"swap of {first.id}"
    move_relation(context, first, first.name, aside)
    move_relation(context, second, second.name, first.name)
    move_relation(context, first, aside, second.name)
    give_names(context, {first.id: names[1], second.id: names[0]})


def _tell(context: DdlContext, item: CatalogObject, name: str) -> None:
    """Name what stays attached to `item`, which is called `name` from now on."""
    attached = ", ".join(f"{d.kind} {d.name}" for d in context.catalog.dependents(item.id))
    if attached:
        context.notices.append(
            f'still attached to what was "{item.name}" and is now "{name}": {attached}; '
            f'rebuild them if they should follow the name "{item.name}"'
        )
