"""What can go wrong with a deployment, one class per reaction: mend and run again, or look at what is there
first.
"""

from __future__ import annotations

from tailrace.errors import TailraceError


class MigrationFailedError(TailraceError):
    """A statement failed or took too long. What came before it stays; the next run goes on from it."""

    sqlstate = "58000"


class MigrationConflictError(TailraceError):
    """The database holds, under a wanted name, something that this history did not put there."""

    sqlstate = "42P07"


class MigrationInvalidError(TailraceError):
    """A revision is not well formed: its text and name disagree, or a variable is not known."""

    sqlstate = "42601"
