"""The command `tailrace`: options in, an exit code out.

Job: parse, call, and turn any error into one panel. Exit code 0: done and, for `up`, reconciled; 1: not; 2:
wrong usage; 130: stopped by Ctrl-C before it was up. What the commands do lives in `tailrace.up`,
`tailrace.migrate`, `tailrace.topics`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tailrace import config, tool_commands
from tailrace.errors import TailraceError
from tailrace.tool_commands import ProjectDirectory

console = Console()


def _paragraphs(text: str) -> str:
    """Help text without the line ends within its paragraphs, which would be printed as they are."""
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


HELP = """
Turn device readings into live answers: streaming SQL on this machine with nothing but pip, unchanged on
RisingWave and Redpanda.

Begin with [bold]tailrace up[/bold]: it starts everything, shows it live, and accounts for every reading.
"""
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    help=_paragraphs(HELP),
)
migrations = typer.Typer(
    no_args_is_help=True, help="Deploy the SQL of sql/ as versioned migrations, or take it back."
)
topic_commands = typer.Typer(no_args_is_help=True, help="Kafka topics.")
sql_commands = typer.Typer(no_args_is_help=True, help="The SQL files: what is wrong, what reads what.")
app.add_typer(sql_commands, name="sql")
app.add_typer(migrations, name="migrate")
app.add_typer(topic_commands, name="topics")
tool_commands.register(app, sql_commands)

SqlUrl = Annotated[
    str | None,
    typer.Option(
        "--sql-url",
        envvar=config.SQL_URL_VARIABLE,
        metavar="URL",
        help="A running engine or RisingWave, for example postgresql://root@127.0.0.1:4566/dev.",
    ),
]
Kafka = Annotated[
    str | None,
    typer.Option(
        "--kafka",
        envvar=config.KAFKA_VARIABLE,
        metavar="HOST:PORT",
        help="A running Kafka protocol broker, for example Redpanda.",
    ),
]
UP_HELP = """
Start everything, let readings flow, show it live, account for every one of them.

Starts a broker, the engine, the dashboard and a simulated fleet on this machine, deploys the views, and
shows rates, freshness, counts and the newest anomalies.

Ctrl-C stops it all, in order. A second [bold]up[/bold] on the same data directory keeps the views and
goes on.

In the end every reading is accounted for: produced = ingested + rejected + duplicates = a recount of the
topic. Every kind of injected fault is found, with hardly a false alarm. Else it says what differs and exits
with 1.
"""
EXAMPLES = """[bold]Examples[/bold]

tailrace up --duration 30 [dim](a demo that ends with a report)[/dim]

tailrace up --duration 60 --burst 50000:20:10 [dim](with a burst on top)[/dim]

tailrace up --no-loader [dim](your own readings, sent to telemetry.readings)[/dim]

tailrace up --sql-url postgresql://root@db:4566/dev --kafka db:9092 [dim](RisingWave, Redpanda)[/dim]"""
FLEET, PLACE, PORTS, CONDUCT = "Load", "Where", "Ports of what is started here (0: any free one)", "Conduct"
NETWORK = "SQL for other machines"


