"""What PostgreSQL sends, scanned on its way to the client: a pure state machine, bytes in, bytes for the
client out.

Most rows and other messages flow through untouched, even in pieces. It watches for the few that say where the session
stands (ReadyForQuery, ErrorResponse), puts right the values whose text differs from RisingWave's (`engine.wire.row_text`),
swallows the answers to the relay's own messages, and collects the rows of its own queries. Every Sync or Query sent to
PostgreSQL must be announced by `expect`. Used by
`engine.wire.session`.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.wire.phrases import rephrased
from engine.wire.protocol import decode_column_names, decode_data_row, encode, naming, without_fields
from engine.wire.row_text import Fix, fixed_row, fixes_of

_LENGTH = struct.Struct("!i").unpack_from
_OWN_FUNCTION = b"\x00WPL/pgSQL function engine."
"""Where an error of the engine's own triggers and functions came from: nothing that a client could look at."""
_WRITES = (b"INSERT", b"UPDATE", b"DELETE")


def _table(kinds: bytes) -> tuple[bool, ...]:
    return tuple(bytes((kind,)) in kinds for kind in range(256))


_WATCHED = _table(b"ZEGT")
_WATCHED_WITH_COMPLETIONS = _table(b"ZEGTC")
_WATCHED_WITH_ROWS = _table(b"ZEGTDC")
_ALL = (True,) * 256


@dataclass(frozen=True, slots=True)
class Expectation:
    """What to do with one ReadyForQuery: pass it on or swallow it, and whom to tell (whether there was an error before it)."""

    swallow: bool = False
    then: Callable[[bool], None] | None = None


PASS_ON = Expectation()


@dataclass(slots=True)
class Collected:
    """The answer to a query of the relay's own; none of it goes to the client, but for notices and parameter changes."""

    rows: list[list[str | None]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """What the columns of the rows are called."""
    tag: str = ""
    error: bytes | None = None


class ReplyStream:
    """The state of PostgreSQL's answers in one session."""

    def __init__(self, status: int) -> None:
        self.status = status
        """Transaction status of the last ReadyForQuery: I, T or E as a byte."""
        self.failed = False
        """An error has been reported since the last ReadyForQuery."""
        self.fatal = False
        """PostgreSQL has said that it ends the connection."""
        self.wrote = False
        """A writing statement has completed since this was last set to False (tracked while `track_writes`)."""
        self.track_writes = False
        self.hide_positions = False
        """The statement was rewritten: positions in errors would point into text that the client has not written."""
        self.copy_begins: Callable[[], None] | None = None
        """Told when PostgreSQL is ready to take the rows of a COPY FROM STDIN."""
        self.standing_for: tuple[str, str] | None = None
        """A table of the engine's and the relation that it stores: errors of a COPY name the latter."""
        self.expected: deque[Expectation] = deque()
        self._fixes: dict[int, Fix] = {}
        self._collected: Collected | None = None
        self._tail = b""
        self._passing_bytes = 0
        self._after: list[Callable[[], None]] = []

    def expect(self, expectation: Expectation) -> None:
        """Announce one ReadyForQuery to come."""
        self.expected.append(expectation)

    def collect(self) -> Collected:
        """Keep the answer up to the next ReadyForQuery from the client, and gather it here."""
        self._collected = Collected()
        return self._collected

    def feed(self, data: bytes) -> tuple[bytes, list[Callable[[], None]]]:
        """Scan what has come. Returns what goes to the client, and what to call when that has been written."""
        if self._tail:
            data = self._tail + data
        size = len(data)
        position = min(self._passing_bytes, size)
        self._passing_bytes -= position
        start = 0
        kept: list[bytes] = []
        watched = self._watched()
        while size - position >= 5:
            kind = data[position]
            end = position + 1 + _LENGTH(data, position + 1)[0]
            if not watched[kind]:
                if end > size:
                    self._passing_bytes = end - size
                    position = size
                    break
                position = end
                continue
            if end > size:
                break
            replacement = self._watch(kind, data, position, end)
            if replacement is not None:
                kept += (data[start:position], replacement)
                start = end
            position = end
            watched = self._watched()
        self._tail = data[position:]
        after, self._after = self._after, []
        if not kept:
            return (data if start == 0 and position == size else data[start:position]), after
        kept.append(data[start:position])
        return b"".join(kept), after

    def _watched(self) -> tuple[bool, ...]:
        if self._collected is not None:
            return _ALL
        if self._fixes:
            return _WATCHED_WITH_ROWS
        return _WATCHED_WITH_COMPLETIONS if self.track_writes else _WATCHED

    def _watch(self, kind: int, data: bytes, position: int, end: int) -> bytes | None:
        """Note a message. None leaves it as it is; bytes take its place (b"" swallows it)."""
        collected = self._collected
        if kind == 0x5A:  # Z
            return self._ready(data[position + 5])
        if kind == 0x45:  # E
            self.failed = True
            body = sent = data[position + 5 : end]
            self.fatal = self.fatal or b"\x00VFATAL\x00" in body or b"\x00VPANIC\x00" in body
            if collected is not None and not self.fatal:
                collected.error = rephrased(body)
                return b""
            body = rephrased(body)
            hidden = b"P" if self.hide_positions else b""
            if _OWN_FUNCTION in body:
                hidden += b"W"
            if self.standing_for is not None:
                return encode(b"E", naming(without_fields(body, hidden), *self.standing_for))
            if hidden:
                body = without_fields(body, hidden)
            return None if body is sent else encode(b"E", body)
        if kind == 0x47:  # G
            if self.copy_begins is not None:
                self._after.append(self.copy_begins)
            return None
        if collected is None and kind == 0x54:  # T
            self._fixes = fixes_of(data[position + 5 : end])
            return None
        if collected is None and kind == 0x44:  # D
            row = data[position + 5 : end]
            fixed = fixed_row(row, self._fixes)
            return None if fixed is row else encode(b"D", fixed)
        if kind == 0x43:  # C
            tag = data[position + 5 : end - 1]
            self.wrote = self.wrote or tag.startswith(_WRITES)
            if collected is None:
                return None
            collected.tag = tag.decode()
        elif kind == 0x54 and collected is not None:  # T
            collected.names = decode_column_names(data[position + 5 : end])
        elif kind == 0x44 and collected is not None:  # D
            collected.rows.append(decode_data_row(data[position + 5 : end]))
        elif kind in b"SNA":
            return None
        return b""

    def _ready(self, status: int) -> bytes | None:
        self.status = status
        failed, self.failed = self.failed, False
        self.hide_positions = False
        self._fixes = {}
        self._collected = None
        expectation = self.expected.popleft() if self.expected else PASS_ON
        then = expectation.then
        if then is not None:
            self._after.append(lambda: then(failed))
        return b"" if expectation.swallow else None
