"""What the broker says no with: one of the protocol's error codes and, where the protocol has room, a sentence."""

from __future__ import annotations

from kio.schema.errors import ErrorCode

__all__ = ["ErrorCode", "Refusal"]


class Refusal(Exception):  # noqa: N818 (an answer to a client, not a fault of ours)
    """A request, or one partition's or topic's share of it, is refused with `code`."""

    def __init__(self, code: ErrorCode, message: str | None = None) -> None:
        super().__init__(message or code.name)
        self.code = code
        self.message = message
