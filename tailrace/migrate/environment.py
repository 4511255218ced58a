"""The alembic environment: what migrations/env.py runs, for `tailrace migrate`, `tailrace up` and the
alembic command alike.

Puts the runner between alembic's revisions and the database. alembic decides which revisions to walk and
keeps the version table; the order inside a revision, the journal and the progress are the runner's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from sqlalchemy import Connection

from tailrace import config
from tailrace.migrate.connection import open_connection, session
from tailrace.migrate.dialect import TailraceDialect
from tailrace.migrate.operations import SINK_OPTION
from tailrace.migrate.progress import OnProgress
from tailrace.migrate.runner import Runner, RunnerOptions
from tailrace.migrate.steps import Direction, Step

VERSION_TABLE: Final = "tailrace_version"
DEPLOYMENT_ATTRIBUTE: Final = "tailrace_deployment"
DEFAULT_TIMEOUT_S: Final = 600.0


def default_variables() -> dict[str, str]:
    """What `${...}` in SQL stands for when a caller says nothing else: all of the environment, and these.

    TAILRACE_KAFKA_FOR_ENGINE is where the *engine* finds the broker; in a compose cluster that is not
    TAILRACE_KAFKA.
    """
    return {
        **os.environ,
        "TAILRACE_KAFKA_FOR_ENGINE": os.environ.get("TAILRACE_KAFKA_FOR_ENGINE") or config.kafka(),
        "TAILRACE_READINGS_TOPIC": os.environ.get("TAILRACE_READINGS_TOPIC") or config.READINGS.name,
        "TAILRACE_ALERTS_TOPIC": os.environ.get("TAILRACE_ALERTS_TOPIC") or config.ALERTS.name,
    }


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where to deploy and how: variables override the defaults one by one; `timeout_s` bounds each
    statement.
    """

    sql_url: str = field(default_factory=config.sql_url)
    variables: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = DEFAULT_TIMEOUT_S
    on_progress: OnProgress | None = None


def run(context: EnvironmentContext) -> None:
    """Walk the revisions that alembic was asked for."""
    deployment = context.config.attributes.get(DEPLOYMENT_ATTRIBUTE) or Deployment()
    with open_connection(deployment.sql_url) as connection:
        configure(context, connection, deployment)
        with context.begin_transaction():
            context.run_migrations()


def configure(context: EnvironmentContext, connection: Connection, deployment: Deployment) -> None:
    """Set alembic up with a runner as sink; the plan is collected first, to know how many statements there
    are.
    """
    context.configure(**version_table_options(connection))
    migration = context.get_context()
    walk = migration.opts["fn"]
    planned = [s for s in walk(migration.get_current_heads(), migration) if isinstance(s, RevisionStep)]
    options = RunnerOptions(
        variables={**default_variables(), **deployment.variables},
        timeout_s=deployment.timeout_s,
        total=sum(len(collect(step)) for step in planned),
        on_progress=deployment.on_progress,
    )
    runner = Runner(session(connection), options)

    def framed(heads: Any, migration: MigrationContext) -> Iterator[Any]:
        for step in walk(heads, migration):
            if isinstance(step, RevisionStep):
                runner.begin(step.revision.revision, Direction.UP if step.is_upgrade else Direction.DOWN)
            yield step

    framing: dict[str, Any] = {"fn": framed, SINK_OPTION: runner}
    context.configure(
        **version_table_options(connection), on_version_apply=lambda **_: runner.finish(), **framing
    )


def version_table_options(connection: Connection) -> dict[str, Any]:
    """How alembic has to treat its version table on RisingWave."""
    return {"connection": connection, "version_table": VERSION_TABLE, "version_table_pk": False}


class _Recorder:
    """The sink that only writes down."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def take(self, step: Step) -> None:
        self.steps.append(step)


def collect(step: RevisionStep) -> tuple[Step, ...]:
    """What a revision would do in this direction, without a database."""
    recorder = _Recorder()
    offline = MigrationContext.configure(
        dialect=TailraceDialect(), opts={"as_sql": True, "version_table_pk": False, SINK_OPTION: recorder}
    )
    with Operations.context(offline):
        step.migration_fn()
    return tuple(recorder.steps)
