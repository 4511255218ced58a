"""What a session needs of the connection that it talks through: the border between the conversation and its transports."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol


class Rim(Protocol):
    """The connection, as far as a session needs it."""

    closed: bool

    @property
    def blocked(self) -> bool:
        """PostgreSQL does not keep up, so that the client is not read from."""
        ...

    def send(self, data: bytes) -> None: ...
    def to_postgres(self, data: bytes | bytearray) -> None: ...
    def run(self, work: Coroutine[Any, Any, None]) -> None: ...
    def pump(self) -> None: ...
    def close(self) -> None: ...
