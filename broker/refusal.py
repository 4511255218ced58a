"""What the broker says no with: one of the protocol's error codes and, where the protocol has room, a sentence."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from kio.schema.errors import ErrorCode

logger = logging.getLogger(__name__)
__all__ = ["ErrorCode", "Refusal", "answered", "disk"]


class Refusal(Exception):  # noqa: N818 (an answer to a client, not a fault of ours)
    """A request, or one partition's or topic's share of it, is refused with `code`."""

    def __init__(self, code: ErrorCode, message: str | None = None) -> None:
        super().__init__(message or code.name)
        self.code = code
        self.message = message


_TOLD_EVERY_S: Final = 10.0
_told_s = [-_TOLD_EVERY_S]


def _tell(trouble: str) -> None:
    """Once in a while: clients try again many times a second, and the log may lie on the same disk."""
    if time.monotonic() - _told_s[0] >= _TOLD_EVERY_S:
        _told_s[0] = time.monotonic()
        logger.error("the disk refuses, and clients are told to try again: %s", trouble)


class disk:  # noqa: N801 (read as a word: `with disk():`)
    """What the disk refuses inside, is refused to the client with `code`, which it takes as "try again".

    A class, since every write and read goes through it: a generator costs five times as much.
    """

    __slots__ = ("_code",)

    def __init__(self, code: ErrorCode = ErrorCode.kafka_storage_error) -> None:
        self._code = code

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            reason = os.strerror(error.errno) if error.errno else str(error)
            _tell(f"{reason}: {error.filename or 'a log'}")
            raise Refusal(self._code, f"the disk refuses: {reason}") from error


def answered(
    named: Mapping[str, Any], do: Callable[[], Mapping[str, Any] | None], **refused: Any
) -> dict[str, Any]:
    """One share of an answer: `named`, with what `do` gives or, where it is refused, the error and `refused`."""
    try:
        return {**named, **(do() or {})}
    except Refusal as refusal:
        return {**named, **refused, "error_code": refusal.code, "error_message": refusal.message}