@app.command(epilog=EXAMPLES, help=_paragraphs(UP_HELP))
def up(  # noqa: PLR0917 (every one is a named option)
    devices: Annotated[
        int, typer.Option(min=1, help="Simulated devices, three metrics each.", rich_help_panel=FLEET)
    ] = 1000,
    rate: Annotated[int, typer.Option(min=1, help="Readings a second.", rich_help_panel=FLEET)] = 3000,
    duration: Annotated[
        float | None,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help="How long readings flow. Without it: until Ctrl-C.",
            rich_help_panel=FLEET,
        ),
    ] = None,
    burst: Annotated[
        str | None,
        typer.Option(
            metavar="RATE:AT:SECONDS",
            help="More readings for a while, on top: 50000:15:10.",
            rich_help_panel=FLEET,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Of fleet and faults. Default: that of the data directory, or a fresh one.",
            rich_help_panel=FLEET,
        ),
    ] = None,
    data_dir: Annotated[
        Path, typer.Option(metavar="DIR", help="Where all state lives.", rich_help_panel=PLACE)
    ] = config.DATA_DIR,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The run's account. Default: report.json in the data directory.",
            rich_help_panel=PLACE,
        ),
    ] = None,
    sql_url: SqlUrl = None,
    kafka: Kafka = None,
    broker_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Broker.", rich_help_panel=PORTS)
    ] = config.BROKER_PORT,
    sql_port: Annotated[
        int, typer.Option(min=0, max=65535, help="SQL.", rich_help_panel=PORTS)
    ] = config.SQL_PORT,
    dashboard_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Dashboard.", rich_help_panel=PORTS)
    ] = config.DASHBOARD_PORT,
    sql_host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Where SQL is served. Other machines: 0.0.0.0, with a certificate, for users with a password.",
            rich_help_panel=NETWORK,
        ),
    ] = config.HOST,
    tls_cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Certificate to encrypt with, PEM.", rich_help_panel=NETWORK),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its key, PEM.", rich_help_panel=NETWORK)
    ] = None,
    no_dashboard: Annotated[
        bool, typer.Option("--no-dashboard", help="Do without the dashboard.", rich_help_panel=CONDUCT)
    ] = False,
    no_loader: Annotated[
        bool, typer.Option("--no-loader", help="Send no readings: you do.", rich_help_panel=CONDUCT)
    ] = False,
    topic_retention: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long the topics keep messages: 90s, 30m, 6h, 7d. Default: as they are.",
            rich_help_panel=CONDUCT,
        ),
    ] = None,
    topic_retention_bytes: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="How much of each partition the topics keep: 500M, 10G. Default: as they are.",
            rich_help_panel=CONDUCT,
        ),
    ] = None,
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going",
            help="Once the load is over and reported, leave everything up until Ctrl-C.",
            rich_help_panel=CONDUCT,
        ),
    ] = False,
) -> None:
    """`tailrace up`."""
    from tailrace.up.launcher import Launcher
    from tailrace.up.options import Options, parse_burst, parse_size, parse_time

    options = Options(
        devices=devices,
        rate=rate,
        duration_s=duration,
        burst=parse_burst(burst) if burst else None,
        seed=seed,
        data_dir=data_dir,
        report_path=report,
        sql_url=sql_url,
        kafka=kafka,
        broker_port=broker_port,
        sql_port=sql_port,
        sql_host=sql_host,
        tls_cert=tls_cert,
        tls_key=tls_key,
        dashboard_port=dashboard_port,
        dashboard=not no_dashboard,
        loader=not no_loader,
        keep_going=keep_going,
        topic_retention_s=parse_time(topic_retention) if topic_retention else None,
        topic_retention_bytes=parse_size(topic_retention_bytes) if topic_retention_bytes else None,
    )
    raise typer.Exit(0 if Launcher(options, console).run() else 1)


