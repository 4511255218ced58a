"""The project's errors: each says what failed, carries a stable SQLSTATE, and names the next step in its hint.

Every package raises these; the engine's front door turns them into PostgreSQL ErrorResponse messages and the CLI into panels.
"""

from __future__ import annotations


class TailraceError(Exception):
    """Root of all errors meant for a user.

    `sqlstate` is five characters from the PostgreSQL manual, appendix A; `hint` is the next step, or None.
    """

    sqlstate = "XX000"

    def __init__(
        self, message: str, *, sqlstate: str | None = None, detail: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate or type(self).sqlstate
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UnsupportedFeature(TailraceError):
    """SQL that RisingWave may run but this engine does not: refused by the feature's name, never run differently."""

    sqlstate = "0A000"

    def __init__(self, feature: str, *, hint: str | None = None, detail: str | None = None) -> None:
        super().__init__(f"{feature} is not supported", detail=detail, hint=hint)
        self.feature = feature


class InvalidStatement(TailraceError):
    """SQL that is wrong on any engine: a syntax error, an unknown column, a wrong option."""

    sqlstate = "42601"


class UndefinedObject(TailraceError):
    """A relation that does not exist."""

    sqlstate = "42P01"


class DuplicateObject(TailraceError):
    """A relation whose name is taken."""

    sqlstate = "42P07"


class DependentObjects(TailraceError):
    """DROP of a relation that others are built on, without CASCADE."""

    sqlstate = "2BP01"


class PermissionDenied(TailraceError):
    """A role that may not run this statement."""

    sqlstate = "42501"
