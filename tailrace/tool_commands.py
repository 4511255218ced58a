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


class LintFormat(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


_LINT_EXAMPLES = _examples(
    ("tailrace lint", "the project's files; exit code 1 where there are errors or warnings"),
    ("tailrace lint sql/windows --format github", "for a pull request"),
    ("tailrace lint --sql-url postgresql://root@127.0.0.1:4566/dev", "asks EXPLAIN for costs, too"),
    ("tailrace lint --rules", "what is looked for, and why"),
)


def lint(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders to tell about.")] = None,
    format_: Annotated[LintFormat, typer.Option("--format", "-f", help="How.")] = LintFormat.TEXT,
    rules: Annotated[bool, typer.Option("--rules", help="List the rules.")] = False,
    sql_url: Annotated[
        str | None,
        typer.Option("--sql-url", metavar="URL", help="Ask this engine with EXPLAIN what the views cost."),
    ] = None,
    project: ProjectDirectory = None,
) -> None:
    """Find what is legal SQL and hurts all the same: unbounded state, unseen failures, refused constructs.

    `-- lint: ignore RULE reason` in a statement excuses it.
    """
    import orjson

    from tailrace.catalogue import load
    from tailrace.lint import lint as find
    from tailrace.lint.costs import ask_costs
    from tailrace.lint.report import as_github, as_json, as_text, fails, rules_table
    from tailrace.project import Project

    console = Console()
    if rules:
        console.print(rules_table())
        return
    folder = Project.at(project).sql
    catalogue = load([folder, *_outside(paths or [], folder)])
    found = find(catalogue, ask_costs(sql_url, catalogue) if sql_url else None)
    if paths:
        wanted = [path.resolve() for path in paths]
        found = tuple(f for f in found if any(Path(f.path).resolve().is_relative_to(w) for w in wanted))
    if format_ is LintFormat.JSON:
        typer.echo(orjson.dumps(as_json(found), option=orjson.OPT_INDENT_2).decode())
    elif format_ is LintFormat.GITHUB:
        typer.echo(as_github(found))
    else:
        console.print(as_text(found, len(catalogue.objects)), highlight=False, soft_wrap=True)
    if fails(found):
        raise typer.Exit(1)


def _outside(paths: list[Path], folder: Path) -> list[Path]:
    """The paths that are no part of the project's folder, which is read anyway: names have to be known."""
    return [path for path in paths if not path.resolve().is_relative_to(folder.resolve())]


_TEST_EXAMPLES = _examples(
    ("tailrace test", "all cases of the project, tests/sql, on an engine of their own"),
    ("tailrace test tests/sql/readings.yaml -k late", "one file, the cases whose name holds a word"),
    (
        "tailrace test --sql-url postgresql://root@127.0.0.1:4566/dev --junit report.xml",
        "in CI, on RisingWave",
    ),
)


def test(  # noqa: PLR0917 (every one is a named option)
    paths: Annotated[list[Path] | None, typer.Argument(help="Case files or folders of them.")] = None,
    keyword: Annotated[
        str | None, typer.Option("-k", metavar="TEXT", help="Only cases whose view or name holds this.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit's XML, for CI.")
    ] = None,
    fail_fast: Annotated[bool, typer.Option("-x", "--fail-fast", help="Stop at the first failure.")] = False,
    sql_url: Annotated[
        str | None,
        typer.Option(
            "--sql-url", metavar="URL", help="Use a database made for this on a running engine or RisingWave."
        ),
    ] = None,
    project: ProjectDirectory = None,
) -> None:
    """Test views alone: rows are given for what they read, and they must show the rows that are expected.

    One YAML file a view; docs/tooling.md has the form. Needs nothing that runs: an engine is started, and goes.
    """
    from tailrace.cases import Bench, fresh_database, load_cases
    from tailrace.cases.report import line_of, summary, write_junit
    from tailrace.catalogue import load
    from tailrace.project import Project

    console = Console(soft_wrap=True)
    folder = Project.at(project).sql
    cases = load_cases(paths or [folder.parent / "tests" / "sql"])
    cases = tuple(case for case in cases if keyword is None or keyword in str(case))
    if not cases:
        raise TailraceError(
            "no case to run", hint="name case files, or put them into tests/sql (docs/tooling.md)"
        )
    catalogue = load([folder])
    catalogue.check()
    outcomes = []
    with fresh_database(sql_url) as url, Bench(url, catalogue, cases) as bench:
        for case in cases:
            outcomes.append(bench.run(case))
            console.print(line_of(outcomes[-1]), highlight=False)
            if fail_fast and outcomes[-1].problems:
                break
    console.print(summary(outcomes))
    if junit is not None:
        write_junit(outcomes, junit)
    if any(outcome.problems for outcome in outcomes):
        raise typer.Exit(1)


class PlanFormat(StrEnum):
    """How a plan is written."""

    TEXT = "text"
    JSON = "json"


_PLAN_EXAMPLES = _examples(
    ("tailrace plan", "what would be done, and what it reaches"),
    ("tailrace plan --check", "exit code 1 if the database is not as the files say: for CI"),
    ('tailrace plan --write "count by site" && tailrace migrate up', "do it"),
)


def plan(
    write: Annotated[
        str | None, typer.Option("--write", metavar="MESSAGE", help="Write the migration that does it.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit code 1 if there is anything to do.")] = False,
    format_: Annotated[PlanFormat, typer.Option("--format", "-f", help="How.")] = PlanFormat.TEXT,
    sql_url: Annotated[
        str | None,
        typer.Option("--sql-url", envvar=config.SQL_URL_VARIABLE, metavar="URL", help="The database."),
    ] = None,
    project: ProjectDirectory = None,
) -> None:
    """Compare a running database with the files: what would be created, changed, rebuilt and dropped, and how.

    A changed view is built beside the old one, with everything that reads it, and takes over by SWAP: readers miss nothing.
    """
    import orjson

    from tailrace.plan.command import plan_of
    from tailrace.plan.show import as_json, as_text
    from tailrace.project import Project
    from tailrace.project.report import new_migration

    console = Console()
    url = sql_url or config.sql_url()
    found = plan_of(url, Project.at(project))
    if format_ is PlanFormat.JSON:
        typer.echo(orjson.dumps(as_json(found), option=orjson.OPT_INDENT_2).decode())
    else:
        console.print(as_text(found), highlight=False, soft_wrap=True)
    if write is not None:
        if found.obstacles or found.drifted:
            raise TailraceError(
                "the database is not what the migrations left behind, so that a migration would fail on it",
                detail="\n".join(
                    [*found.obstacles, *(f"changed past the migrations: {n}" for n in found.drifted)]
                ),
                hint="put it back, or write the migration by hand (docs/migrations.md)",
            )
        new_migration(console, project, write, write=True)
    if check and found:
        raise typer.Exit(1)


def register(app: typer.Typer, group: typer.Typer) -> None:
    """Add the commands to the command line; lineage is found under `tailrace sql`, too."""
    app.command(epilog=_LINEAGE_EXAMPLES)(lineage)
    group.command(epilog=_LINEAGE_EXAMPLES)(lineage)
    app.command(epilog=_LINT_EXAMPLES)(lint)
    app.command(epilog=_PLAN_EXAMPLES)(plan)
    app.command(epilog=_TEST_EXAMPLES)(test)
