"""The commands about SQL files: `tailrace lineage`, `lint`, `plan`, `test`. Options in, an exit code out.

Job: parse, call, print. Exit code 0: all is well; 1: something was found, or failed; 2: wrong usage. What the commands do lives
in `tailrace.catalogue`, `tailrace.lineage`, `tailrace.lint`, `tailrace.plan` and `tailrace.cases`. `tailrace.cli` registers them.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tailrace import config
from tailrace.errors import TailraceError

ProjectDirectory = Annotated[
    Path | None,
    typer.Option(
        "--project",
        envvar=config.PROJECT_VARIABLE,
        metavar="DIR",
        help="A project of your own (tailrace init). Default: the one that comes with Tailrace.",
    ),
]


def _examples(*lines: tuple[str, str]) -> str:
    shown = [f"{command} [dim]({what})[/dim]" for command, what in lines]
    return "\n\n".join(["[bold]Examples[/bold]", *shown])


class LineageFormat(StrEnum):
    """How lineage is written."""

    TEXT = "text"
    MERMAID = "mermaid"
    JSON = "json"


_LINEAGE_EXAMPLES = _examples(
    ("tailrace lineage", "everything, from the sources on"),
    ("tailrace lineage readings", "what it is built on, and what a change of it reaches"),
    ("tailrace lineage anomalies --column value", "the columns a value is made of, back to the topic"),
    ("tailrace lineage --format mermaid > docs/lineage.mmd", "for a document"),
)


def lineage(
    name: Annotated[str | None, typer.Argument(help="A relation. Default: all.")] = None,
    column: Annotated[
        str | None, typer.Option("--column", "-c", metavar="NAME", help="One column of it.")
    ] = None,
    format_: Annotated[LineageFormat, typer.Option("--format", "-f", help="How.")] = LineageFormat.TEXT,
    project: ProjectDirectory = None,
) -> None:
    """Show what a relation or column is made of, and what is made of it. Needs no engine."""
    import orjson

    from tailrace.catalogue import load
    from tailrace.lineage import as_json, as_mermaid, as_trees, column_lineage, relation_lineage
    from tailrace.project import Project

    catalogue = load([Project.at(project).sql])
    if column is not None and name is None:
        raise TailraceError("--column wants the relation too", hint="tailrace lineage RELATION --column NAME")
    found = (
        column_lineage(catalogue, name, column)
        if name is not None and column is not None
        else relation_lineage(catalogue, name)
    )
    console = Console()
    if format_ is LineageFormat.JSON:
        console.print_json(orjson.dumps(as_json(found, catalogue)).decode())
    elif format_ is LineageFormat.MERMAID:
        typer.echo(as_mermaid(found, catalogue))
    else:
        for tree in as_trees(found, catalogue):
            console.print(tree, highlight=False)


def register(app: typer.Typer, group: typer.Typer) -> None:
    """Add the commands to the command line; lineage is found under `tailrace sql`, too."""
    app.command(epilog=_LINEAGE_EXAMPLES)(lineage)
    group.command(epilog=_LINEAGE_EXAMPLES)(lineage)
