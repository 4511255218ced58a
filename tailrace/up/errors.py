"""What can go wrong on the way up: the message, wanted and got, the next step, and the log to read.

Raised anywhere under `tailrace.up`; the CLI prints them as one panel and exits with 1.
"""

from __future__ import annotations

from pathlib import Path

from tailrace.errors import TailraceError


class UpError(TailraceError):
    """A start, a check or a component failed. `log_path` is where its own words are, or None."""

    sqlstate = "58000"

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        log_path: Path | None = None,
    ) -> None:
        super().__init__(message, detail=detail, hint=hint)
        self.log_path = log_path


class Interrupted(Exception):  # noqa: N818 (not an error: the user asked for it)
    """Ctrl-C or SIGTERM while starting or finishing."""
