"""What `tailrace sql` and `tailrace migrate new` say. Values in, lines out. Caller: the CLI."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from tailrace import migrate
from tailrace.errors import TailraceError
from tailrace.project.changes import Changes, compare
from tailrace.project.files import Relation, in_order, read_relations
from tailrace.project.place import Project
from tailrace.project.replay import replay
from tailrace.project.revision import write_revision


def check(console: Console, directory: Path | None) -> bool:
    """Tell problems, and what no migration has yet; returns whether all is well with the files."""
    project = Project.at(directory)
    relations, problems = read_relations(project.sql)
    for problem in problems:
        console.print(Text(str(problem)), soft_wrap=True)
    if problems:
        return False
    in_order(relations)
    console.print(f"{len(relations)} relations, well formed", highlight=False)
    changes = compare(replay(migrate.history(project.migrations)), relations)
    if changes:
        _say(console, changes)
        console.print('the next migration: tailrace migrate new "what it is for"', highlight=False)
    else:
        console.print("the migrations deploy just these", highlight=False)
    return True


def new_migration(console: Console, directory: Path | None, message: str, *, write: bool) -> None:
    """Write the next migration. Raises TailraceError when files have problems, or nothing has changed."""
    project = Project.at(directory)
    relations, problems = read_relations(project.sql)
    if problems:
        raise TailraceError(
            f"{len(problems)} of the files in {project.sql} cannot be deployed",
            sqlstate="42601",
            detail="\n".join(map(str, problems)),
            hint="mend them; tailrace sql check tells them again",
        )
    history = migrate.history(project.migrations)
    changes = compare(replay(history), relations)
    if not changes:
        raise TailraceError(
            "nothing has changed: the migrations deploy just what sql/ says",
            sqlstate="02000",
            hint=f"edit or add a file in {project.sql}",
        )
    _say(console, changes)
    for step in changes.upgrade:
        console.print(f"    {step}", highlight=False, style="dim")
    if write:
        below = history[-1].revision if history else None
        path = write_revision(project.migrations, message, below, changes)
        console.print(f"{path}: look it over, then tailrace migrate up", highlight=False, soft_wrap=True)


def lineage(console: Console, directory: Path | None, name: str | None) -> None:
    """Draw what reads what. Raises TailraceError for a name that no file creates."""
    relations, problems = read_relations(Project.at(directory).sql)
    for problem in problems:
        console.print(Text(str(problem), style="yellow"), soft_wrap=True)
    if name is None:
        for relation in in_order(relations):
            if not relation.reads & relations.keys():
                console.print(_tree(relation, relations, down=True))
        return
    if name not in relations:
        raise TailraceError(
            f"no file creates {name}", sqlstate="42P01", hint="tailrace sql lineage lists them all"
        )
    above = _tree(relations[name], relations, down=False)
    below = _tree(relations[name], relations, down=True)
    above.label, below.label = Text(f"{name} reads", style="bold"), Text(f"{name} is read by", style="bold")
    console.print(above if above.children else Text(f"{name} reads no other"))
    console.print(below if below.children else Text(f"{name} is read by no other"))


def _tree(relation: Relation, relations: Mapping[str, Relation], *, down: bool) -> Tree:
    drawn: set[str] = set()

    def draw(name: str, tree: Tree) -> None:
        for other in in_order(relations):
            joined = name in other.reads if down else other.name in relations[name].reads
            if not joined:
                continue
            again = other.name in drawn
            drawn.add(other.name)
            branch = tree.add(_label(other, again=again))
            if not again:
                draw(other.name, branch)

    tree = Tree(_label(relation))
    draw(relation.name, tree)
    return tree


def _label(relation: Relation, *, again: bool = False) -> Text:
    text = Text(relation.name)
    text.append(f"  {relation.kind}" + (" (see above)" if again else ""), style="dim")
    return text


def _say(console: Console, changes: Changes) -> None:
    for word, names in (
        ("new", changes.new),
        ("changed", changes.changed),
        ("built again, since it reads what changed", changes.rebuilt),
        ("gone", changes.gone),
    ):
        if names:
            console.print(f"  {word}: {', '.join(names)}", highlight=False, soft_wrap=True)
