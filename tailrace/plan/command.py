"""Everything that a plan is made of, brought together: files, history, database. Called by the CLI and by tests."""

from __future__ import annotations

from collections.abc import Mapping

from tailrace import migrate
from tailrace.catalogue import load
from tailrace.migrate.environment import default_variables
from tailrace.plan.deployed import read_deployed
from tailrace.plan.plan import Plan, make_plan
from tailrace.project import Project, relations_in, replay


def plan_of(url: str, project: Project, variables: Mapping[str, str] | None = None) -> Plan:
    """The plan for the database at `url`. Raises TailraceError for files with problems, and when nobody answers."""
    catalogue = load([project.sql])
    catalogue.check()
    wanted, _problems = relations_in(catalogue)
    history = migrate.history(project.migrations)
    ahead = {revision.revision for revision in migrate.pending(url, project.migrations)}
    recorded = replay(revision for revision in history if revision.revision not in ahead)
    filled = {**default_variables(), **(variables or {})}
    return make_plan(read_deployed(url), wanted, recorded, catalogue, filled)
