"""Prepared statements and portals of commands that PostgreSQL never sees: the extended protocol, answered by
the relay.

Every method takes a message's body and returns the answer; which messages are meant for it, `knows` tells.
Errors of the protocol are raised. Pure but for its two tables; used by `engine.wire.session`, which keeps the
order of answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.wire import protocol
from engine.wire.plans import Command, CopyIn
from tailrace.errors import TailraceError


@dataclass(frozen=True, slots=True)
class Portal:
    """A bound command; `formats` are the result formats that Bind asked for."""

    plan: Command | CopyIn
    formats: tuple[int, ...]


class Prepared:
    """The commands that one session has prepared, by the names that its client gave them."""

    def __init__(self) -> None:
        self._statements: dict[bytes, Command | CopyIn] = {}
        self._portals: dict[bytes, Portal] = {}

    def __bool__(self) -> bool:
        return bool(self._statements or self._portals)

    def forget(self, name: str | None = None) -> bool:
        """Drop one statement, or (None) all of them. Tells whether it was known here."""
        if name is None:
            self._statements.clear()
            return True
        return self._statements.pop(name.encode(), None) is not None

    def replace(self, name: bytes) -> None:
        """PostgreSQL is given a statement of this name."""
        self._statements.pop(name, None)

    def end_portals(self) -> None:
        """Sync: portals end with their transaction."""
        self._portals.clear()

    def knows(self, kind: bytes, body: bytes) -> bool:
        """Whether a Bind, Describe, Execute or Close is about a command of ours."""
        if kind == b"B":
            portal, after = protocol.take_cstring(body)
            statement, _ = protocol.take_cstring(body, after)
            if statement in self._statements:
                return True
            self._portals.pop(portal, None)
            return False
        if kind == b"E":
            return protocol.take_cstring(body)[0] in self._portals
        name, _ = protocol.take_cstring(body, 1)
        return name in (self._statements if body[:1] == b"S" else self._portals)

    def parse(self, name: bytes, plan: Command | CopyIn) -> bytes:
        self._statements[name] = plan
        return protocol.PARSE_COMPLETE

    def bind(self, body: bytes) -> bytes:
        """Raises TailraceError if the client binds parameters, which commands have none of."""
        name, after = protocol.take_cstring(body)
        statement, after = protocol.take_cstring(body, after)
        parameters, formats = protocol.decode_bind_formats(body, after)
        if parameters:
            raise TailraceError(
                f"bind message supplies {parameters} parameters, but the statement takes none",
                sqlstate="08P01",
                hint="write the values into the statement",
            )
        self._portals[name] = Portal(self._statements[statement], formats)
        return protocol.BIND_COMPLETE

    def describe(self, body: bytes) -> bytes:
        name, _ = protocol.take_cstring(body, 1)
        if body[:1] == b"S":
            return protocol.NO_PARAMETERS + _encode_columns(self._statements[name], ())
        return _encode_columns(self._portals[name].plan, self._portals[name].formats)

    def portal(self, body: bytes) -> Portal:
        """What an Execute is to run."""
        return self._portals[protocol.take_cstring(body)[0]]

    def close(self, body: bytes) -> bytes:
        name, _ = protocol.take_cstring(body, 1)
        if body[:1] == b"S":
            del self._statements[name]
        else:
            del self._portals[name]
        return protocol.CLOSE_COMPLETE


def _encode_columns(plan: Command | CopyIn, formats: tuple[int, ...]) -> bytes:
    return protocol.encode_row_description(plan.columns, formats) if plan.columns else protocol.NO_DATA
