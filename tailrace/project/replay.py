"""What a history of migrations leaves behind: its steps walked in mind, names and the texts that hold them moved along. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tailrace.migrate.api import Revision
from tailrace.migrate.steps import Action, Step
from tailrace.project.files import Relation, relation_of
from tailrace.sql.rename import rename_created, rename_references


def replay(revisions: Iterable[Revision]) -> dict[str, Relation]:
    """The relations by name after all of these, from the first on."""
    relations: dict[str, Relation] = {}
    for revision in revisions:
        for step in revision.upgrade:
            apply(step, relations)
    return relations


def apply(step: Step, relations: dict[str, Relation]) -> None:
    """Do to `relations` what the step does in a database."""
    if step.action is Action.CREATE:
        relations[step.name] = relation_of(step.sql)
        return
    if step.action is Action.DROP:
        relations.pop(step.name, None)
        return
    names = {step.name: step.other}
    if step.action is Action.SWAP:
        names[step.other] = step.name
    moved = {names.get(name, name): renamed(relation, names) for name, relation in relations.items()}
    relations.clear()
    relations.update(moved)


def renamed(relation: Relation, names: dict[str, str]) -> Relation:
    """A relation where these names, its own or of what it reads, have become others."""
    if relation.name not in names and not relation.reads & names.keys():
        return relation
    sql = rename_references(relation.sql, names)
    if relation.name in names:
        sql = rename_created(sql, names[relation.name])
    return relation_of(sql, relation.path)
