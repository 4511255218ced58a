"""What the broker says no with: one of the protocol's error codes and, where the protocol has room, a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kio.schema.errors import ErrorCode

__all__ = ["ErrorCode", "Refusal", "answered", "disk"]


class Refusal(Exception):  # noqa: N818 (an answer to a client, not a fault of ours)
    """A request, or one partition's or topic's share of it, is refused with `code`."""

    def __init__(self, code: ErrorCode, message: str | None = None) -> None:
        super().__init__(message or code.name)
        self.code = code
        self.message = message


@contextmanager
def disk(code: ErrorCode = ErrorCode.kafka_storage_error) -> Iterator[None]:
    """What the disk refuses inside, is refused to the client with `code`, which it takes as "try again"."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Refusal(code, f"the disk refuses: {reason}") from error


def answered(
    named: Mapping[str, Any], do: Callable[[], Mapping[str, Any] | None], **refused: Any
) -> dict[str, Any]:
    """One share of an answer: `named`, with what `do` gives or, where it is refused, the error and `refused`."""
    try:
        return {**named, **(do() or {})}
    except Refusal as refusal:
        return {**named, **refused, "error_code": refusal.code, "error_message": refusal.message}
