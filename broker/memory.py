"""What the clients' bytes may take in memory: requests that have not come whole, answers that are not read.

Job: one count for all connections, and whose turn it is while there are too many bytes. Beyond the limit only one
connection whose request is incomplete is read, until it is whole and served; the others wait, and so do their clients,
whom TCP slows down. Answers get shorter as room gets scarce. Pure but for the connections it is given. Callers:
connections, the handler of Fetch.
"""

from __future__ import annotations

from typing import Final, Protocol

MIN_ANSWER_BYTES: Final = 1 << 20


class Reader(Protocol):
    """A connection, as far as memory is concerned."""

    def let_read(self, allowed: bool) -> None:
        """Whether more of the client's bytes may be taken now."""


class Memory:
    """Sizes in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[Reader, int] = {}
        self._waiting: dict[Reader, None] = {}
        self._favoured: Reader | None = None
        self.used = 0

    def hold(self, reader: Reader, size: int, *, incomplete: bool, served: bool = False) -> None:
        """`reader` holds `size` bytes now.

        `incomplete` while it waits for the rest of a request, `served` when one has just been taken from it.
        """
        before = self._held.get(reader, 0)
        if size == before == 0 and self.used <= self._limit and not self._waiting:
            return  # requests that come whole, nearly always
        self.used += size - before
        self._held[reader] = size
        if self.used <= self._limit:
            self._favoured = None
            for waiting in tuple(self._waiting):
                self._release(waiting)
            return
        if reader is self._favoured and (served or not incomplete):
            self._favoured = next(iter(self._waiting), None)
            if self._favoured is not None:
                self._release(self._favoured)
        if incomplete and self._favoured is None:
            self._favoured = reader
        elif incomplete and reader is not self._favoured:
            self._waiting[reader] = None
            reader.let_read(False)

    def forget(self, reader: Reader) -> None:
        """The connection is gone."""
        self._waiting.pop(reader, None)
        self.hold(reader, 0, incomplete=False)
        self._held.pop(reader, None)

    def _release(self, reader: Reader) -> None:
        self._waiting.pop(reader, None)
        reader.let_read(True)

    def answer_bytes(self, most: int) -> int:
        """How long an answer may be: half of what is left, a little in any case."""
        return min(most, max((self._limit - self.used) // 2, MIN_ANSWER_BYTES))
