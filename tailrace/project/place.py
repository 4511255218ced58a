"""Where a project's files lie. Called by the CLI; no I/O but to look whether they are there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tailrace.errors import TailraceError
from tailrace.migrate.api import package_directory


@dataclass(frozen=True, slots=True)
class Project:
    """`sql` holds one relation a file, in folders or not; `migrations` env.py and versions/."""

    sql: Path
    migrations: Path

    @staticmethod
    def at(directory: Path | None) -> Project:
        """The project in a directory; None: the one that comes with Tailrace. Raises TailraceError if there is none."""
        if directory is None:
            own = package_directory()
            return Project(own.parent / "sql", own)
        found = Project(directory / "sql", directory / "migrations")
        for path in (found.sql, found.migrations / "env.py"):
            if not path.exists():
                raise TailraceError(
                    f"no project in {directory}: {path} is missing",
                    sqlstate="58P01",
                    hint=f"make one: tailrace init {directory}",
                )
        return found
