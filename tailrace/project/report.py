"""What `tailrace sql` and `tailrace migrate new` say. Values in, lines out. Caller: the CLI."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from tailrace import migrate
from tailrace.errors import TailraceError
from tailrace.project.changes import Changes, compare
from tailrace.project.files import in_order, read_relations
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


def _say(console: Console, changes: Changes) -> None:
    for word, names in (
        ("new", changes.new),
        ("changed", changes.changed),
        ("built again, since it reads what changed", changes.rebuilt),
        ("gone", changes.gone),
    ):
        if names:
            console.print(f"  {word}: {', '.join(names)}", highlight=False, soft_wrap=True)