@app.command()
def status(
    sql_url: SqlUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Show relations with rows and size, lag by partition, the last barrier, memory and disk."""
    from tailrace.status import read_status, show_status

    found = read_status(sql_url or config.sql_url())
    if as_json:
        import orjson

        console.print_json(orjson.dumps(found.as_json()).decode())
    else:
        console.print(show_status(found), highlight=False)


DataDirectory = Annotated[Path, typer.Option("--data-dir", metavar="DIR", help="Where the state lives.")]


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to make.")], data_dir: DataDirectory = config.DATA_DIR
) -> None:
    """Copy a data directory into one file, also while `tailrace up` runs on it."""
    from tailrace.backup import back_up

    with _byte_progress(f"back up {data_dir}") as told:
        size = back_up(data_dir, file, told)
    console.print(
        f"{file}: {size / 2**20:,.1f} MiB. Restore: tailrace restore {file} --data-dir DIR", highlight=False
    )


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `tailrace backup` made.")],
    data_dir: Annotated[Path, typer.Option("--data-dir", metavar="DIR", help="The directory to make.")],
) -> None:
    """Make a new data directory of a back-up."""
    from tailrace.backup import restore as unpack

    with _byte_progress(f"restore {file}") as told:
        head = unpack(file, data_dir, told)
    console.print(
        f"{data_dir}: as it was at {head['taken_at']}. Go on: tailrace up --data-dir {data_dir}",
        highlight=False,
    )


@contextmanager
def _byte_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of bytes on a terminal; the function takes what is done and what is expected."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@migrations.command("up")
def migrate_up(
    revision: Annotated[str, typer.Argument(help="head, a revision, or +n.")] = "head",
    sql_url: SqlUrl = None,
    project: ProjectDirectory = None,
) -> None:
    """Deploy what is missing."""
    from tailrace import migrate

    where = _migrations_of(project)
    migrate.upgrade(sql_url or config.sql_url(), revision, on_progress=_say_step, directory=where)
    _say_current(sql_url)


@migrations.command("down")
def migrate_down(
    revision: Annotated[str, typer.Argument(help="base, a revision, or -n.")],
    sql_url: SqlUrl = None,
    project: ProjectDirectory = None,
) -> None:
    """Take back down to a revision, newest first. Views are dropped, tables with their rows."""
    from tailrace import migrate

    where = _migrations_of(project)
    migrate.downgrade(sql_url or config.sql_url(), revision, on_progress=_say_step, directory=where)
    _say_current(sql_url)


@migrations.command("status")
def migrate_status(sql_url: SqlUrl = None, project: ProjectDirectory = None) -> None:
    """What is deployed, and what would come next."""
    from tailrace import migrate

    _say_current(sql_url)
    for revision in migrate.pending(sql_url or config.sql_url(), _migrations_of(project)):
        console.print(f"  pending  {revision.revision}  {revision.message}", highlight=False)


@migrations.command("history")
def migrate_history(project: ProjectDirectory = None) -> None:
    """All revisions, first to last."""
    from tailrace import migrate

    for revision in migrate.history(_migrations_of(project)):
        console.print(f"{revision.revision}  {revision.message}", highlight=False)
        for step in revision.upgrade:
            console.print(f"    {step}", highlight=False, style="dim")


@migrations.command("new")
def migrate_new(
    message: Annotated[str, typer.Argument(help="What it is for, in a few words.")],
    project: ProjectDirectory = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the statements, and write nothing.")
    ] = False,
) -> None:
    """Write what differs between sql/ and the migrations as the next migration.

    A changed view takes over without a gap: it is built anew beside the old one, with everything that reads it, and then the
    names are swapped.
    """
    from tailrace.project.report import new_migration

    new_migration(console, project, message, write=not dry_run)


@sql_commands.command("check")
def sql_check(project: ProjectDirectory = None) -> None:
    """Read all files of sql/: what is wrong with them, and what no migration has yet."""
    from tailrace.project.report import check

    if not check(console, project):
        raise typer.Exit(1)


@app.command("init")
def init(directory: Annotated[Path, typer.Argument(help="The directory to make.")]) -> None:
    """Begin a project of your own: SQL files, and migrations that deploy them."""
    from tailrace.project import start_project

    for path in start_project(directory):
        console.print(f"  {path}", highlight=False)
    console.print(f"Read on in {directory / 'README.md'}.", highlight=False)


def _migrations_of(project: Path | None) -> Path | None:
    from tailrace.project import Project

    return None if project is None else Project.at(project).migrations


def _say_step(progress: Any) -> None:
    took = "done before" if progress.skipped else f"{progress.seconds:.2f} s"
    console.print(
        f"  {progress.index:>3} of {progress.total}  {progress.revision}  {progress.step}  ({took})",
        highlight=False,
    )


def _say_current(sql_url: str | None) -> None:
    from tailrace import migrate

    console.print(f"deployed: {migrate.current(sql_url or config.sql_url()) or 'nothing'}", highlight=False)


@topic_commands.command("create")
def topics_create(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME[:PARTITIONS]]...", help="Default: those of the product.", show_default=False
        ),
    ] = None,
    kafka: Kafka = None,
) -> None:
    """Create the topics that are missing."""
    from tailrace import topics

    wanted = [topics.parse_topic(name) for name in names] if names else config.TOPICS
    for state in topics.create_topics(kafka or config.kafka(), wanted):
        said = "created" if state.created else "was there"
        console.print(f"{state.name}: {state.partitions} partitions, {said}", highlight=False)


@topic_commands.command("list")
def topics_list(kafka: Kafka = None) -> None:
    """List the broker's topics."""
    from tailrace import topics

    table = Table("topic", "partitions")
    for state in topics.list_topics(kafka or config.kafka()):
        table.add_row(Text(state.name), str(state.partitions))
    console.print(table)


@topic_commands.command("count")
def topics_count(kafka: Kafka = None) -> None:
    """Read telemetry.readings to its end and judge every message, independently of the views."""
    from tailrace.verify.recount import recount

    found = recount(kafka or config.kafka(), config.READINGS.name)
    for name, count in found.as_json().items():
        console.print(f"{name}: {count}", highlight=False)


def main() -> None:
    """The entry point: the last border where an error is caught."""
    from tailrace.up.errors import Interrupted
    from tailrace.up.ui import show_error

    errors = Console(stderr=True)
    try:
        app()
    except TailraceError as error:
        show_error(errors, error)
        raise SystemExit(1) from None
    except (Interrupted, KeyboardInterrupt):
        errors.print("stopped", style="dim")
        raise SystemExit(130) from None
    except Exception as error:
        from tailrace.refusals import refusal

        known = refusal(error)
        if known is not None:
            show_error(errors, known)
            raise SystemExit(1) from None
        logging.exception("unexpected error")
        show_error(
            errors,
            TailraceError(
                f"unexpected error: {error}", hint="this is a defect: please report it with the trace above"
            ),
        )
        raise SystemExit(1) from None
