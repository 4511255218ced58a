"""The migration commands as functions: upgrade, downgrade, current, pending, history, and a revision's
plan.

Assumes the `migrations` package beside this one; tests pass another directory. Called by `tailrace
migrate`, by `tailrace up` and by tests. Blocking; a statement may take as long as the backfill of a view.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy.exc
from alembic import util as alembic_util
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory

from tailrace.migrate.connection import open_connection
from tailrace.migrate.environment import (
    DEFAULT_TIMEOUT_S,
    DEPLOYMENT_ATTRIBUTE,
    Deployment,
    collect,
    version_table_options,
)
from tailrace.migrate.errors import MigrationFailedError, MigrationInvalidError
from tailrace.migrate.progress import OnProgress
from tailrace.migrate.steps import Step
from tailrace.refusals import refusal


@dataclass(frozen=True, slots=True)
class Revision:
    """One entry of the history: `down_revision` is the one before, None for the first; steps of both
    directions.
    """

    revision: str
    down_revision: str | None
    message: str
    upgrade: tuple[Step, ...]
    downgrade: tuple[Step, ...]


def upgrade(
    sql_url: str,
    revision: str = "head",
    *,
    variables: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    directory: Path | None = None,
) -> None:
    """Deploy up to `revision` ("head", a revision, or "+n").

    `variables` override the environment's, one by one. Raises MigrationFailedError, MigrationConflictError
    or MigrationInvalidError; what was deployed before the error stays, and another call goes on from there.
    """
    _walk(
        Deployment(sql_url, variables or {}, timeout_s, on_progress), revision, up=True, directory=directory
    )


def downgrade(
    sql_url: str,
    revision: str = "base",
    *,
    variables: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    directory: Path | None = None,
) -> None:
    """Undo down to `revision` ("base", a revision, or "-n"), newest first; tables go with their rows.
    Raises as upgrade.
    """
    _walk(
        Deployment(sql_url, variables or {}, timeout_s, on_progress), revision, up=False, directory=directory
    )


def current(sql_url: str) -> str | None:
    """The revision that is deployed; None before the first."""
    try:
        with open_connection(sql_url) as connection:
            context = MigrationContext.configure(
                opts=version_table_options(connection), connection=connection
            )
            heads = context.get_current_heads()
    except sqlalchemy.exc.OperationalError as error:
        raise _unreachable(sql_url, error) from error
    return heads[0] if heads else None


def history(directory: Path | None = None) -> tuple[Revision, ...]:
    """All revisions, first to last, with what each does."""
    scripts = _scripts(_config(directory))
    found = []
    for script in reversed(list(scripts.walk_revisions())):
        up, down = (RevisionStep(scripts.revision_map, script, is_upgrade) for is_upgrade in (True, False))
        below = script.down_revision
        if not isinstance(below, str | None):
            raise MigrationInvalidError(
                f"revision {script.revision} merges branches: the history must be one line"
            )
        found.append(Revision(script.revision, below, script.doc, collect(up), collect(down)))
    return tuple(found)


def pending(sql_url: str, directory: Path | None = None) -> tuple[Revision, ...]:
    """The revisions that upgrade would deploy."""
    known, deployed = history(directory), current(sql_url)
    names = [revision.revision for revision in known]
    if deployed is None:
        return known
    if deployed not in names:
        raise MigrationInvalidError(
            f"the database is at revision {deployed}, which is not among these migrations",
            hint="it was deployed by a newer version, or from another project (--project): "
            "use that, or name another database with --sql-url",
        )
    return known[names.index(deployed) + 1 :]


def _walk(deployment: Deployment, revision: str, *, up: bool, directory: Path | None) -> None:
    config = _config(directory)
    config.attributes[DEPLOYMENT_ATTRIBUTE] = deployment
    scripts = _scripts(config)
    find = scripts._upgrade_revs if up else scripts._downgrade_revs
    try:
        with EnvironmentContext(
            config, scripts, fn=lambda heads, _context: find(revision, heads), destination_rev=revision
        ):
            scripts.run_env()
    except alembic_util.CommandError as error:
        raise MigrationInvalidError(
            f"cannot go to revision {revision}: {error}", hint="tailrace migrate history lists them"
        ) from error
    except sqlalchemy.exc.OperationalError as error:
        raise _unreachable(deployment.sql_url, error) from error


def _unreachable(sql_url: str, error: sqlalchemy.exc.OperationalError) -> MigrationFailedError:
    where = sqlalchemy.make_url(sql_url).render_as_string(hide_password=True)
    known = refusal(error)
    reason = known.message if known else str(error)
    return MigrationFailedError(
        f"no database session at {where}: {reason}",
        sqlstate=known.sqlstate if known else "08001",
        detail=known.detail if known else None,
        hint=known.hint if known else None,
    )


def _config(directory: Path | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(directory or package_directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _scripts(config: Config) -> ScriptDirectory:
    return ScriptDirectory.from_config(config)


def package_directory() -> Path:
    """Where the migrations are installed."""
    spec = importlib.util.find_spec("migrations")
    if spec is None or spec.origin is None:
        raise MigrationInvalidError(
            "the package migrations is not installed beside tailrace", hint="pip install tailrace again"
        )
    return Path(spec.origin).parent
